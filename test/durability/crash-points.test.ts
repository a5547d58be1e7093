/** The engine dies at a place that is named, and its next start finds what that place leaves. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newSigningKey } from '../../src/adapters/oidc-issuer.js';
import type { CloudTasksApi, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../src/engine/errors.js';
import { HOUR, MINUTE } from '../../src/engine/time.js';
import { connectGoogle } from '../../src/host/connect-google.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { writeVersion1 } from '../adapters/version-1.js';
import { startEngineAlone } from '../support/app-process.js';
import { Chance } from '../support/chance.js';
import { everyTask } from '../support/every-task.js';
import { Receiver } from '../support/receiver.js';
import { copiedHome } from './checkpoint-progress.js';
import { seeds } from './rounds.js';

const LOCATION = 'projects/demo/locations/here';
const QUEUE = `${LOCATION}/queues/work`;
const CRASH_AT = ['--import', './test/support/crash-at.mjs'];
const ROUNDS = seeds(2, 50);

/** See test/support/crash-at.mjs. */
type Step =
  | { readonly before: string; readonly nth?: number }
  | { readonly after: string; readonly nth?: number }
  | { readonly channel: string; readonly nth?: number }
  | { readonly checkpoint: string; readonly spin: number };

let signingKey: string;
let dataDir: string;
let receiver: Receiver;
let restarted: RunningEngine | undefined;

beforeAll(async () => {
  signingKey = await newSigningKey();
});

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-crash-'));
  await writeFile(join(dataDir, 'oidc-key.pem'), signingKey, { mode: 0o600 });
  receiver = await Receiver.listen();
});

afterEach(async () => {
  await restarted?.close();
  restarted = undefined;
  await receiver.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** Counted from the engine's start: the first commits are the schema's and the queue's. */
const COMMITS = [4, 40] as const;

const database = () => join(dataDir, 'tasks.sqlite');

/** Starts an engine that dies at the last of `steps`, and does `work` until it has. */
async function crash(
  steps: readonly Step[],
  work: (api: CloudTasksApi) => Promise<void>,
): Promise<void> {
  const engine = await startEngineAlone(dataDir, CRASH_AT, { CRASH_AT: JSON.stringify(steps) });
  const google = await connectGoogle({ emulatorHost: engine.url });
  const closed = once(engine.child, 'exit').then(async ([, signal]) => {
    await google.close();
    return signal as string | null;
  });
  try {
    await work(google);
  } catch (error) {
    if (!(error instanceof CloudTasksError && error.code !== 'INVALID_ARGUMENT')) throw error;
  }
  expect(await closed).toBe('SIGKILL');
}

async function restart(): Promise<CloudTasksApi> {
  restarted = await startEngine({ dataDir, port: 0 });
  return restarted.api;
}

function task(id: string, more: Partial<TaskInput> = {}): { parent: string; task: TaskInput } {
  const httpRequest = { url: `${receiver.url}/${id}`, body: new TextEncoder().encode(id) };
  return { parent: QUEUE, task: { name: `${QUEUE}/tasks/${id}`, httpRequest, ...more } };
}

/** Creates tasks for later, so many at once, until the engine is gone or there are enough. */
async function createTasks(
  api: CloudTasksApi,
  { together, enough = Infinity, size = 0 }: { together: number; enough?: number; size?: number },
): Promise<{ asked: string[]; acknowledged: string[] }> {
  const asked: string[] = [];
  const acknowledged: string[] = [];
  const scheduleTime = Date.now() * 1000 + HOUR;
  let isGone = false;
  while (!isGone && asked.length < enough) {
    const batch = Array.from({ length: together }, (_, n) => `task-${asked.length + n}`);
    asked.push(...batch);
    const created = batch.map(async (id) => {
      const request = task(id, { scheduleTime });
      const { httpRequest } = request.task;
      if (httpRequest && size > 0) httpRequest.body = new Uint8Array(size).fill(asked.length);
      await api.createTask(request);
      acknowledged.push(id);
    });
    isGone = (await Promise.allSettled(created)).some(({ status }) => status === 'rejected');
  }
  return { asked, acknowledged };
}

async function idsOf(api: CloudTasksApi): Promise<string[]> {
  return (await everyTask(api, QUEUE)).map(({ name }) => name.slice(name.lastIndexOf('/') + 1));
}

async function newQueue(api: CloudTasksApi): Promise<void> {
  await api.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
}

/** What no moment may leave: a structure that is broken, or a name that is live and finished. */
async function expectSoundFile(): Promise<void> {
  await restarted?.close();
  restarted = undefined;
  const db = new DatabaseSync(database());
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  const both = 'SELECT t.id FROM task t JOIN tombstone b ON b.queue = t.queue AND b.id = t.id';
  expect(db.prepare(both).all()).toEqual([]);
  const halves = 'SELECT seq FROM task EXCEPT SELECT seq FROM request';
  expect(db.prepare(halves).all()).toEqual([]);
  const orphans = 'SELECT seq FROM request EXCEPT SELECT seq FROM task';
  expect(db.prepare(orphans).all()).toEqual([]);
  expect(db.prepare('SELECT * FROM damaged').all()).toEqual([]);
  db.close();
}

describe.each(ROUNDS)('killed, and started again (SEED=%i):', (seed) => {
  test('before a commit: exactly what was acknowledged is there', async () => {
    const chance = new Chance(seed);
    let said = { asked: [''], acknowledged: [''] };
    await crash([{ before: '^COMMIT$', nth: chance.between(...COMMITS) }], async (api) => {
      await newQueue(api);
      said = await createTasks(api, { together: chance.between(1, 6) });
    });
    expect((await idsOf(await restart())).sort()).toEqual(said.acknowledged.sort());
    await expectSoundFile();
  });

  test('after a commit, before the answer: the tasks are there, and asking again says so', async () => {
    const chance = new Chance(seed);
    let said = { asked: [''], acknowledged: [''] };
    await crash([{ after: '^COMMIT$', nth: chance.between(...COMMITS) }], async (api) => {
      await newQueue(api);
      said = await createTasks(api, { together: chance.between(1, 6) });
    });
    const api = await restart();
    const ids = await idsOf(api);
    const unanswered = ids.filter((id) => !said.acknowledged.includes(id));
    expect(said.acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
    expect(said.asked).toEqual(expect.arrayContaining(ids));
    expect(unanswered.length).toBeGreaterThan(0);
    for (const id of unanswered) {
      await expect(api.createTask(task(id))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }
    await expectSoundFile();
  });

  test.each([
    ['sending', 'undici:request:bodySent'],
    ['the answer', 'undici:request:headers'],
  ])('after %s, before settling: delivered again, none lost', async (_, channel) => {
    const nth = new Chance(seed).between(1, 25);
    const ids = Array.from({ length: 25 }, (_, n) => `task-${n}`);
    await crash([{ channel, nth }], async (api) => {
      await newQueue(api);
      // Made before they are due, so that all of them are on disk.
      await api.pauseQueue({ name: QUEUE });
      await Promise.all(ids.map((id) => api.createTask(task(id))));
      await api.resumeQueue({ name: QUEUE });
    });
    await receiver.deserted();
    const before = receiver.marks();
    const api = await restart();
    const left = new Set(await idsOf(api));
    expect(ids.filter((id) => !left.has(id) && !before.has(id))).toEqual([]);
    // The one that it died for can't have been settled.
    expect(left.size).toBeGreaterThan(0);
    await restarted?.dispatch({});
    await receiver.reached(ids.length);
    await receiver.until(() =>
      [...left].every((id) => receiver.marks().get(id) === (before.get(id) ?? 0) + 1),
    );
    await restarted?.drain(MINUTE);
    const twice = [...receiver.marks()].filter(([, count]) => count > 1).map(([id]) => id);
    expect(twice.filter((id) => !left.has(id))).toEqual([]);
    expect(await idsOf(api)).toEqual([]);
    await expectSoundFile();
  });

  test.each([
    ['after settling, before the tombstone is all', 'INSERT OR REPLACE INTO tombstone SELECT'],
    ['after a task is gone, before its request', 'DELETE FROM task WHERE seq'],
    ['after its request is gone, before the commit', 'DELETE FROM request WHERE seq = '],
  ])('%s: as if it had not been', async (_, after) => {
    const nth = new Chance(seed).between(1, 10);
    const ids = Array.from({ length: 10 }, (_, n) => `task-${n}`);
    const deleted: string[] = [];
    await crash([{ after, nth }], async (api) => {
      await newQueue(api);
      await api.pauseQueue({ name: QUEUE });
      for (const id of ids) await api.createTask(task(id));
      for (const id of ids) {
        await api.deleteTask({ name: `${QUEUE}/tasks/${id}` });
        deleted.push(id);
      }
    });
    const api = await restart();
    expect(deleted).toHaveLength(nth - 1);
    expect(await idsOf(api)).toEqual(ids.slice(nth - 1));
    for (const id of deleted) {
      await expect(api.getTask({ name: `${QUEUE}/tasks/${id}` })).rejects.toMatchObject({
        message: expect.stringContaining('existed recently'),
      });
    }
    await expectSoundFile();
  });

  const COMMITTED = { after: '^COMMIT$' };
  const PURGE = [
    'INSERT OR REPLACE INTO tombstone\\s+SELECT queue, id, \\? FROM task INDEXED',
    'DELETE FROM request WHERE seq IN',
    'DELETE FROM task WHERE queue',
  ];

  test.each(PURGE)('in the middle of a purge (after %s): nothing is purged', async (after) => {
    const { acknowledged } = await crashAtVerb([{ after }], (api) =>
      api.purgeQueue({ name: QUEUE }),
    );
    const api = await restart();
    expect((await idsOf(api)).sort()).toEqual(acknowledged.sort());
    expect(await api.getQueue({ name: QUEUE })).not.toHaveProperty('purgeTime');
    await expectSoundFile();
  });

  test('after the commit of a purge: all is purged', async () => {
    const steps = [{ after: 'DELETE FROM task WHERE queue' }, COMMITTED];
    const { acknowledged } = await crashAtVerb(steps, (api) => api.purgeQueue({ name: QUEUE }));
    const api = await restart();
    expect(await idsOf(api)).toEqual([]);
    expect(await api.getQueue({ name: QUEUE })).toHaveProperty('purgeTime');
    for (const id of acknowledged) {
      await expect(api.createTask(task(id))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }
    await expectSoundFile();
  });

  test.each([
    ['before its row is written', [{ before: 'UPDATE queue SET name', nth: 2 }], 500],
    ['before its commit', [{ after: 'UPDATE queue SET name', nth: 2 }], 500],
    ['after its commit', [{ after: 'UPDATE queue SET name', nth: 2 }, COMMITTED], 3],
  ])('in the middle of a queue update, %s', async (_, steps, rate) => {
    const { acknowledged } = await crashAtVerb(steps, (api) =>
      api.updateQueue({ queue: { name: QUEUE, rateLimits: { maxDispatchesPerSecond: 3 } } }),
    );
    const api = await restart();
    const { rateLimits } = await api.getQueue({ name: QUEUE });
    expect(rateLimits.maxDispatchesPerSecond).toBe(rate);
    expect((await idsOf(api)).sort()).toEqual(acknowledged.sort());
    await expectSoundFile();
  });

  const DELETE = [
    'DELETE FROM request WHERE seq IN',
    'DELETE FROM task WHERE queue',
    'DELETE FROM tombstone WHERE queue = \\?$',
    'DELETE FROM queue WHERE id',
    'INSERT OR REPLACE INTO queue_tombstone',
  ];

  test.each(DELETE)('in the middle of a queue delete (after %s): it is there', async (after) => {
    const { acknowledged } = await crashAtVerb([{ after }], (api) =>
      api.deleteQueue({ name: QUEUE }),
    );
    const api = await restart();
    expect((await idsOf(api)).sort()).toEqual(acknowledged.sort());
    await expectSoundFile();
  });

  test('after the commit of a queue delete: it is gone, and its name is taken', async () => {
    const steps = [{ after: 'INSERT OR REPLACE INTO queue_tombstone' }, COMMITTED];
    await crashAtVerb(steps, (api) => api.deleteQueue({ name: QUEUE }));
    const api = await restart();
    await expect(api.getQueue({ name: QUEUE })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(newQueue(api)).rejects.toMatchObject({
      message: expect.stringContaining('existed too recently'),
    });
    await expectSoundFile();
  });

  /** Has tasks in the queue before the verb that it dies in. */
  async function crashAtVerb(
    steps: readonly Step[],
    verb: (api: CloudTasksApi) => Promise<unknown>,
  ): Promise<{ acknowledged: string[] }> {
    const enough = new Chance(seed).between(1, 60);
    let acknowledged: string[] = [];
    await crash(steps, async (api) => {
      await newQueue(api);
      ({ acknowledged } = await createTasks(api, { together: 10, enough }));
      await verb(api);
    });
    return { acknowledged };
  }

  test('in the middle of the first migration: the next start makes the tables', async () => {
    const step = {
      after: 'CREATE|PRAGMA (application_id|user_version = )',
      nth: new Chance(seed).between(1, 13),
    };
    const start = startEngineAlone(dataDir, CRASH_AT, { CRASH_AT: JSON.stringify([step]) });
    await expect(start).rejects.toThrow('It ended before it listened');
    const api = await restart();
    await newQueue(api);
    await api.createTask(task('first', { scheduleTime: Date.now() * 1000 + HOUR }));
    expect(await idsOf(api)).toEqual(['first']);
    await expectSoundFile();
  });

  test.each([
    ['before the new table', { before: 'CREATE TABLE value' }],
    ['before the new version', { after: 'CREATE TABLE value' }],
    ['before its commit', { after: 'PRAGMA user_version = 2' }],
    ['after its commit', { after: '^COMMIT$' }],
  ])('in the middle of the step from version 1, %s: the next start takes it', async (_, step) => {
    writeVersion1(database());
    const start = startEngineAlone(dataDir, CRASH_AT, { CRASH_AT: JSON.stringify([step]) });
    await expect(start).rejects.toThrow('It ended before it listened');
    const api = await restart();
    const parent = 'projects/local/locations/us-central1/queues';
    const waiting = (await everyTask(api, `${parent}/default`)).map(({ name }) => name);
    expect(waiting).toEqual([`${parent}/default/tasks/waiting`]);
    expect(await api.getTask({ name: `${parent}/paused/tasks/tried` })).toMatchObject({
      dispatchCount: 2,
    });
    await newQueue(api);
    await api.setIamPolicy({ resource: QUEUE, policy: { bindings: [] } });
    await expectSoundFile();
  });

  test('in the middle of a migration of what is there: all of it is as before', async () => {
    let api = await restart();
    await newQueue(api);
    const { acknowledged } = await createTasks(api, { together: 50, enough: 200 });
    await restarted?.close();

    const nth = new Chance(seed).between(1, 5);
    const migration = spawn(
      process.execPath,
      [
        ...CRASH_AT,
        ...['--import', './test/support/run-typescript.mjs'],
        ...['--input-type=module', '--eval', MIGRATION, database()],
      ],
      { env: { CRASH_AT: JSON.stringify([{ after: 'STEP', nth }]) }, stdio: 'inherit' },
    );
    expect(await once(migration, 'exit')).toEqual([null, 'SIGKILL']);

    api = await restart();
    expect((await idsOf(api)).sort()).toEqual(acknowledged.sort());
    await expectSoundFile();
  });

  test('in the middle of a checkpoint: nothing of what was acknowledged is missing', async () => {
    const chance = new Chance(seed);
    const steps: Step[] = [
      { after: '^COMMIT$', nth: 3 },
      { checkpoint: database(), spin: chance.between(0, 300) },
    ];
    let said = { asked: [''], acknowledged: [''] };
    await crash(steps, async (api) => {
      await newQueue(api);
      said = await createTasks(api, { together: 4, size: 20_000 });
    });
    copied.push(copiedHome(readFileSync(database()), readFileSync(`${database()}-wal`)));
    const ids = new Set(await idsOf(await restart()));
    expect(said.acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    expect(said.asked).toEqual(expect.arrayContaining([...ids]));
    await expectSoundFile();
  });
});

/** The parts of the log's pages that were in the database already. */
const copied: number[] = [];

afterAll(() => {
  const percents = copied.map((part) => `${Math.round(part * 100)} %`);
  console.log(`checkpoints cut off after ${percents.join(', ')} of their pages`);
});

/** A step as a later version may bring it, which rewrites every row. */
const MIGRATION = `
  import { DatabaseSync } from 'node:sqlite';
  import { migrate, schemaVersion } from './src/adapters/sqlite-schema.ts';
  const db = new DatabaseSync(process.argv[1]);
  const done = Array.from({ length: schemaVersion(db) }, () => '');
  migrate(db, [...done, \`
    /* STEP */ ALTER TABLE task ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    /* STEP */ UPDATE task SET priority = 1, state = '{}';
    /* STEP */ UPDATE request SET head = '{}';
    /* STEP */ DROP TABLE tombstone;
    /* STEP */ CREATE INDEX task_priority ON task (priority)
  \`]);
`;
