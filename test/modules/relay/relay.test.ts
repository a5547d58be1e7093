/** A call goes from the app through the engine and the relay to its target, exactly as asked. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { RelayRequest } from '../../../src/modules/relay/relay.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp, Seen } from './relay-bench.js';
import { startRelay, Target } from './relay-bench.js';

let target: Target;
let app: RelayApp;

beforeAll(async () => {
  target = await Target.start();
  app = await startRelay([{ origin: target.url, audience: 'https://target.example' }]);
});

afterAll(async () => {
  await closeApps();
  await target.close();
});

beforeEach(() => {
  target.seen.length = 0;
  target.answer = ({ response }) => response.end('done');
});

async function relayed(request: Omit<RelayRequest, 'url'>): Promise<Seen> {
  await app.relay.call({ url: `${target.url}/jobs?now=1`, ...request });
  const [seen] = await target.count(1);
  if (!seen) throw new Error('Nothing came.');
  return seen;
}

test('a call reaches its target with a token, its key, its attempt and its trace', async () => {
  const { id } = await app.relay.call(
    { url: `${target.url}/jobs?now=1`, payload: { a: 1 }, headers: { 'X-Own': 'mine' } },
    { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } },
  );
  const [seen] = await target.count(1);
  expect(seen).toMatchObject({ method: 'POST', path: '/jobs?now=1' });
  expect(seen?.body.toString()).toBe('{"a":1}');
  expect(seen?.headers).toMatchObject({
    'content-type': 'application/json',
    'x-own': 'mine',
    'idempotency-key': `"${id}"`,
    'x-relay-attempt': '1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  const token = seen?.headers.authorization?.replace('Bearer ', '') ?? '';
  expect(decodeJwt(token)).toMatchObject({ aud: 'https://target.example', email_verified: true });
  const names = Object.keys(seen?.headers ?? {});
  expect(names.filter((name) => /tasks|cloud|engine|forward/.test(name))).toEqual([]);
});

describe('payloads', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  test.each<[string, Omit<RelayRequest, 'url'>, string, string | Uint8Array]>([
    ['an object', { payload: { a: [1, 'ü'] } }, 'application/json', '{"a":[1,"ü"]}'],
    ['a list', { payload: [1, null] }, 'application/json', '[1,null]'],
    ['a text', { payload: 'Grüße' }, 'text/plain; charset=utf-8', 'Grüße'],
    ['bytes', { payload: bytes }, 'application/octet-stream', bytes],
    [
      'a form',
      { payload: new URLSearchParams({ a: 'b c', d: 'ü' }) },
      'application/x-www-form-urlencoded;charset=UTF-8',
      'a=b+c&d=%C3%BC',
    ],
    [
      'an object as a form',
      {
        payload: { a: ['x', 2], b: true },
        contentType: 'application/x-www-form-urlencoded',
      },
      'application/x-www-form-urlencoded',
      'a=x&a=2&b=true',
    ],
    [
      'JSON of another type',
      { payload: { a: 1 }, contentType: 'application/json; charset=utf-8' },
      'application/json; charset=utf-8',
      '{"a":1}',
    ],
    [
      'a text of a type of its own',
      { payload: '<a/>', contentType: 'application/xml' },
      'application/xml',
      '<a/>',
    ],
    [
      'a type among the headers',
      { payload: 'x', headers: { 'content-type': 'text/csv' } },
      'text/csv',
      'x',
    ],
  ])('%s', async (_, request, type, body) => {
    const seen = await relayed(request);
    expect(seen.headers['content-type']).toBe(type);
    expect(seen.body).toEqual(Buffer.from(body));
  });

  test.each(['GET', 'HEAD', 'OPTIONS'] as const)('none with %s, and no key', async (method) => {
    const seen = await relayed({ method });
    expect(seen.method).toBe(method);
    expect(seen.body).toHaveLength(0);
    expect(seen.headers['idempotency-key']).toBeUndefined();
    expect(seen.headers['x-relay-attempt']).toBe('1');
  });

  test.each(['PUT', 'PATCH', 'DELETE'] as const)('with %s', async (method) => {
    const seen = await relayed({ method, payload: 'x' });
    expect([seen.method, seen.body.toString()]).toEqual([method, 'x']);
  });
});

afterEach(async () => {
  // What a test has begun is over before the next one looks.
  while ((await app.tasks()).length > 0) await new Promise((resolve) => setImmediate(resolve));
});
