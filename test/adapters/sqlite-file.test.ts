import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrate, SCHEMA_VERSION, schemaVersion } from '../../src/adapters/sqlite-schema.js';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import { sampleQueue, sampleTask } from '../support/sample-records.js';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-file-'));
let file: string;
let files = 0;

beforeEach(() => {
  file = join(folder, `${++files}`, 'tasks.sqlite');
  mkdirSync(join(folder, `${files}`));
});

afterAll(() => rmSync(folder, { recursive: true }));

function openStore(at = file): SqliteStore {
  return new SqliteStore({ file: at, onDamaged: () => undefined });
}

/** The one line that a person gets to read. */
function refusal(at = file): string {
  try {
    openStore(at);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${at} was opened`);
}

describe('a file that can be used', () => {
  test('is made with its folders, for this user only', async () => {
    const deep = join(folder, `${files}`, 'a', 'b', 'tasks.sqlite');
    const store = openStore(deep);
    await store.putQueue(sampleQueue());
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect([mode(deep), mode(`${deep}-wal`), mode(join(deep, '..'))]).toEqual([
      '600',
      '600',
      '700',
    ]);
    await store.close();
  });

  test('may be empty, as a crash at the very first start leaves it', async () => {
    writeFileSync(file, '');
    const store = openStore();
    await store.putQueue(sampleQueue());
    await store.close();
  });

  test('is served by one engine at a time', async () => {
    const store = openStore();
    expect(refusal()).toBe(
      `The task database ${file} is in use by another engine: stop that one, or give this one a folder of its own (DATA_DIR).`,
    );
    await store.putQueue(sampleQueue());
    await store.close();
    const next = openStore();
    expect(next.queues()).toEqual([sampleQueue()]);
    await next.close();
  });
});

describe('a file that can not be used is refused in one line, and left as it is:', () => {
  test('something else than a database', () => {
    writeFileSync(
      file,
      'not a database at all, just some text that somebody left here\n'.repeat(20),
    );
    const before = readFileSync(file);
    expect(refusal()).toBe(
      `The task database ${file} is damaged or not a database (file is not a database): restore a copy, or keep what is sound by npx nest-cloud-tasks engine recover --data ${join(file, '..')}.`,
    );
    expect(readFileSync(file)).toEqual(before);
  });

  test('a database of another application', () => {
    const foreign = new DatabaseSync(file);
    foreign.exec('CREATE TABLE customer (name TEXT)');
    foreign.close();
    const before = readFileSync(file);
    expect(refusal()).toBe(
      `${file} is a database of another application: move it away, or choose another folder (DATA_DIR).`,
    );
    expect(readFileSync(file)).toEqual(before);
  });

  test('a database of a newer version', async () => {
    await openStore().close();
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 3}`);
    db.close();
    expect(refusal()).toBe(
      `The task database ${file} was written by a newer nest-cloud-tasks (schema ${SCHEMA_VERSION + 3}, this one knows ${SCHEMA_VERSION}): update the package, or choose another folder (DATA_DIR).`,
    );
  });

  test('a database that lost its end', async () => {
    const store = openStore();
    await store.putQueue(sampleQueue());
    await store.createTask(sampleTask('a'), 0);
    await store.close();
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    expect(refusal()).toBe(
      `The task database ${file} is damaged or not a database (database disk image is malformed): restore a copy, or keep what is sound by npx nest-cloud-tasks engine recover --data ${join(file, '..')}.`,
    );
  });

  test('a table that lost a column', async () => {
    await openStore().close();
    const db = new DatabaseSync(file);
    db.exec('ALTER TABLE request RENAME COLUMN head TO heat');
    db.close();
    expect(refusal()).toMatch(/is damaged or not a database \(no such column: r\.head\)/);
    // Not kept open by the failed attempt.
    expect(refusal()).toMatch(/is damaged/);
  });

  test('a folder that can not be written', () => {
    chmodSync(folder, 0o755);
    const readOnly = join(folder, `${files}`);
    chmodSync(readOnly, 0o555);
    // Root may write anywhere, so it steps down for a moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      expect(refusal()).toBe(
        `The task database ${file} can't be written (EACCES): make its folder writable for this user, or choose another (DATA_DIR).`,
      );
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(readOnly, 0o755);
    }
  });

  test('a folder that is a file', () => {
    writeFileSync(file, '');
    expect(refusal(join(file, 'tasks.sqlite'))).toMatch(/can't be written \((ENOTDIR|EEXIST)\)/);
  });

  test('a folder in place of the file', () => {
    mkdirSync(file);
    expect(refusal()).toMatch(/can't be used \(unable to open database file\)/);
  });
});

describe('the schema', () => {
  test('is brought up step by step, and a step that fails leaves the one before', () => {
    const db = new DatabaseSync(':memory:');
    const first = 'CREATE TABLE a (x)';
    expect(() => migrate(db, [first, 'CREATE TABLE b (x); CREATE TABLE b (x)'])).toThrow(/exists/);
    expect(schemaVersion(db)).toBe(1);
    migrate(db, [first, 'CREATE TABLE b (x); CREATE TABLE c (x)']);
    expect(schemaVersion(db)).toBe(2);
    const tables = db.prepare('SELECT name FROM sqlite_schema ORDER BY name').all();
    expect(tables.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    db.close();
  });
});
