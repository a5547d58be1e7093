/** The endpoints of the relay: who may ask for a call, see it, cancel it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeKey } from '../../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../../src/modules/producer/key-file.js';
import { TestApp } from '../../support/test-app.js';

const folder = mkdtempSync(join(tmpdir(), 'relay-keys-'));
const keys = { mine: '', mineToo: '', others: '', internal: '' };
let app: TestApp;

beforeAll(async () => {
  const records = Object.entries({
    mine: ['me', true],
    mineToo: ['me', true],
    others: ['others', true],
    internal: ['internal', false],
  } as const).map(([name, [client, external]]) => {
    const { key, record } = makeKey({ client, external, rate: 6000 }, new Date());
    keys[name as keyof typeof keys] = key;
    return [record.id, record] as const;
  });
  writeKeyFile(join(folder, 'keys.json'), new Map(records));
  app = await TestApp.start({
    PRODUCER_AUTH: 'api-key',
    PRODUCER_KEYS_FILE: join(folder, 'keys.json'),
  });
  await app.api.pauseQueue({ name: app.queueName() });
});

afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

function send(method: string, path: string, key: string, body?: object, headers = {}) {
  const all = { 'content-type': 'application/json', 'x-api-key': key, ...headers };
  return app.send(method, path, body, all);
}

async function asked(more: object = {}, headers = {}) {
  const body = { url: 'http://127.0.0.1:9/', payload: 'x', ...more };
  return send('POST', '/add_task_relay', keys.mine, body, headers);
}

test('a call is enqueued with all that is asked of it', async () => {
  const answer = await asked({ timeout: '25m', taskId: 'named', countdown: '1h', maxAttempts: 3 });
  expect(answer.status).toBe(202);
  const [task] = await app.tasks();
  const body = JSON.parse(Buffer.from(task?.httpRequest?.body ?? '').toString()) as object;
  expect(task?.name).toMatch(/\/named$/);
  expect(task?.dispatchDeadline).toBe((25 * 60 + 30) * 1_000_000);
  expect(body).toMatchObject({ url: 'http://127.0.0.1:9/', maxAttempts: 3, owner: 'me' });
});

test('a request that is sent again under its Idempotency-Key is one call', async () => {
  const headers = { 'idempotency-key': 'again' };
  const [one, two] = [await asked({}, headers), await asked({}, headers)];
  expect(two.json).toEqual(one.json);
});

describe('a record', () => {
  let id: string;

  beforeAll(async () => {
    ({ id } = (await asked()).json as { id: string });
  });

  test.each(['mine', 'mineToo'] as const)('is shown to its client, by key %s', async (name) => {
    const { status, json } = await send('GET', `/relay/${id}`, keys[name]);
    expect([status, json]).toMatchObject([200, { id, state: 'accepted' }]);
  });

  test.each(['GET', 'DELETE'])('is nothing to others: %s', async (method) => {
    const answer = await send(method, `/relay/${id}`, keys.others);
    const unknown = await send(method, `/relay/${'0'.repeat(64)}`, keys.others);
    expect([answer.status, answer.json]).toEqual([404, unknown.json]);
  });

  test('takes a credential, and an id', async () => {
    expect((await send('GET', `/relay/${id}`, '')).status).toBe(401);
    expect((await send('GET', '/relay/1', keys.mine)).status).toBe(400);
  });

  test('of a call that is cancelled says so, also the second time, and its task is gone', async () => {
    const before = (await app.tasks()).length;
    for (let time = 0; time < 2; time++) {
      const { status, json } = await send('DELETE', `/relay/${id}`, keys.mine);
      expect([status, json]).toMatchObject([200, { id, state: 'cancelled' }]);
    }
    expect(await app.tasks()).toHaveLength(before - 1);
  });
});

test.each<[string, object, number, string]>([
  ['no url', { url: undefined }, 400, 'url'],
  ['another machine', { url: 'https://api.example.com/' }, 403, 'url'],
  ['an unknown field', { urls: 1 }, 400, 'urls'],
  ['a number as timeout', { timeout: 7200 }, 400, 'timeout'],
  ['a day and a bit', { timeout: '25h' }, 400, 'timeout'],
  [
    'a deadline before the timeout',
    { timeout: '60s', dispatchDeadline: '60s' },
    400,
    'dispatchDeadline',
  ],
  ['a payload with GET', { method: 'GET' }, 400, 'payload'],
  ['TRACE', { method: 'TRACE' }, 400, 'method'],
  ['bad base64', { payload: undefined, payloadBase64: '!' }, 400, 'payloadBase64'],
  ['two payloads', { payloadBase64: 'eA==' }, 400, 'payloadBase64'],
  [
    'a nested form',
    { payload: { a: { b: 1 } }, contentType: 'application/x-www-form-urlencoded' },
    400,
    'payload',
  ],
  ['a type with a line end', { contentType: 'a/b\r\nX: 1' }, 400, 'contentType'],
  ['an unknown rule for leaving', { onCallerGone: 'wait' }, 400, 'onCallerGone'],
  ['an unknown retry', { retry: 'never' }, 400, 'retry'],
  ['a callback without a secret', { callbackUrl: 'http://127.0.0.1:9/' }, 412, 'callbackUrl'],
  ['an empty key', { idempotencyKey: '' }, 400, 'idempotencyKey'],
])('%s is refused', async (_, more, status, field) => {
  const answer = await asked(more);
  expect([answer.status, answer.json]).toMatchObject([status, { field }]);
});

test('a key that may not call others may not have them called', async () => {
  const body = { url: 'http://127.0.0.1:9/' };
  const { status } = await send('POST', '/add_task_relay', keys.internal, body);
  const detour = await send('POST', '/add_task_app_engine', keys.internal, {
    relativeUri: '/relay',
    payload: body,
  });
  expect([status, detour.status]).toEqual([403, 400]);
});
