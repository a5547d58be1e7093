/**
 * The app is killed while it dispatches: every task that it acknowledged still arrives, and no
 * other.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppProcess } from '../support/app-process.js';
import { startApp } from '../support/app-process.js';
import { Chance } from '../support/chance.js';
import { Receiver } from '../support/receiver.js';
import { seeds } from './rounds.js';

const TASKS = 500;

let dataDir: string;
let receiver: Receiver;
let apps: AppProcess[];

beforeEach(async () => {
  apps = [];
  dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-kill-'));
  receiver = await Receiver.listen();
});

afterEach(async () => {
  await Promise.all(apps.map((app) => app.kill('SIGKILL')));
  await receiver.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<AppProcess> {
  const app = await startApp({ DATA_DIR: dataDir });
  apps.push(app);
  return app;
}

async function enqueue(app: AppProcess, mark: string): Promise<void> {
  const response = await fetch(`${app.url}/add_task_external`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ url: `${receiver.url}/${mark}`, countdown: '2s', payload: { mark } }),
  });
  expect([response.status, await response.text()]).toEqual([202, expect.any(String)]);
}

test.each(seeds(1, 20))(
  `${TASKS} tasks survive kill -9 in the middle of dispatching (SEED=%i)`,
  async (seed) => {
    const killAt = new Chance(seed).between(1, TASKS - 1);
    const marks = Array.from({ length: TASKS }, (_, number) => `task-${number}`);

    const first = await start();
    await Promise.all(marks.map((mark) => enqueue(first, mark)));
    await receiver.reached(killAt);
    await first.kill('SIGKILL');
    await receiver.deserted();
    const before = receiver.marks().size;

    await start();
    await receiver.reached(TASKS);
    expect([...receiver.marks().keys()].sort()).toEqual(marks.sort());
    const twice = [...receiver.marks().values()].filter((count) => count > 1).length;
    console.log(`killed after ${before} of ${TASKS} deliveries; ${twice} came twice`);
  },
  120_000,
);
