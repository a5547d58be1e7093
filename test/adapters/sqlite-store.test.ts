import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import { describeTaskStore } from '../contract/task-store.contract.js';
import { QUEUE, queueName, sampleQueue, sampleTask } from '../support/sample-records.js';
import { writeVersion1 } from './version-1.js';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true }));

function newFile(): string {
  return join(folder, `${++files}`, 'tasks.sqlite');
}

function openStore(file = newFile(), onCommit?: (writes: number) => void): SqliteStore {
  return new SqliteStore({
    file,
    onDamaged: ({ name, reason }) => {
      throw new Error(`${name}: ${reason}`);
    },
    ...(onCommit ? { onCommit } : {}),
  });
}

describeTaskStore('SqliteStore', () => openStore());

describe('a store that is opened again', () => {
  test('has everything that was there', async () => {
    const file = newFile();
    const before = openStore(file);
    await before.putQueue({ ...sampleQueue(), state: 'PAUSED', purgeTime: 7 });
    await before.putQueue(sampleQueue(queueName('gone')));
    await before.deleteQueue(queueName('gone'), 900);
    await before.createTask(sampleTask('done'), 0);
    const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await before.createTask(sampleTask('waiting', { body, scheduleTime: 5 }), 0);
    await before.removeTask(1, 800);
    await before.updateTask(2, ({ state }) => ({ ...state, dispatchCount: 3 }));
    const task = before.task(2);
    expect(task).toMatchObject({ id: 'waiting', state: { dispatchCount: 3 } });
    await before.close();

    const store = openStore(file);
    expect(store.queues()).toEqual([{ ...sampleQueue(), state: 'PAUSED', purgeTime: 7 }]);
    expect(store.queueTombstone(queueName('gone'))).toBe(900);
    expect(store.taskTombstone(QUEUE, 'done')).toBe(800);
    expect(store.task(2)).toEqual(task);
    expect(store.findTask(QUEUE, 'waiting')).toEqual(task);
    expect(store.tasks(QUEUE, 0, 10)).toEqual([task]);
    expect(store.due(QUEUE, undefined, 10)).toEqual([{ seq: 2, scheduleTime: 5 }]);
    expect(store.nextExpiry()).toBe(800);
    await store.close();
  });

  test('has everything also when the file was made by a build that knew version 1', async () => {
    const file = newFile();
    writeVersion1(file);
    const paused = queueName('paused');

    const store = openStore(file);
    expect(store.queues()).toEqual([sampleQueue(), { ...sampleQueue(paused), state: 'PAUSED' }]);
    expect(store.queueTombstone(queueName('gone'))).toBe(900);
    const body = new Uint8Array([1, 2, 3]);
    expect(store.tasks(QUEUE, 0, 10)).toEqual([
      { ...sampleTask('waiting', { scheduleTime: 5, body }), seq: 2 },
    ]);
    expect(store.due(QUEUE, undefined, 10)).toEqual([{ seq: 2, scheduleTime: 5 }]);
    expect(store.taskTombstone(QUEUE, 'done')).toBe(800);
    const tried = store.findTask(paused, 'tried');
    expect(tried?.state).toEqual({
      scheduleTime: 77,
      dispatchCount: 2,
      responseCount: 1,
      executionCount: 1,
      previousResponse: 503,
    });
    // What the later versions brought.
    await store.putValue('key', 'value');
    expect(await store.createTask(sampleTask('new'), 0)).toMatchObject({ created: { seq: 4 } });
    await store.close();

    const again = openStore(file);
    expect(again.value('key')).toBe('value');
    expect(again.findTask(paused, 'tried')).toEqual(tried);
    expect(again.tasks(QUEUE, 0, 10).map(({ id }) => id)).toEqual(['waiting', 'new']);
    await again.close();
  });

  test('gives no place twice, although the task that had the last one is gone', async () => {
    const file = newFile();
    const before = openStore(file);
    await before.putQueue(sampleQueue());
    await before.createTask(sampleTask('a'), 0);
    await before.createTask(sampleTask('b'), 0);
    await before.deleteQueue(QUEUE, 900);
    await before.close();

    const store = openStore(file);
    await store.putQueue(sampleQueue());
    expect(await store.createTask(sampleTask('a'), 0)).toMatchObject({ created: { seq: 3 } });
    await store.close();
  });
});

describe('writes that are called together', () => {
  test('are committed together', async () => {
    const commits: number[] = [];
    const store = openStore(newFile(), (writes) => commits.push(writes));
    await store.putQueue(sampleQueue());
    const creating = Array.from({ length: 100 }, (_, n) =>
      store.createTask(sampleTask(`t${n}`), 0),
    );
    await Promise.all([...creating, store.removeTask(1, 900), store.updateTask(2, (t) => t.state)]);
    expect(commits).toEqual([1, 102]);
    await store.close();
  });
});

describe('a full disk', () => {
  /** Real room for so many more pages, and no more; only the connection itself can be told. */
  function leaveRoom(store: SqliteStore, pages: number): void {
    const db = Reflect.get(store, 'db') as DatabaseSync;
    const { page_count: used } = db.prepare('PRAGMA page_count').get() ?? {};
    db.exec(`PRAGMA max_page_count = ${Number(used) + pages}`);
  }
  const large = (id: string) => sampleTask(id, { body: new Uint8Array(100_000) });

  test('rejects what has no room, keeps the rest, and goes on when there is room again', async () => {
    const store = openStore();
    await store.putQueue(sampleQueue());
    leaveRoom(store, 40);
    const outcomes = await Promise.allSettled([
      store.createTask(sampleTask('before'), 0),
      store.createTask(large('large-1'), 0),
      store.createTask(large('large-2'), 0),
      store.createTask(sampleTask('after'), 0),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      {
        status: 'rejected',
        reason: {
          code: 'UNAVAILABLE',
          message: "The task store can't write (database or disk is full): check its disk.",
        },
      },
      { status: 'fulfilled' },
    ]);
    expect(store.tasks(QUEUE, 0, 10).map(({ id }) => id)).toEqual(['before', 'large-1', 'after']);
    expect(store.findTask(QUEUE, 'large-2')).toBeUndefined();

    leaveRoom(store, 1000);
    expect(await store.createTask(large('large-2'), 0)).toMatchObject({
      created: large('large-2'),
    });
    await store.close();
  });

  test('takes back a queue that could not be put, also from memory', async () => {
    const store = openStore();
    await store.putQueue(sampleQueue());
    leaveRoom(store, 0);
    const long = queueName('x'.repeat(100_000));
    const outcomes = await Promise.allSettled([
      store.putQueue({ ...sampleQueue(), state: 'PAUSED' }),
      store.putQueue(sampleQueue(long)),
      store.deleteQueue(QUEUE, 5),
      store.putQueue(sampleQueue(long)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
    ]);
    expect(store.queues()).toEqual([]);
    expect(store.queueTombstone(QUEUE)).toBe(5);
    await store.close();
  });
});

test('a page of the list and of what is due is found by index, however many tasks wait', async () => {
  const store = openStore();
  await store.putQueue(sampleQueue());
  const db = Reflect.get(store, 'db') as DatabaseSync;
  const statements = Reflect.get(store, 'sql') as Record<string, { sourceSQL: string }>;
  const plan = (name: string) =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${statements[name]?.sourceSQL ?? ''}`)
      .all()
      .map(({ detail }) => detail);
  expect(plan('seqsAfter')).toEqual([
    'SEARCH task USING COVERING INDEX task_order (queue=? AND rowid>?)',
  ]);
  expect(plan('dueTogether')).toEqual([
    'SEARCH task USING COVERING INDEX task_due (queue=? AND schedule_time=? AND rowid>?)',
  ]);
  expect(plan('dueLater')).toEqual([
    'SEARCH task USING COVERING INDEX task_due (queue=? AND schedule_time>?)',
  ]);
  await store.close();
});
