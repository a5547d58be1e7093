/** Cases 82 to 87 and 90: repeats, callers who leave, stores that fail, callbacks, and no room. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { verifyWebhook } from '../../src/foundation/webhook-signature.js';
import { RawUpstream } from '../support/raw-upstream.js';
import { closeApps } from '../support/tasks-app.js';
import type { RelayApp } from '../modules/relay/relay-bench.js';
import { deliver, startRelay, Target, taskBody } from '../modules/relay/relay-bench.js';
import { assertNoSecrets, keepSecret } from './secrets.js';

const CURRENT = `whsec_${Buffer.alloc(32, 'current').toString('base64')}`;
const PREVIOUS = `whsec_${Buffer.alloc(32, 'previous').toString('base64')}`;

let target: Target;
let app: RelayApp;

beforeAll(async () => {
  target = await Target.start();
  keepSecret(CURRENT, 'the current secret');
  keepSecret(PREVIOUS, 'the previous secret');
});

beforeEach(() => {
  target.seen.length = 0;
  target.answer = ({ response }) => response.end('done');
});

afterEach(async () => {
  assertNoSecrets(app.log.text, 'the log');
  await closeApps();
});

afterAll(() => target.close());

async function start(options: Parameters<typeof startRelay>[1] = {}, concurrency = 50) {
  app = await startRelay([{ origin: target.url, concurrency }], options);
  await app.api.pauseQueue({ name: app.queueName() });
}

test('82. a task delivered twice at once is one call and two equal answers', async () => {
  await start();
  target.answer = () => undefined;
  const body = await taskBody(app, { url: target.url });
  const both = [deliver(app, body), deliver(app, body)];
  const [seen] = await target.count(1);
  seen?.response.end('once');
  const [one, two] = await Promise.all(both);
  expect(one?.status).toBe(200);
  expect(two?.text).toBe(one?.text);
  expect(target.seen).toHaveLength(1);
});

test('83. a task delivered after its success is answered from the record', async () => {
  await start();
  const body = await taskBody(app, { url: target.url });
  const first = await deliver(app, body);
  expect(await deliver(app, body, { attempt: 1 })).toEqual(first);
  expect(target.seen).toHaveLength(1);
});

test.each(['abort', 'finish'] as const)('84. a caller leaves: %s', async (onCallerGone) => {
  await start({ callbackSecrets: [CURRENT] });
  target.answer = () => undefined;
  const callbackUrl = `${target.url}/callback`;
  const body = await taskBody(app, { url: target.url, onCallerGone, callbackUrl });
  const controller = new AbortController();
  const gone = deliver(app, body, { signal: controller.signal }).catch(() => undefined);
  const [seen] = await target.count(1);
  const closed = new Promise((resolve) => seen?.response.once('close', resolve));
  const start84 = performance.now();
  controller.abort();
  await gone;
  if (onCallerGone === 'finish') seen?.response.end('late');
  await closed;
  expect(performance.now() - start84).toBeLessThan(2000);
  target.answer = ({ response }) => response.end('again');
  const calls = onCallerGone === 'finish' ? ['/'] : ['/', '/'];
  // Nobody has to come again to have it called back.
  if (onCallerGone === 'finish') await target.count(2);
  expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
  await target.count(calls.length + 1);
  expect(target.seen.map(({ path }) => path)).toEqual([...calls, '/callback']);
});

describe('85. the store is down', () => {
  let folder: string;
  let lock: DatabaseSync;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'relay-85-'));
    const store = `sqlite:${join(folder, 'journal.sqlite')}`;
    app = await startRelay([{ origin: target.url }], { lease: '1s' }, { store });
    await app.api.pauseQueue({ name: app.queueName() });
    lock = new DatabaseSync(join(folder, 'journal.sqlite'));
  });

  afterEach(() => {
    lock.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('before the call: 503, and nothing is called', async () => {
    const body = JSON.stringify({ url: target.url });
    lock.exec('BEGIN IMMEDIATE');
    const { status } = await deliver(app, body);
    lock.exec('ROLLBACK');
    expect(status).toBe(503);
    expect(target.seen).toEqual([]);
    expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
  }, 30_000);

  test('after the call: 500, and the log says that its outcome is unknown', async () => {
    target.answer = () => undefined;
    const delivery = deliver(app, JSON.stringify({ url: target.url }));
    const [seen] = await target.count(1);
    lock.exec('BEGIN IMMEDIATE');
    const said = app.log.line(/its outcome \(done, 200\) can't be recorded, so it is unknown/);
    seen?.response.end('done');
    await said;
    lock.exec('ROLLBACK');
    expect((await delivery).status).toBe(500);
  }, 30_000);
});

test('86. a successor that cannot be made leaves the task where it is', async () => {
  await start();
  target.answer = ({ response }) => response.writeHead(503, { 'Retry-After': '60' }).end();
  // Of a task that nobody knows there can be none.
  const { status } = await deliver(app, JSON.stringify({ url: target.url }), { task: 'nobodys' });
  expect(status).toBe(500);
  expect(app.log.text).toMatch(/Can't make a successor of default\/nobodys/);
});

describe('87. a callback', () => {
  const callbacks = 'relay-callbacks';

  async function called(callbackUrl = `${target.url}/callback`) {
    const over = app.attempt();
    const ref = await app.relay.call({ url: `${target.url}/job`, callbackUrl });
    await over;
    return ref;
  }

  async function withSecrets(
    callbackSecrets: readonly string[],
    more: string[] = [],
    tasks: Parameters<typeof startRelay>[2] = {},
  ) {
    const rules = [target.url, ...more].map((origin) => ({ origin }));
    app = await startRelay(rules, { callbackSecrets }, tasks);
  }

  /** What the receiver of the callback got. */
  const received = () => target.seen.filter(({ path }) => path === '/callback');

  test('is signed so that the old and the new secret verify it, and tells how the call ended', async () => {
    await withSecrets([CURRENT, PREVIOUS]);
    const { id } = await called();
    const [, seen] = await target.count(2);
    const body = seen?.body.toString() ?? '';
    const headers = seen?.headers as Record<string, string>;
    for (const secret of [CURRENT, PREVIOUS]) {
      // By the standard's own library, and by ours.
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: 'relay.done' });
      expect(verifyWebhook(headers, body, secret)).toBe(id);
    }
    const other = `whsec_${Buffer.alloc(32, 'other').toString('base64')}`;
    expect(() => verifyWebhook(headers, body, other)).toThrow('none of its signatures fits');
    expect(() => verifyWebhook(headers, `${body} `, CURRENT)).toThrow('fits');
    expect(() => new Webhook(other).verify(body, headers)).toThrow();
    expect(JSON.parse(body)).toMatchObject({
      type: 'relay.done',
      data: { id, status: 200, bytes: 4, truncated: false, record: `${app.url}/relay/${id}` },
    });
    expect(await app.relay.status(id)).toMatchObject({ state: 'reported' });
  });

  test.each([
    ['relay.dead', { status: 400, reason: 'refused', message: 'The target answered 400.' }],
    ['relay.done', { status: 200 }],
  ])('tells of %s', async (type, about) => {
    await withSecrets([CURRENT]);
    target.answer = ({ path, response }) =>
      response.writeHead(path === '/callback' ? 204 : about.status).end('an answer');
    const { id } = await called();
    await target.count(2);
    expect(received().map(({ body }) => JSON.parse(body.toString()) as object)).toMatchObject([
      { type, data: { id, url: `${target.url}/job`, method: 'POST', attempts: 1, ...about } },
    ]);
  });

  test('that is answered 410 is the last one to its URL', async () => {
    await withSecrets([CURRENT]);
    target.answer = ({ path, response }) =>
      response.writeHead(path === '/callback' ? 410 : 200).end();
    await called();
    await target.count(2);
    await app.log.line(/Parked relay-callbacks\/.* refused: The receiver answered 410/);
    const said = app.log.line(/wants no more callbacks/);
    await called();
    await said;
    expect(received()).toHaveLength(1);
  });

  test('that is answered 410 says nothing to another app of the same store', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'relay-87-'));
    const store = `sqlite:${join(folder, 'journal.sqlite')}`;
    await withSecrets([CURRENT], [], { store });
    target.answer = ({ path, response }) =>
      response.writeHead(path === '/callback' ? 410 : 200).end();
    await called();
    await app.log.line(/Parked relay-callbacks\/.* refused: The receiver answered 410/);
    await withSecrets([CURRENT], [], { store, project: 'another' });
    await called();
    await target.count(4);
    expect(received()).toHaveLength(2);
    await closeApps();
    rmSync(folder, { recursive: true });
  });

  test.each([302, 400, 500, 429])('that is answered %d is tried again later', async (status) => {
    await withSecrets([CURRENT]);
    target.answer = ({ path, response }) =>
      response.writeHead(path === '/callback' ? status : 200, { Location: target.url }).end();
    await called();
    await app.log.line(/Callback [0-9a-f]{12} is tried again in 5 s/);
    while ((await app.tasks(callbacks)).length !== 1) await new Promise(setImmediate);
    expect(target.seen).toHaveLength(2);
  });

  test('to a receiver with bad TLS is tried again later', async () => {
    const receiver = await RawUpstream.listen(undefined, { tls: true });
    const origin = `https://127.0.0.1:${receiver.port}`;
    await withSecrets([CURRENT], [origin]);
    await called(`${origin}/callback`);
    await app.log.line(/is tried again in 5 s/);
    expect(receiver.heads).toEqual([]);
    await receiver.close();
  });

  test('is refused where it could not be signed, or may not be called', async () => {
    await withSecrets([]);
    const call = (callbackUrl: string) => app.relay.call({ url: target.url, callbackUrl });
    await expect(call(target.url)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      field: 'callbackUrl',
    });
    await expect(call('http://169.254.169.254/')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      field: 'callbackUrl',
    });
  });
});

describe('90. without room', () => {
  async function full(target_: 'http' | 'app-engine') {
    target.answer = () => undefined;
    const over = [app.attempt()];
    const first = await app.relay.call({ url: target.url }, { target: target_ });
    await app.api.resumeQueue({ name: app.queueName() });
    await target.count(1);
    await app.relay.call({ url: target.url }, { target: target_ });
    const refused = await over[0];
    return { first, refused };
  }

  test.each([
    ['http', 503, 'in all'],
    ['app-engine', 429, 'in all'],
    ['http', 503, 'to one origin'],
  ] as const)('a task for %s is answered %d: no room %s', async (kind, status, which) => {
    if (which === 'in all') await start({ maxInflight: 1 });
    else await start({}, 1);
    const { refused } = await full(kind);
    expect(refused?.status).toBe(status);
    expect(target.seen).toHaveLength(1);
    target.seen[0]?.response.end();
  });

  test('says when to come again, and takes no attempt', async () => {
    await start({ maxInflight: 1 });
    target.answer = () => undefined;
    const [one, two] = [
      await taskBody(app, { url: target.url }),
      await taskBody(app, { url: target.url }),
    ];
    const first = deliver(app, one);
    const [seen] = await target.count(1);
    const refused = await deliver(app, two, { task: 'two' });
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    seen?.response.end();
    expect((await first).status).toBe(200);
    target.answer = ({ response }) => response.end();
    const taken = await deliver(app, two, { task: 'two', attempt: 5 });
    expect(JSON.parse(taken.text)).toMatchObject({ state: 'done', attempts: 1 });
  });
});
