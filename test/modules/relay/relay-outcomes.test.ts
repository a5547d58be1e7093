/** What becomes of a call by how its target answers: kept, given up, or tried again. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RelayRecord } from '../../../src/modules/relay/relay-status.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp } from './relay-bench.js';
import { sha256, startRelay, Target } from './relay-bench.js';

let target: Target;
let special: Target;
let app: RelayApp;

beforeAll(async () => {
  [target, special] = await Promise.all([Target.start(), Target.start()]);
  app = await startRelay([
    { origin: target.url },
    { origin: special.url, permanent: [503], transient: [404, 301] },
  ]);
});

afterAll(async () => {
  await closeApps();
  await Promise.all([target.close(), special.close()]);
});

beforeEach(() => {
  target.seen.length = special.seen.length = 0;
});

async function relayed(
  status: number,
  headers: Record<string, string> = {},
  options: { maxAttempts?: number; to?: Target } = {},
): Promise<RelayRecord> {
  const { to = target, ...rest } = options;
  to.answer = ({ response }) => response.writeHead(status, headers).end('an answer');
  const over = app.attempt();
  const { id } = await app.relay.call({ url: to.url, payload: {} }, rest);
  await over;
  return app.relay.status(id);
}

async function letter(message: string) {
  const letters = [];
  for await (const each of app.app.get(DeadLetters).list()) letters.push(each);
  return letters.find((each) => each.message.includes(message));
}

test.each([200, 201, 202, 204, 299])('%d is done, and its answer is kept', async (status) => {
  const record = await relayed(status, { 'X-From': 'target', 'Set-Cookie': 'a=b' });
  const body = status === 204 ? '' : 'an answer';
  expect(record).toMatchObject({
    state: 'done',
    attempts: 1,
    answer: {
      status,
      body: Buffer.from(body).toString('base64'),
      bytes: body.length,
      sha256: sha256(body),
      truncated: false,
    },
  });
  expect(record.answer?.headers['x-from']).toBe('target');
  expect(record.answer?.headers['set-cookie']).toBeUndefined();
  expect(await app.tasks()).toEqual([]);
});

test.each([
  ...[300, 301, 302, 303, 304, 307, 308].map((status) => [status, 'unexpected-redirect'] as const),
  ...[400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 422, 423, 451].map(
    (status) => [status, 'refused'] as const,
  ),
  ...[501, 505].map((status) => [status, 'refused'] as const),
])('%d is given up: %s', async (status, reason) => {
  const record = await relayed(status, { Location: 'http://169.254.169.254/' });
  expect(record).toMatchObject({ state: 'dead', reason, attempts: 1, answer: { status } });
  expect(await letter(`${status}`)).toMatchObject({ reason });
  expect(target.seen).toHaveLength(1);
  expect(await app.tasks()).toEqual([]);
});

describe('tried again', () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 507, 599, 600, 999])(
    '%d by the queue',
    async (status) => {
      const record = await relayed(status);
      expect(record).toMatchObject({ state: 'accepted', attempts: 1 });
      const [task] = await app.tasks();
      expect(task?.lastAttempt?.responseStatus?.code).not.toBe(0);
      await app.relay.cancel(record.id);
      expect(await app.tasks()).toEqual([]);
    },
  );

  test.each([408, 425, 429, 503])(
    '%d with Retry-After as a task of that time, which leaves the queue alone',
    async (status) => {
      const record = await relayed(status, { 'Retry-After': '3600' });
      expect(record).toMatchObject({ state: 'accepted' });
      const wait = (record.scheduleTime?.getTime() ?? 0) - Date.now();
      expect(wait).toBeGreaterThan(3_500_000);
      expect(wait).toBeLessThan(3_700_000);
      const [task, ...more] = await app.tasks();
      expect(more).toEqual([]);
      expect(task?.dispatchCount).toBe(0);
      // The successor makes the second attempt of the same call.
      target.answer = ({ response }) => response.end('at last');
      const over = app.attempt();
      await app.api.runTask({ name: task?.name ?? '' });
      await over;
      expect(await app.relay.status(record.id)).toMatchObject({ state: 'done', attempts: 2 });
      const keys = target.seen.map(({ headers }) => headers['idempotency-key']);
      expect(new Set(keys)).toEqual(new Set([`"${record.id}"`]));
      expect(target.seen.map(({ headers }) => headers['x-relay-attempt'])).toEqual(['1', '2']);
    },
  );

  test('until the last attempt', async () => {
    const record = await relayed(500, {}, { maxAttempts: 1 });
    expect(record).toMatchObject({ state: 'dead', reason: 'exhausted', attempts: 1 });
    expect(record.message).toBe('Attempt 1 of 1 failed: The target answered 500.');
    expect(await letter('Attempt 1 of 1')).toMatchObject({ reason: 'exhausted' });
  });
});

test('the rule of an origin says otherwise', async () => {
  expect(await relayed(503, {}, { to: special })).toMatchObject({ state: 'dead' });
  const again = await relayed(404, { 'Retry-After': '60' }, { to: special });
  expect(again.state).toBe('accepted');
  expect(again.scheduleTime?.getTime()).toBeGreaterThan(Date.now() + 50_000);
  expect(await relayed(301, {}, { to: special })).toMatchObject({ state: 'accepted' });
});

test('a dead letter that is redriven is called anew, and its record is that of the last run', async () => {
  const record = await relayed(499);
  expect(record.state).toBe('dead');
  target.answer = ({ response }) => response.end('there now');
  const dead = await letter('499');
  const over = app.attempt();
  for await (const { error } of app.app.get(DeadLetters).redrive({ task: dead?.name })) {
    expect(error).toBeUndefined();
  }
  await over;
  expect(await app.relay.status(record.id)).toMatchObject({ state: 'done', attempts: 1 });
  expect(target.seen).toHaveLength(2);
});
