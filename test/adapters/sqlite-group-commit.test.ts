import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DatabaseSync } from 'node:sqlite';
import { GroupCommit } from '../../src/adapters/sqlite-group-commit.js';

let db: DatabaseSync;
let commits: GroupCommit;
let committed: number[];
let undone: number;
let cure: () => boolean;

beforeEach(() => {
  db = new DatabaseSync(':memory:');
  // A row without a parent is found out by COMMIT, not before.
  db.exec(`
    CREATE TABLE kept (number INTEGER PRIMARY KEY);
    CREATE TABLE child (parent INTEGER REFERENCES kept DEFERRABLE INITIALLY DEFERRED);
  `);
  committed = [];
  undone = 0;
  cure = () => false;
  commits = new GroupCommit(db, {
    committed: (writes) => committed.push(writes),
    undone: () => undone++,
    cured: () => cure(),
  });
});

afterEach(() => {
  if (db.isOpen) db.close();
});

const insert = (number: number) => () => {
  db.prepare('INSERT INTO kept VALUES (?)').run(number);
  return number;
};
const fail = () => {
  throw new Error('no');
};
const kept = () =>
  db
    .prepare('SELECT number FROM kept ORDER BY number')
    .all()
    .map(({ number }) => number);

test('writes of one turn make one commit, and resolve to what they returned', async () => {
  const results = await Promise.all([1, 2, 3].map((n) => commits.write(insert(n))));
  expect(results).toEqual([1, 2, 3]);
  expect(committed).toEqual([3]);
});

test('nothing is there before the turn ends', async () => {
  const writing = commits.write(insert(1));
  expect(kept()).toEqual([]);
  await writing;
  expect(kept()).toEqual([1]);
});

test('what is called while a group is applied goes with the next', async () => {
  let inner: Promise<number> | undefined;
  await commits.write(() => {
    inner = commits.write(insert(2));
    return insert(1)();
  });
  expect(kept()).toEqual([1]);
  await inner;
  expect(kept()).toEqual([1, 2]);
  expect(committed).toEqual([1, 1]);
});

test.each([0, 1, 50, 98, 99])('of a hundred only the %ith fails, which fails', async (bad) => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, n) => commits.write(n === bad ? fail : insert(n))),
  );
  const rejected = outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []));
  expect(rejected).toEqual([bad]);
  expect(kept()).toEqual(Array.from({ length: 100 }, (_, n) => n).filter((n) => n !== bad));
  // Found by halves, not one by one.
  expect(committed.length).toBeLessThanOrEqual(7);
  expect(undone).toBeLessThanOrEqual(8);
});

test('a write that fails half way leaves nothing, and order is kept around it', async () => {
  const seen: unknown[][] = [];
  const look = () => void seen.push(kept());
  const outcomes = await Promise.allSettled([
    commits.write(insert(1)),
    commits.write(() => {
      insert(7)();
      insert(7)();
    }),
    commits.write(look),
    commits.write(insert(2)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
  expect(seen.at(-1)).toEqual([1]);
  expect(kept()).toEqual([1, 2]);
});

test('when the commit fails, all of the group are rejected and none applied', async () => {
  const orphan = () => void db.prepare('INSERT INTO child VALUES (99)').run();
  const outcomes = await Promise.allSettled([
    commits.write(insert(1)),
    commits.write(orphan),
    commits.write(insert(2)),
  ]);
  expect(outcomes).toMatchObject(
    Array.from({ length: 3 }, () => ({ status: 'rejected', reason: { code: 'UNAVAILABLE' } })),
  );
  expect(kept()).toEqual([]);
  expect(committed).toEqual([]);
  expect(undone).toBe(1);

  expect(await commits.write(insert(3))).toBe(3);
  expect(kept()).toEqual([3]);
});

test('a cure lets a write that failed alone run again', async () => {
  let broken = true;
  cure = () => {
    broken = false;
    return true;
  };
  expect(await commits.write(() => (broken ? fail() : 'cured'))).toBe('cured');
});

test('a flush commits at once; after the end writes are refused', async () => {
  const writing = commits.write(insert(1));
  commits.flush();
  expect(kept()).toEqual([1]);
  expect(await writing).toBe(1);
  db.close();
  await expect(commits.write(insert(2))).rejects.toMatchObject({ message: 'The store is closed.' });
});
