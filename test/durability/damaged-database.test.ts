/**
 * The engine is started on databases that are damaged: it runs what is sound and names what isn't,
 * or refuses on one line with the way out. What it sends is what was created, never anything else.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudTasksApi, Task } from '../../src/engine/cloud-tasks-api.js';
import type { EngineEvent } from '../../src/engine/ports.js';
import { HOUR, SECOND } from '../../src/engine/time.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { recoverStore } from '../../src/host/recover-store.js';
import { startEngine } from '../../src/host/start-engine.js';
import { Chance } from '../support/chance.js';
import { everyTask } from '../support/every-task.js';
import { Receiver } from '../support/receiver.js';
import { seeds } from './rounds.js';

const LOCATION = 'projects/demo/locations/here';
const QUEUES = ['one', 'two', 'three'];

let where: '' | '-wal' = '';
let folder: string;
let dataDir: string;
let receiver: Receiver;
/** By mark, as they were acknowledged. */
const created = new Map<string, Task>();
/** Marks of those that were deleted again. */
const deleted = new Set<string>();
let engine: RunningEngine | undefined;
let events: EngineEvent[];
const outcomes = new Map<string, number>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-damage-'));
  receiver = await Receiver.listen();
  for (const name of ['sound', 'other']) {
    const tasks = await crashed(join(folder, name), name);
    if (name === 'sound') for (const task of tasks) created.set(markOf(task), task);
  }
});

beforeEach(() => {
  where = '';
  events = [];
  dataDir = join(folder, 'damaged');
  cpSync(join(folder, 'sound'), dataDir, { recursive: true });
});

afterEach(async () => {
  await engine?.close();
  engine = undefined;
  await rm(dataDir, { recursive: true, force: true });
});

afterAll(async () => {
  await receiver.close();
  await rm(folder, { recursive: true, force: true });
  console.log(`damaged databases: ${JSON.stringify(Object.fromEntries(outcomes))}`);
});

/** Makes a database as a crash leaves it, a half of it still in its log. */
async function crashed(image: string, name: string): Promise<Task[]> {
  const dataDir = `${image}-open`;
  const tasks: Task[] = [];
  for (const half of ['home', 'log']) {
    const engine = await startEngine({ dataDir, port: 0 });
    for (const id of QUEUES) {
      const queue = `${LOCATION}/queues/${id}`;
      await engine.api.updateQueue({ queue: { name: queue } });
      tasks.push(...(await createTasks(engine.api, queue, `${name}-${id}-${half}`)));
    }
    if (half === 'log') cpSync(dataDir, image, { recursive: true });
    await engine.close();
  }
  return tasks;
}

/** Some for now, some for later, and the tombstones of some more. */
async function createTasks(api: CloudTasksApi, parent: string, prefix: string): Promise<Task[]> {
  const created = Array.from({ length: 60 }, (_, n) => {
    const mark = `${prefix}-${n}`;
    const body = new TextEncoder().encode(mark.repeat(1 + ((n * n * 7) % 400)));
    const task = {
      name: `${parent}/tasks/${mark}`,
      httpRequest: { url: `${receiver.url}/${mark}`, body },
      ...(n % 3 === 0 ? { scheduleTime: Date.now() * 1000 + HOUR } : {}),
    };
    return api.createTask({ parent, task, responseView: 'FULL' });
  });
  const tasks = await Promise.all(created);
  for (const task of tasks.slice(50)) {
    await api.deleteTask({ name: task.name });
    deleted.add(markOf(task));
  }
  return tasks;
}

type Damage = (chance: Chance) => void;

const file = (suffix: '' | '-wal') => join(dataDir, `tasks.sqlite${suffix}`);

function damageBytes(damage: (bytes: Buffer, chance: Chance) => Buffer): Damage {
  return (chance) => {
    where = chance.pick(['', '-wal'] as const);
    const path = file(where);
    writeFileSync(path, damage(readFileSync(path), chance));
  };
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  truncated: damageBytes((bytes, chance) => bytes.subarray(0, chance.between(0, bytes.length - 1))),
  'bits flipped': damageBytes((bytes, chance) => {
    for (let flips = chance.between(1, 64); flips > 0; flips--) {
      const at = chance.between(0, bytes.length - 1);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << chance.between(0, 7)), at);
    }
    return bytes;
  }),
  'zero-filled': damageBytes((bytes, chance) => {
    const start = chance.between(0, bytes.length - 1);
    return bytes.fill(0, start, Math.min(bytes.length, start + chance.between(1, 20_000)));
  }),
  'a log of another database': () =>
    cpSync(join(folder, 'other', 'tasks.sqlite-wal'), file('-wal')),
  'a log without its database': () => writeFileSync(file(''), ''),
};

/** Cut off in the page of the jobs: that was noticed only after the file had been taken. */
const WITHOUT_JOBS = 1721588847;

test.each([WITHOUT_JOBS, ...seeds(30, 300)])(
  'a damaged database harms nobody (SEED=%i)',
  async (seed) => {
    const chance = new Chance(seed);
    const kind = chance.pick(Object.keys(DAMAGES));
    DAMAGES[kind]?.(chance);
    const start = () => startEngine({ dataDir, port: 0, onEvent: (event) => events.push(event) });
    try {
      engine = await start();
      count(`${kind}: started`);
    } catch (error) {
      expect(error).toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: ONE_LINE_WITH_A_WAY_OUT,
      });
      const recovered = recover();
      count(`${kind}: ${recovered ? 'refused, recovered' : 'refused, nothing to recover'}`);
      if (!recovered) return;
      engine = await start();
    }
    await runsWhatIsSound(engine);
  },
  60_000,
);

const ONE_LINE_WITH_A_WAY_OUT = expect.stringMatching(
  /^The task database [\x20-\x7e]*tasks\.sqlite [\x20-\x7e]*(restore a copy|choose another folder|update the package)[\x20-\x7e]*\.$|^[\x20-\x7e]*tasks\.sqlite is a database of another application/,
) as unknown;

function recover(): boolean {
  try {
    recoverStore(dataDir);
    return true;
  } catch (error) {
    expect((error as Error).message).toMatch(/^[\x20-\x7e]*: restore a copy, or move it/);
    return false;
  }
}

/** Everything that it lists is what was created, and just that arrives, once it is due. */
async function runsWhatIsSound(engine: RunningEngine): Promise<void> {
  const { queues } = await engine.api.listQueues({ parent: LOCATION });
  const tasks: Task[] = [];
  for (const { name } of queues) tasks.push(...(await everyTask(engine.api, name)));
  for (const task of tasks) expect(task).toEqual(created.get(markOf(task)));

  const before = receiver.deliveries.length;
  const arrived = () => receiver.deliveries.slice(before);
  const due = tasks.filter(({ scheduleTime }) => scheduleTime <= Date.now() * 1000).map(markOf);
  await engine.dispatch({});
  await receiver.until(() => {
    const marks = new Set(arrived().map(({ mark }) => mark));
    return due.every((mark) => marks.has(mark));
  });
  // An outcome whose page is damaged can't be stored, however long it is tried.
  await engine.drain(SECOND);
  expect(
    arrived()
      .map(({ mark }) => mark)
      .sort(),
  ).toEqual(due.sort());
  for (const { mark, body } of arrived()) {
    expect(body).toBe(new TextDecoder().decode(created.get(mark)?.httpRequest?.body));
  }
  const named = events.filter(({ type }) => type === 'damaged-record').length;
  const failures = events.flatMap((event) => (event.type === 'store-failure' ? event.error : []));
  for (const error of failures) {
    expect(error).toMatchObject({ message: expect.stringMatching(/engine recover\.$/) as unknown });
  }
  const kept = tasks.filter((task) => !deleted.has(markOf(task))).length;
  count(`tasks kept`, kept);
  count(`tasks set aside by name`, named);
  count(`failures of the store`, failures.length);
  if (failures.length > 0) {
    await engine.close();
    expect(recover()).toBe(true);
  }
}

function count(outcome: string, by = 1): void {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + by);
}

function markOf(task: Task): string {
  return task.httpRequest?.url.split('/').at(-1) ?? '';
}
