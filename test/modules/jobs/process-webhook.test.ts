/** Webhooks: signed for a library that isn't ours, tried again as receivers ask, and logged. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { makeKey } from '../../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../../src/modules/producer/key-file.js';
import { DELIVERY_SECRET, deliver } from '../../support/delivery.js';
import { TestApp } from '../../support/test-app.js';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const NEXT_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
/** Port 9 discards what comes, where anybody has it at all. */
const NOBODY = 'http://127.0.0.1:9';
const folder = mkdtempSync(join(tmpdir(), 'nest-cloud-tasks-webhooks-'));

interface Received {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly path: string;
}

let receiver: Server;
let at: string;
let app: TestApp;
const received: Received[] = [];
const NOTHING: Received = { headers: {}, body: Buffer.of(), path: '' };
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const headers = request.headers as Record<string, string>;
      received.push({ headers, body: Buffer.concat(parts), path: request.url ?? '' });
      answer(request, response);
    });
  });
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  at = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const outbound = join(folder, 'outbound.yaml');
  writeFileSync(
    outbound,
    `rules:\n  - origin: ${at}\n    permanent: [451]\n  - origin: ${NOBODY}\n`,
  );
  app = await TestApp.start({
    DATA_DIR: folder,
    ENGINE_SECRET: DELIVERY_SECRET,
    WEBHOOK_SECRET: `${NEXT_SECRET},${SECRET}`,
    OUTBOUND_FILE: outbound,
  });
  await app.api.pauseQueue({ name: app.queueName('webhook-queue') });
});
afterAll(async () => {
  await app.close();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  received.length = 0;
  app.lines.length = 0;
  answer = (_, response) => response.end();
});

let count = 0;

/** A task of the paused queue, delivered by hand as often as the test likes. */
async function enqueue(body: object | string): Promise<(retryCount?: number) => Promise<number>> {
  const taskId = `webhook-${count++}`;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const options = `,"options":{"taskId":"${taskId}"}}`;
  const { status, json } = await app.send('POST', '/webhooks', text.replace(/\}$/, options));
  if (status !== 202) throw new Error(JSON.stringify(json));
  const { name } = json as { name: string };
  const task = (await app.tasks('webhook-queue')).find((one) => one.name === name);
  const sent = task?.httpRequest;
  const uid =
    Object.entries(sent?.headers ?? {}).find(([n]) => /^x-tasks-uid$/i.test(n))?.[1] ?? '';
  return async (retryCount = 0) => {
    const given = { path: '/tasks/process-webhook', queue: 'webhook-queue', taskId, uid };
    const contentType = 'application/octet-stream';
    const body = sent?.body ?? '';
    return (await deliver(app, { ...given, body, contentType, retryCount })).status;
  };
}

function log(): Record<string, unknown>[] {
  const db = new DatabaseSync(join(folder, 'app.sqlite'), { readOnly: true });
  const rows = db.prepare('SELECT * FROM nest_cloud_tasks_delivery ORDER BY at').all();
  db.close();
  return rows;
}

/** Seconds until each task of the queue that isn't due yet. */
async function waits(): Promise<number[]> {
  const tasks = await app.tasks('webhook-queue');
  return tasks
    .map((task) => Math.round((task.scheduleTime - task.createTime) / 1e6))
    .filter((wait) => wait > 1);
}

describe('signed', () => {
  test.each([
    ['the current secret', NEXT_SECRET],
    ['the one before', SECRET],
  ])('so that the Standard Webhooks library verifies it with %s', async (_name, secret) => {
    const send = await enqueue({ url: `${at}/hook`, payload: { type: 'order.paid', n: 1 } });
    expect(await send()).toBe(200);
    expect(received).toHaveLength(1);
    const [{ headers, body } = NOTHING] = received;
    expect(new Webhook(secret).verify(body, headers)).toEqual({ type: 'order.paid', n: 1 });
    expect(() => new Webhook(secret).verify(`${String(body)} `, headers)).toThrow();
    expect(() => new Webhook(SECRET.replace('Bwc', 'Bwd')).verify(body, headers)).toThrow();
  });

  test('the payload is sent byte for byte, with the caller’s harmless headers', async () => {
    const payload = '{"n": 12345678901234567890, "f":1.0, "__proto__": {"a":1}, "s":"\\u0041"}';
    const headers = '{"X-Order": "7", "Content-Type": "application/vnd.order+json"}';
    const send = await enqueue(`{"url":"${at}/a?b=c","payload":${payload},"headers":${headers}}`);
    await send();
    expect(received[0]).toMatchObject({
      path: '/a?b=c',
      headers: { 'x-order': '7', 'content-type': 'application/vnd.order+json' },
    });
    expect(received[0]?.body.toString()).toBe(payload);
  });

  test('a string goes as text; what forges a signature is replaced', async () => {
    const headers = { 'webhook-id': 'mine', 'Webhook-Signature': 'v1,forged' };
    const send = await enqueue({ url: at, payload: 'Grüße', headers });
    await send();
    const [{ headers: came, body } = NOTHING] = received;
    expect(came['content-type']).toBe('text/plain; charset=utf-8');
    expect(body.toString()).toBe('Grüße');
    expect(came['webhook-id']).not.toBe('mine');
    expect(came['webhook-signature']).not.toContain('forged');
  });
});

describe('once', () => {
  test('a task that is delivered twice is one webhook', async () => {
    const send = await enqueue({ url: at, payload: 1 });
    expect([await send(), await send()]).toEqual([200, 200]);
    expect(received).toHaveLength(1);
  });

  test('at once, too', async () => {
    const send = await enqueue({ url: at, payload: 1 });
    const statuses = await Promise.all(Array.from({ length: 6 }, () => send()));
    expect(statuses.filter((status) => status !== 200 && status !== 409)).toEqual([]);
    expect(received).toHaveLength(1);
  });

  test('each attempt has the same id, and its own time', async () => {
    const send = await enqueue({ url: at, payload: 1 });
    answer = (_, response) => response.writeHead(500).end();
    await send();
    await send(1);
    const ids = received.map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });
});

describe('what the receiver says', () => {
  const says =
    (status: number, headers: Record<string, string> = {}) =>
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(status, headers).end();
    };

  test.each([301, 400, 404, 429, 500, 503])(
    '%i is tried again, after the schedule',
    async (status) => {
      const send = await enqueue({ url: at, payload: 1 });
      answer = says(status, { location: `${at}/elsewhere` });
      const before = await waits();
      expect(await send(2)).toBe(200);
      expect((await waits()).length).toBe(before.length + 1);
      expect((await waits()).filter((wait) => wait >= 1800 && wait < 1803)).not.toEqual([]);
      expect(received).toHaveLength(1);
      await app.logged(new RegExp(`is tried again in 1800s: The receiver answered ${status}`));
    },
  );

  test.each([
    ['7200', 7200],
    ['1', 5],
    ['99999999999999', 86_400],
    ['-1', 5],
    ['soon', 5],
  ])('Retry-After: %s', async (text, wait) => {
    const send = await enqueue({ url: at, payload: 1 });
    answer = says(503, { 'retry-after': text });
    expect(await send()).toBe(200);
    await app.logged(new RegExp(`is tried again in ${wait}s`));
  });

  test('after the tenth attempt it is given up', async () => {
    const send = await enqueue({ url: at, payload: 1 });
    answer = says(500);
    expect(await send(9)).toBe(200);
    await app.logged(/^Parked .*exhausted: Attempt 10 failed: The receiver answered 500/);
  });

  test('a status that its rule calls permanent is', async () => {
    const send = await enqueue({ url: at, payload: 1 });
    answer = says(451);
    expect(await send()).toBe(200);
    await app.logged(/^Parked .*policy: The receiver answered 451/);
  });

  test('410 is honoured: this one and later ones to that URL are given up', async () => {
    const url = `${at}/gone`;
    const [first, second] = [
      await enqueue({ url, payload: 1 }),
      await enqueue({ url, payload: 2 }),
    ];
    answer = says(410);
    expect(await first()).toBe(200);
    await app.logged(/^Parked .*refused: The receiver answered 410/);
    expect(await second()).toBe(200);
    await app.logged(/^Parked .*wants no more webhooks/);
    expect(received).toHaveLength(1);
    expect(await (await enqueue({ url: `${at}/here`, payload: 3 }))()).toBe(200);
    expect(received).toHaveLength(2);
  });

  test('nobody there is tried again', async () => {
    const send = await enqueue({ url: NOBODY, payload: 1 });
    expect(await send()).toBe(200);
    await app.logged(/is tried again in 5s: The call failed: connection refused/);
    expect(log().at(-1)).toMatchObject({ outcome: 'again', status: null });
  });
});

test('each attempt is in the log, without what the URL’s query may hide', async () => {
  const send = await enqueue({ url: `${at}/logged?token=secret`, payload: 1 });
  answer = (_, response) => response.writeHead(502).end();
  await send();
  answer = (_, response) => response.writeHead(204).end();
  await send(1);
  const id = received[0]?.headers['webhook-id'];
  expect(log().filter((row) => row['id'] === id)).toMatchObject([
    { attempt: 1, url: `${at}/logged`, outcome: 'again', status: 502, failure: null },
    { attempt: 2, url: `${at}/logged`, outcome: 'delivered', status: 204, failure: null },
  ]);
});

describe('refused, before it becomes a task', () => {
  test.each([
    ['no URL', { payload: 1 }, 'url', 400, /got nothing/],
    ['no payload', { url: 'http://127.0.0.1:9/' }, 'payload', 400, /got nothing/],
    ['another scheme', { url: 'file:///etc/passwd', payload: 1 }, 'url', 400, /expected a URL/],
    [
      'a private address',
      { url: 'https://10.0.0.1/', payload: 1 },
      'url',
      403,
      /EXTERNAL_ORIGINS or OUTBOUND_FILE/,
    ],
    [
      'a metadata server',
      { url: 'http://169.254.169.254/latest', payload: 1 },
      'url',
      403,
      /no outbound rule/,
    ],
    [
      'an origin that nobody allowed',
      { url: 'https://api.example.com/', payload: 1 },
      'url',
      403,
      /OUTBOUND_FILE/,
    ],
    ['a user in the URL', { url: 'http://a@127.0.0.1:9/', payload: 1 }, 'url', 400, /no user/],
    [
      'headers that are none',
      { url: 'http://127.0.0.1:9/', payload: 1, headers: ['a'] },
      'headers',
      400,
      /an array/,
    ],
    [
      'a credential',
      { url: 'http://127.0.0.1:9/', payload: 1, headers: { authorization: 'x' } },
      'headers',
      400,
      /can't be set/,
    ],
    [
      'a split header',
      { url: 'http://127.0.0.1:9/', payload: 1, headers: { a: 'x\r\nb: c' } },
      'headers',
      400,
      /visible ASCII/,
    ],
  ])('%s', async (_name, body, field, status, message) => {
    const answered = await app.send('POST', '/webhooks', body);
    expect(answered).toMatchObject({
      status,
      json: { field, message: expect.stringMatching(message) },
    });
  });

  test('this app’s own address', async () => {
    const { status, json } = await app.send('POST', '/webhooks', {
      url: `${app.url}/tasks/cleanup`,
      payload: 1,
    });
    expect({ status, json }).toMatchObject({ status: 403, json: { field: 'url' } });
  });

  test('a caller whose key is not for other URLs', async () => {
    const file = join(folder, 'keys.json');
    const { key, record } = makeKey({ client: 'inside', external: false, rate: 600 }, new Date());
    writeKeyFile(file, new Map([[record.id, record]]));
    const guarded = await TestApp.start({ PRODUCER_AUTH: 'api-key', PRODUCER_KEYS_FILE: file });
    const headers = { 'content-type': 'application/json', 'x-api-key': key };
    const send = (path: string, body: object) =>
      guarded.send('POST', path, JSON.stringify(body), headers);
    expect(await send('/webhooks', { url: at, payload: 1 })).toMatchObject({
      status: 403,
      json: { field: 'url', message: expect.stringMatching(/calls to other URLs/) },
    });
    expect((await send('/syncs', { entity_id: 'a', options: { countdown: '1h' } })).status).toBe(
      202,
    );
    const { status } = await guarded.send('POST', '/syncs', { entity_id: 'a' });
    expect(status).toBe(401);
    await guarded.close();
  });
});

// Last: of several apps at once, one has the log.
test('without a secret nothing is sent, and the log says how to make one', async () => {
  const none = await TestApp.start({ ENGINE_SECRET: DELIVERY_SECRET });
  const body = { url: at, payload: 1 };
  const { status } = await deliver(none, { path: '/tasks/process-webhook', body });
  expect(status).toBe(500);
  await none.logged(/set WEBHOOK_SECRET to 'whsec_'.*openssl rand/);
  expect(received).toEqual([]);
  await none.close();
});
