/** What a signature of a task covers, and for how long. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DAY, HOUR, SECOND } from '../../../src/engine/time.js';
import type { Enveloped } from '../../../src/modules/auth/envelope.js';
import { Envelope, ENVELOPE_HEADER, hashOf } from '../../../src/modules/auth/envelope.js';

const NOW = Date.UTC(2026, 0, 1) * 1000;
const secret = 'current-secret-of-the-envelope-012345';
const previous = 'previous-secret-of-the-envelope-01234';
const envelope = new Envelope({ secret });
const body = Buffer.from('{"to":"a@example.com"}');

const TASK = {
  queue: 'mail',
  taskId: 'task-1',
  method: 'POST',
  path: '/tasks/send?kind=welcome',
  headers: [
    ['Content-Type', 'application/json'],
    ['X-Tasks-Uid', 'u1'],
    ['X-Tasks-Max-Attempts', '3'],
  ],
} satisfies Enveloped;

const sealed = envelope.seal(TASK, body, NOW);
const isOpened = (task: Enveloped, value: string | undefined = sealed, now = NOW) =>
  'bodyHash' in envelope.open(task, value, now);

test('is opened for the task that it was made for, and tells its body’s hash', () => {
  expect(envelope.open(TASK, sealed, NOW)).toEqual({ bodyHash: hashOf(body) });
});

test('does not mind what proxies may change: order and case of names, other headers', () => {
  const headers = [
    ['x-tasks-max-attempts', '3'],
    ['via', '1.1 google'],
    ['x-tasks-uid', 'u1'],
    [ENVELOPE_HEADER, sealed],
  ] as const;
  expect(isOpened({ ...TASK, headers })).toBe(true);
});

test('takes a path as a client of HTTP puts it on the wire', () => {
  const written = envelope.seal({ ...TASK, path: '/tasks/ü?q=a b' }, body, NOW);
  expect(isOpened({ ...TASK, path: '/tasks/%C3%BC?q=a%20b' }, written)).toBe(true);
});

test.each<[string, Partial<Enveloped>]>([
  ['another queue', { queue: 'mail2' }],
  ['another task', { taskId: 'task-2' }],
  ['another method', { method: 'PUT' }],
  ['another path', { path: '/tasks/delete?kind=welcome' }],
  ['another query', { path: '/tasks/send?kind=other' }],
  ['the path in another case', { path: '/Tasks/send?kind=welcome' }],
  ['a header of ours less', { headers: TASK.headers.slice(0, 2) }],
  ['a header of ours more', { headers: [...TASK.headers, ['X-Tasks-Hop', '1']] }],
  ['a header of ours twice', { headers: [...TASK.headers, ['x-tasks-uid', 'u1']] }],
  ['another value', { headers: [['X-Tasks-Uid', 'u2'], ...TASK.headers.slice(2)] }],
  ['parts that meet elsewhere', { queue: 'mailt', taskId: 'ask-1' }],
])('is not that of %s', (_, changes) => {
  expect(isOpened({ ...TASK, ...changes })).toBe(false);
});

test('is nothing when any letter of it is changed, left out or added', () => {
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === 'A' ? 'B' : 'A';
    expect(isOpened(TASK, sealed.slice(0, at) + other + sealed.slice(at + 1))).toBe(false);
    expect(isOpened(TASK, sealed.slice(0, at) + sealed.slice(at + 1))).toBe(false);
  }
  for (const wrong of ['', `${sealed}A`, ` ${sealed}`, `${sealed}, ${sealed}`, 'v1...']) {
    expect(isOpened(TASK, wrong)).toBe(false);
  }
  expect(envelope.open(TASK, undefined, NOW)).toHaveProperty('problem');
});

test('no two lists of parts make one text', () => {
  const part = fc.stringMatching(/^[a-z:0-9]{0,6}$/);
  const task = fc.record({ queue: part, taskId: part, method: part });
  fc.assert(
    fc.property(task, task, (one, other) => {
      const value = envelope.seal({ ...TASK, ...one }, body, NOW);
      const same = JSON.stringify(one) === JSON.stringify(other);
      expect(isOpened({ ...TASK, ...other }, value)).toBe(same);
    }),
  );
});

describe('as time goes by', () => {
  test('it holds for as long as Cloud Tasks keeps a task, and no longer', () => {
    expect(isOpened(TASK, sealed, NOW + 31 * DAY)).toBe(true);
    expect(isOpened(TASK, sealed, NOW + 31 * DAY + HOUR)).toBe(true);
    expect(isOpened(TASK, sealed, NOW + 31 * DAY + HOUR + SECOND)).toBe(false);
  });

  test('the secret before it is accepted, and signs nothing', () => {
    const rotated = new Envelope({ secret, previous });
    const old = new Envelope({ secret: previous });
    expect(rotated.open(TASK, old.seal(TASK, body, NOW), NOW)).toHaveProperty('bodyHash');
    expect(rotated.open(TASK, sealed, NOW)).toHaveProperty('bodyHash');
    expect(rotated.seal(TASK, body, NOW)).toBe(sealed);
    expect(old.open(TASK, sealed, NOW)).toHaveProperty('problem');
  });
});

test('44: what is wrong is told without the secret or the right signature', () => {
  const guess = sealed.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  const told = JSON.stringify(envelope.open(TASK, guess, NOW));
  expect(told).toContain('another task');
  expect(told).not.toContain(secret);
  expect(told).not.toContain(sealed.slice(-20));
});
