/**
 * The app is killed while it dispatches: every task that it acknowledged still arrives, and no
 * other. `ROUNDS` sets how often; `npm run test:durability` runs 20.
 */
import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../support/app-process.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 1);
const TASKS = 500;

/** Where the tasks go: remembers every delivery, and tells when a count of them is reached. */
class Receiver {
  readonly deliveries = new Map<string, number>();
  private waiting: { readonly distinct: number; readonly resolve: () => void }[] = [];

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      const name = String(request.headers['x-cloudtasks-taskname']);
      request.resume().on('end', () => {
        this.deliveries.set(name, (this.deliveries.get(name) ?? 0) + 1);
        response.end();
        const reached = this.waiting.filter(({ distinct }) => this.deliveries.size >= distinct);
        for (const { resolve } of reached) resolve();
      });
    });
  }

  static async listen(): Promise<Receiver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Receiver(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** Resolves once so many different tasks have arrived. */
  reached(distinct: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ distinct, resolve }));
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

async function enqueue(app: string, url: string): Promise<string> {
  const response = await fetch(`${app}/add_task_external`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ url, countdown: '2s', payload: { some: 'work' } }),
  });
  const { name } = (await response.json()) as { name: string };
  expect(response.status).toBe(202);
  return name.slice(name.lastIndexOf('/') + 1);
}

for (let round = 1; round <= ROUNDS; round++) {
  test(`round ${round}: ${TASKS} tasks survive kill -9 in the middle of dispatching`, async () => {
    const receiver = await Receiver.listen();
    const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-kill-'));
    const killAt = 1 + Math.floor(Math.random() * (TASKS - 1));
    try {
      const first = await startApp({ DATA_DIR: dataDir });
      const half = receiver.reached(killAt);
      const all = receiver.reached(TASKS);
      const acknowledged = await Promise.all(
        Array.from({ length: TASKS }, () => enqueue(first.url, receiver.url)),
      );
      await half;
      await first.kill('SIGKILL');
      const beforeKill = receiver.deliveries.size;

      const second = await startApp({ DATA_DIR: dataDir });
      await all;
      await second.kill('SIGTERM');

      expect([...receiver.deliveries.keys()].sort()).toEqual(acknowledged.sort());
      const twice = [...receiver.deliveries.values()].filter((count) => count > 1).length;
      console.log(`killed after ${beforeKill} of ${TASKS} deliveries; ${twice} came twice`);
    } finally {
      receiver.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  }, 60_000);
}
