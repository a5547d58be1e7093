import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { recoverSqlite } from '../../src/adapters/sqlite-recover.js';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import type { DamagedRecord, StoredTask } from '../../src/engine/ports.js';
import { QUEUE, queueName, sampleJob, sampleQueue, sampleTask } from '../support/sample-records.js';
import { settled } from '../support/virtual-clock.js';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-damage-'));
const file = join(folder, 'tasks.sqlite');
let reports: DamagedRecord[];

beforeEach(async () => {
  rmSync(file, { force: true });
  reports = [];
  const store = openStore();
  await store.putQueue(sampleQueue());
  for (const [index, id] of ['a', 'b', 'c'].entries()) {
    const body = new TextEncoder().encode(`body of ${id}`);
    await store.createTask(sampleTask(id, { scheduleTime: 10 * (index + 1), body }), 0);
  }
  await store.close();
});

afterAll(() => rmSync(folder, { recursive: true }));

function openStore(): SqliteStore {
  return new SqliteStore({ file, onDamaged: (record) => reports.push(record) });
}

/** As a failing disk would, behind the store's back; the checksums stay as they were. */
function damage(sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

/** Changes a task's id in its row and not in the index, which SQL would change along. */
function damageIdInRow(id: string, to: string): void {
  const text = readFileSync(file, 'latin1');
  const row = new RegExp(`${id}(?=.{1,8}\\{"scheduleTime")`, 's');
  if (!row.test(text)) throw new Error(`no row of ${id} in the file`);
  writeFileSync(file, text.replace(row, to), 'latin1');
}

const ids = (store: SqliteStore) => store.tasks(QUEUE, 0, 10).map(({ id }) => id);
const damagedRows = () => {
  const db = new DatabaseSync(file);
  const rows = db.prepare('SELECT kind, name, reason, seq FROM damaged').all();
  db.close();
  return rows;
};

describe('a damaged task is set aside, reported once, and never returned:', () => {
  test.each([
    [
      'its state',
      `UPDATE task SET state = replace(state, '"dispatchCount":0', '"dispatchCount":1') WHERE id = 'b'`,
      'wrong checksum of state',
    ],
    [
      'its state, of another type',
      "UPDATE task SET state = '7' WHERE id = 'b'",
      'wrong checksum of state',
    ],
    [
      'its time in the index',
      "UPDATE task SET schedule_time = 11 WHERE id = 'b'",
      'wrong schedule time',
    ],
    ['its id', "UPDATE task SET id = 'B' WHERE id = 'b'", 'wrong checksum of request'],
    [
      'its URL',
      "UPDATE request SET head = replace(head, 'example.com', 'example.org') WHERE seq = 2",
      'wrong checksum of request',
    ],
    [
      'its body',
      "UPDATE request SET body = CAST('body of B' AS BLOB) WHERE seq = 2",
      'wrong checksum of body',
    ],
    ['its body, gone', 'UPDATE request SET body = NULL WHERE seq = 2', 'wrong checksum of body'],
    ['its request, gone', 'DELETE FROM request WHERE seq = 2', 'wrong checksum of request'],
    [
      'a number that JavaScript cannot read',
      'UPDATE task SET checksum = 9223372036854775807 WHERE seq = 2',
      'Value is too large to be represented as a JavaScript number: 9223372036854775807',
    ],
  ])('%s', async (_, sql, reason) => {
    damage(sql);
    const store = openStore();
    expect(store.task(2)).toBeUndefined();
    expect(store.task(2)).toBeUndefined();
    expect(ids(store)).toEqual(['a', 'c']);
    await settled();
    expect(reports).toEqual([
      { kind: 'task', name: expect.stringMatching(/queues\/default\/tasks\/[bB]$/), reason },
    ]);
    expect(store.due(QUEUE, undefined, 10).map(({ seq }) => seq)).toEqual([1, 3]);
    // Its name is free again.
    expect(await store.createTask(sampleTask('b'), 0)).toMatchObject({ created: { id: 'b' } });
    await store.close();
    expect(damagedRows()).toMatchObject([{ kind: 'task', reason, seq: 2 }]);
  });

  test.each([
    [
      'what its owner said',
      `UPDATE job SET head = replace(head, '"0 3', '"1 3')`,
      'wrong checksum of job',
    ],
    ['its body', `UPDATE job SET body = x'00'`, 'wrong checksum of body'],
    ['its state', `UPDATE job_state SET state = '{"executions":7}'`, 'wrong checksum of job-state'],
    ['its state, gone', 'DELETE FROM job_state', 'wrong checksum of job-state'],
  ])('a job that is not what was put: %s', async (_, sql, reason) => {
    const before = openStore();
    await before.putJob(sampleJob('nightly'));
    await before.close();
    damage(sql);
    const store = openStore();
    expect(store.jobs()).toEqual([]);
    await settled();
    expect(reports).toEqual([
      { kind: 'job', name: expect.stringMatching(/jobs\/nightly$/), reason },
    ]);
    await store.putJob(sampleJob('nightly'));
    expect(store.jobs()).toEqual([sampleJob('nightly')]);
    await store.close();
    expect(damagedRows()).toMatchObject([{ kind: 'job', reason }]);
  });

  test('a recovery keeps the jobs that are sound, and names the others', async () => {
    const before = openStore();
    await before.putJob(sampleJob('sound'));
    await before.putJob(sampleJob('damaged'));
    await before.close();
    damage(`UPDATE job SET head = replace(head, '"0 3', '"1 3') WHERE name LIKE '%damaged'`);
    const { lost, kept } = recoverSqlite(file, new Date(0));
    expect(kept).toMatchObject({ queues: 1, tasks: 3 });
    expect(lost).toEqual([
      { kind: 'job', name: sampleJob('damaged').job.name, reason: 'wrong checksum of job' },
    ]);
    const after = openStore();
    expect(after.jobs()).toEqual([sampleJob('sound')]);
    await after.close();
  });

  test('a value that is not what was put, which is then as if it was never there', async () => {
    const before = openStore();
    await before.putValue('key', 'as it was put');
    await before.close();
    damage("UPDATE value SET text = replace(text, 'put', 'PUT')");
    const store = openStore();
    expect([store.value('key'), store.value('key')]).toEqual([undefined, undefined]);
    await settled();
    expect(reports).toEqual([{ kind: 'value', name: 'key', reason: 'wrong checksum of value' }]);
    await store.putValue('key', 'again');
    expect(store.value('key')).toBe('again');
    await store.close();
    expect(damagedRows()).toMatchObject([{ kind: 'value', name: 'key' }]);
  });

  test('two that changed places', async () => {
    damage(`UPDATE request SET seq = 99 WHERE seq = 1; UPDATE request SET seq = 1 WHERE seq = 2;
      UPDATE request SET seq = 2 WHERE seq = 99`);
    const store = openStore();
    expect(ids(store)).toEqual(['c']);
    await settled();
    expect(reports.map(({ name }) => name.slice(-1))).toEqual(['a', 'b']);
    await store.close();
  });

  test('one that is met by an update', async () => {
    damage(`UPDATE task SET state = '{}' WHERE seq = 2`);
    const store = openStore();
    const change = () => {
      throw new Error('asked');
    };
    expect(await store.updateTask(2, change)).toBeUndefined();
    await settled();
    expect(reports).toMatchObject([{ reason: 'wrong checksum of state' }]);
    await store.close();
  });

  test('one whose request is met by an update', async () => {
    damage(`UPDATE request SET head = '{}' WHERE seq = 2`);
    const store = openStore();
    expect(
      await store.updateTask(2, ({ state, request }) => ({
        ...state,
        executionCount: request.httpRequest ? 1 : 2,
      })),
    ).toBeUndefined();
    await settled();
    expect(reports).toMatchObject([{ reason: 'wrong checksum of request' }]);
    await store.close();
  });

  test('one of a page, which is filled from behind it', async () => {
    damage(`UPDATE task SET state = '{}' WHERE seq = 1`);
    const store = openStore();
    expect(store.tasks(QUEUE, 0, 2).map(({ id }) => id)).toEqual(['b', 'c']);
    await store.close();
  });

  test('one that no longer fits its index, which is rebuilt', async () => {
    damageIdInRow('b', 'B');
    const store = openStore();
    expect(store.findTask(QUEUE, 'b')).toBeUndefined();
    await settled();
    expect(reports).toMatchObject([{ kind: 'task', reason: 'wrong checksum of request' }]);
    expect(ids(store)).toEqual(['a', 'c']);
    expect(store.due(QUEUE, undefined, 10).map(({ seq }) => seq)).toEqual([1, 3]);
    expect(await store.createTask(sampleTask('b'), 0)).toHaveProperty('created');
    await store.close();
    expect(damagedRows()).toHaveLength(1);
  });
});

describe('a damaged queue', () => {
  test('is set aside and reported, and has its tasks back once it is put again', async () => {
    damage(`UPDATE queue SET config = replace(config, 'RUNNING', 'PAUSED')`);
    const store = openStore();
    expect(store.queues()).toEqual([]);
    expect(store.task(1)).toBeUndefined();
    await settled();
    expect(reports).toEqual([{ kind: 'queue', name: QUEUE, reason: 'wrong checksum of queue' }]);
    await store.close();

    const again = openStore();
    expect(again.queues()).toEqual([]);
    await again.putQueue(sampleQueue());
    expect(ids(again)).toEqual(['a', 'b', 'c']);
    expect(again.task(1)?.queue).toBe(QUEUE);
    expect(reports).toHaveLength(1);
    await again.close();
    expect(damagedRows()).toMatchObject([{ kind: 'queue', name: QUEUE }]);
  });

  test('whose name alone is damaged keeps the one in its configuration', async () => {
    damage(`UPDATE queue SET name = '${queueName('wrong')}'`);
    const store = openStore();
    expect(store.queues()).toEqual([sampleQueue()]);
    expect(ids(store)).toEqual(['a', 'b', 'c']);
    await store.close();
  });
});

describe('any flipped bit of the file', () => {
  test('lets no task and no queue come out other than it went in', async () => {
    const before = openStore();
    for (let n = 0; n < 20; n++) {
      const body = new Uint8Array(n * 97).fill(n);
      await before.createTask(sampleTask(`task-${n}`, { scheduleTime: n % 5, body }), 0);
    }
    const originals = new Map(before.tasks(QUEUE, 0, 100).map((task) => [task.seq, task]));
    await before.close();
    const clean = readFileSync(file);

    await fc.assert(
      fc.asyncProperty(fc.nat(clean.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(clean);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        writeFileSync(file, bytes);
        rmSync(`${file}-wal`, { force: true });
        const store = openedOrRefused();
        if (!store) return;
        const read = [
          ...store.tasks(QUEUE, 0, 100),
          ...store.due(QUEUE, undefined, 100).map(({ seq }) => store.task(seq)),
          ...[...originals.values()].map(({ id }) => store.findTask(QUEUE, id)),
        ].filter((task): task is StoredTask => task !== undefined);
        const wrong = read.filter((task) => !isDeepStrictEqual(task, originals.get(task.seq)));
        expect(wrong).toEqual([]);
        for (const queue of store.queues()) expect(queue).toEqual(sampleQueue());
        await store.close();
      }),
      { numRuns: 200 },
    );
  });

  function openedOrRefused(): SqliteStore | undefined {
    try {
      return openStore();
    } catch (error) {
      expect((error as Error).message).toMatch(/^[\x20-\x7e]*tasks\.sqlite[\x20-\x7e]*\.$/);
      return undefined;
    }
  }
});
