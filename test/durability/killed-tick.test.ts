/** The engine is killed across ticks of a job: each tick that was begun happens, as one tick. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chance } from '../support/chance.js';
import type { EngineProcess } from '../support/engine-process.js';
import { startEngineProcess } from '../support/engine-process.js';
import { Receiver } from '../support/receiver.js';
import { seeds } from './rounds.js';

const JOBS = '/v1/projects/local/locations/us-central1/jobs';
const KILLS = 5;

let dataDir: string;
let receiver: Receiver;
let engines: EngineProcess[];

beforeEach(async () => {
  engines = [];
  dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-tick-'));
  receiver = await Receiver.listen();
});

afterEach(async () => {
  await Promise.all(engines.map(kill));
  await receiver.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<EngineProcess> {
  const engine = await startEngineProcess('--data', dataDir, '--test-api');
  engines.push(engine);
  return engine;
}

async function kill({ child }: EngineProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

async function ask(
  { url }: EngineProcess,
  path: string,
  body?: object,
): Promise<Record<string, string>> {
  const response = await fetch(url + path, {
    method: body ? 'POST' : 'GET',
    ...(body
      ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
      : {}),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, string>;
}

/** Lets time pass until the job's next tick, or its next attempt, and a while more. */
async function pass(engine: EngineProcess, more: number): Promise<void> {
  const { scheduleTime = '' } = await ask(engine, `${JOBS}/tick`);
  const { time = '' } = await ask(engine, '/emulator/v1/clock');
  const seconds = Math.ceil((Date.parse(scheduleTime) - Date.parse(time)) / 1000);
  const advance = `${Math.max(1, seconds + more)}s`;
  await ask(engine, '/emulator/v1/clock', { advance });
}

const ticks = () =>
  receiver.deliveries.map(({ headers }) => String(headers['x-cloudscheduler-scheduletime']));

test.each(seeds(1, 40))(
  'killed while a tick is on its way, after it, and while ticks are missed (SEED=%i)',
  async (seed) => {
    const chance = new Chance(seed);
    let engine = await start();
    await ask(engine, JOBS, {
      name: `${JOBS.slice(4)}/tick`,
      schedule: '* * * * *',
      httpTarget: { uri: receiver.url },
    });
    /** How often the engine was killed before it can have known the answer. */
    const interrupted = new Map<string, number>();
    for (let round = 0; round < KILLS; round++) {
      const kind = chance.between(0, 2);
      const before = ticks().length;
      if (kind === 0) receiver.reply = () => 'never';
      // Of more than one tick that was missed meanwhile there is one.
      await pass(engine, chance.between(0, 300));
      await receiver.until(() => ticks().length > before);
      const killed = ticks().at(-1) ?? '';
      if (kind === 2) {
        await ask(engine, '/emulator/v1/wait', { limit: '10s' });
      } else {
        interrupted.set(killed, (interrupted.get(killed) ?? 0) + 1);
      }
      await kill(engine);
      await receiver.deserted();
      receiver.reply = () => 200;
      engine = await start();
      if (kind === 0) {
        // It was never answered, so it must come again, as the same tick.
        await pass(engine, 0);
        await receiver.until(() => ticks().length > before + 1 && ticks().at(-1) === killed);
        await ask(engine, '/emulator/v1/wait', { limit: '10s' });
      }
    }
    const counts = new Map<string, number>();
    for (const tick of ticks()) counts.set(tick, (counts.get(tick) ?? 0) + 1);
    // In order, each once, but for those that nobody could know to have been answered.
    expect([...counts.keys()]).toEqual([...counts.keys()].sort());
    for (const [tick, count] of counts) {
      const most = 1 + (interrupted.get(tick) ?? 0);
      expect({ tick, isRight: count <= most }).toEqual({ tick, isRight: true });
    }
  },
  120_000,
);
