// The lineage survives its headers, is read strictly, and names each task of it just once.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { VerifiedRequest } from '../../../src/modules/auth/task-guard.js';
import type { Lineage } from '../../../src/modules/dead-letters/lineage.js';
import {
  hopTaskId,
  lineageHeaders,
  lineageOf,
  lineageOfTask,
  newLineage,
  parkedTaskId,
  redriven,
  successor,
  uidOfName,
  withoutLineage,
} from '../../../src/modules/dead-letters/lineage.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const ARRIVED = 1_800_000_000_000_000;
const clock = new VirtualClock(ARRIVED);
const verified: VerifiedRequest = { headers: 'x-cloudtasks', arrivedAt: ARRIVED, clock };

const count = fc.nat({ max: 999_999_999 });
const lineages: fc.Arbitrary<Lineage> = fc.record({
  uid: fc.uuid(),
  hop: count,
  redrive: count,
  earlierAttempts: count,
  firstAttempt: fc.integer({ min: 0, max: 4e15 }),
});

test('a lineage that went through the headers of a request is the same', () => {
  fc.assert(
    fc.property(lineages, (lineage) => {
      expect(lineageOf(delivery(lineageHeaders(lineage)), verified)).toEqual(lineage);
    }),
  );
});

test('a lineage that went through the headers of a task is the same', () => {
  fc.assert(
    fc.property(lineages, (lineage) => {
      const fallback = { uid: 'x', firstAttempt: 0 };
      expect(lineageOfTask(lineageHeaders(lineage), fallback)).toEqual(lineage);
    }),
  );
});

test('a task without a lineage has the hash of its name for a uid', () => {
  expect(lineageOf(delivery({}), verified)).toEqual({
    uid: uidOfName('mail', 'welcome-42'),
    hop: 0,
    redrive: 0,
    earlierAttempts: 0,
    firstAttempt: ARRIVED,
  });
  expect(uidOfName('mail', 'welcome-42')).not.toBe(uidOfName('mail', 'welcome-43'));
});

test.each([
  ['X-Tasks-Uid', 'short'],
  ['X-Tasks-Uid', 'a/b/c/d/e/f/g/h/i/j/k'],
  ['X-Tasks-Hop', '-1'],
  ['X-Tasks-Hop', '1e3'],
  ['X-Tasks-Earlier-Attempts', '99999999999'],
  ['X-Tasks-First-Attempt', 'yesterday'],
])('%s of %p counts for nothing', (name, value) => {
  expect(lineageOf(delivery({ [name]: value }), verified)).toEqual(
    lineageOf(delivery({}), verified),
  );
});

test('a header that came twice is none', () => {
  const twice = { headersDistinct: { 'x-tasks-hop': ['1', '2'] } };
  expect(lineageOf(twice, verified).hop).toBe(0);
});

test('a new task has a lineage of its own, and says nothing that is 0', () => {
  const lineage = newLineage(ARRIVED);
  expect(newLineage(ARRIVED).uid).not.toBe(lineage.uid);
  expect(lineageHeaders(lineage)).toEqual({
    'X-Tasks-Uid': lineage.uid,
    'X-Tasks-First-Attempt': '1800000000',
  });
});

test('a successor counts on; a redriven task starts to count its attempts anew', () => {
  const first = newLineage(ARRIVED);
  const second = successor(first, 3);
  expect(second).toEqual({ ...first, hop: 1, earlierAttempts: 3 });
  expect(successor(second, 1)).toEqual({ ...first, hop: 2, earlierAttempts: 4 });
  expect(redriven(second)).toEqual({ ...first, hop: 2, redrive: 1 });
});

test('no two tasks of a lineage, and none of two, share a name', () => {
  const one = newLineage(ARRIVED);
  const next = successor(one, 1);
  const tasks = [one, next, redriven(next), successor(redriven(next), 1), newLineage(ARRIVED)];
  const names = tasks.flatMap((lineage) => [hopTaskId(lineage), parkedTaskId(lineage)]);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9-]{64,80}$/);
});

test('the rest of the headers stays when the lineage goes', () => {
  const headers = { Accept: 'x', ...lineageHeaders(redriven(newLineage(1))), 'x-tasks-hop': '1' };
  expect(withoutLineage(headers)).toEqual({ Accept: 'x' });
});

function delivery(headers: Readonly<Record<string, string>>) {
  const all = {
    'X-CloudTasks-QueueName': 'mail',
    'X-CloudTasks-TaskName': 'welcome-42',
    // Not of the kind that was verified.
    'X-AppEngine-TaskName': 'forged',
    ...headers,
  };
  return {
    headersDistinct: Object.fromEntries(
      Object.entries(all).map(([name, value]) => [name.toLowerCase(), [value]]),
    ),
  };
}
