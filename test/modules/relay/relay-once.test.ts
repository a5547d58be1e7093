/** One call for one key, whoever asks for it how often, and whatever ends in between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Server } from 'node:http';
import type { Journal } from '../../../src/foundation/journal.js';
import { Outcomes } from '../../../src/modules/dead-letters/outcomes.js';
import { JOURNAL } from '../../../src/modules/journal/journal-options.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp } from './relay-bench.js';
import { deliver, startRelay, Target, taskBody } from './relay-bench.js';

let target: Target;
let app: RelayApp;

beforeAll(async () => {
  target = await Target.start();
});

beforeEach(async () => {
  target.seen.length = 0;
  target.answer = ({ response }) => response.end('done');
  app = await startRelay([{ origin: target.url }]);
  await app.api.pauseQueue({ name: app.queueName() });
});

afterEach(() => closeApps());
afterAll(() => target.close());

test('a task that is delivered twice at once is one call, and both get its answer', async () => {
  target.answer = () => undefined;
  const body = await taskBody(app, { url: target.url, payload: 'x' });
  const deliveries = [deliver(app, body), deliver(app, body), deliver(app, body, { attempt: 1 })];
  const [seen] = await target.count(1);
  seen?.response.end('once');
  const answers = await Promise.all(deliveries);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(target.seen).toHaveLength(1);
});

test('a task that comes after its call has ended is answered from the record', async () => {
  const body = await taskBody(app, { url: target.url, payload: 'x' });
  const first = await deliver(app, body);
  const second = await deliver(app, body, { attempt: 3 });
  expect(second).toEqual(first);
  expect(target.seen).toHaveLength(1);
});

test('a call that is dead is parked again, and not called again', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  await app.relay.call({ url: target.url });
  const over = app.attempt();
  await app.api.resumeQueue({ name: app.queueName() });
  await over;
  expect(await app.tasks('default-dead-letter')).toHaveLength(1);
  expect(target.seen).toHaveLength(1);
});

test('two tasks of one idempotencyKey are one call', async () => {
  const wanted = { url: target.url, payload: { a: 1 }, idempotencyKey: 'report-1' };
  const [one, two] = [await app.relay.call(wanted), await app.relay.call(wanted)];
  expect(one.id).toBe(two.id);
  await app.api.resumeQueue({ name: app.queueName() });
  await app.attempt();
  while ((await app.tasks()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(target.seen).toHaveLength(1);
  await expect(app.relay.call({ ...wanted, payload: { a: 2 } })).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    field: 'idempotencyKey',
  });
});

test('a second task of a key that can’t be made leaves what is known of the first', async () => {
  const wanted = { url: target.url, idempotencyKey: 'report-2' };
  const { id } = await app.relay.call(wanted, { taskId: 'report' });
  await expect(app.relay.call(wanted, { taskId: 'report' })).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  });
  expect(await app.relay.status(id)).toMatchObject({ state: 'accepted' });
  await app.relay.cancel(id);
  expect(await app.tasks()).toEqual([]);
});

test('another call under a key that slipped through is given up, not answered by the first', async () => {
  const one = { url: target.url, payload: 'one', idempotencyKey: 'k' };
  const first = await deliver(app, JSON.stringify(one));
  const other = await deliver(app, JSON.stringify({ ...one, payload: 'two' }), { task: 'other' });
  expect([first.status, other.status]).toEqual([200, 500]);
  // Only since nobody has such a task: it couldn't be parked.
  expect(target.seen).toHaveLength(1);
});

describe('with another instance on the same store', () => {
  let other: RelayApp;
  const store = { store: `sqlite:${process.env['TMPDIR'] ?? '/tmp'}/relay-${process.pid}.sqlite` };

  beforeEach(async () => {
    app = await startRelay([{ origin: target.url }], { lease: '1s' }, store);
    other = await startRelay([{ origin: target.url }], { lease: '1s' }, store);
  });

  test('it says 409 and when to come again, while one is at it', async () => {
    target.answer = () => undefined;
    const body = JSON.stringify({ url: target.url, idempotencyKey: `a${Date.now()}` });
    const first = deliver(app, body);
    const [seen] = await target.count(1);
    const second = await deliver(other, body, { attempt: 1 });
    expect(second).toMatchObject({ status: 409, headers: { 'retry-after': '10' } });
    seen?.response.end('done');
    expect((await first).status).toBe(200);
    expect((await deliver(other, body, { attempt: 2 })).status).toBe(200);
    expect(target.seen).toHaveLength(1);
  });

  test('a cancel reaches the one that is at it', async () => {
    target.answer = () => undefined;
    const body = await taskBody(app, { url: target.url, idempotencyKey: `b${Date.now()}` });
    const { id } = JSON.parse(body) as { id: string };
    const first = deliver(app, body);
    const [seen] = await target.count(1);
    const closed = new Promise((resolve) => seen?.response.once('close', resolve));
    expect(await other.relay.cancel(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
    await closed;
    expect((await first).status).toBe(409);
    expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
    expect(await other.relay.status(id)).toMatchObject({ state: 'cancelled' });
    expect(target.seen).toHaveLength(1);
  });

  test('a cancel that comes too late leaves the answer as it was recorded', async () => {
    target.answer = () => undefined;
    const body = await taskBody(app, { url: target.url });
    const { id } = JSON.parse(body) as { id: string };
    const first = deliver(app, body);
    const [seen] = await target.count(1);
    // Between what the canceller reads and what it writes, the call ends.
    const journal = other.app.get<Journal>(JOURNAL);
    const claim = journal.claim.bind(journal);
    journal.claim = async (...asked) => {
      const found = await claim(...asked);
      seen?.response.end('the answer');
      expect((await first).status).toBe(200);
      return found;
    };
    await expect(other.relay.cancel(id)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    const answer = { body: Buffer.from('the answer').toString('base64') };
    expect(await app.relay.status(id)).toMatchObject({ state: 'done', answer });
  });
});

describe('a call that was cut off', () => {
  const cut = () => (target.answer = ({ request: { socket } }) => socket.destroy());

  test('is made again under the same key', async () => {
    cut();
    const body = await taskBody(app, { url: target.url });
    expect((await deliver(app, body)).status).toBe(500);
    target.answer = ({ response }) => response.end('done');
    expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
    const keys = target.seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toBe(keys[1]);
    expect(target.seen.map(({ headers }) => headers['x-relay-attempt'])).toEqual(['1', '2']);
  });

  test('is given up as unknown where it must not be sent twice', async () => {
    cut();
    const { id } = await app.relay.call({ url: target.url, retry: 'never-after-sent' });
    const over = app.attempt();
    await app.api.resumeQueue({ name: app.queueName() });
    await over;
    expect(await app.relay.status(id)).toMatchObject({ state: 'dead', reason: 'unknown' });
    expect(await app.tasks('default-dead-letter')).toHaveLength(1);
    expect(target.seen).toHaveLength(1);
  });

  test('before it was sent may always be made again', async () => {
    const closed = await Target.start();
    const { url } = closed;
    await closed.close();
    const elsewhere = await startRelay([{ origin: url }]);
    const body = await taskBody(elsewhere, { url, retry: 'never-after-sent' });
    for (const attempt of [0, 1, 2]) {
      expect((await deliver(elsewhere, body, { attempt })).status).toBe(500);
    }
  });
});

describe('the caller leaves', () => {
  async function left(onCallerGone: 'abort' | 'finish') {
    target.answer = () => undefined;
    const body = await taskBody(app, { url: target.url, onCallerGone });
    const controller = new AbortController();
    const delivery = deliver(app, body, { signal: controller.signal }).catch(() => undefined);
    const [seen] = await target.count(1);
    const start = performance.now();
    const closed = new Promise<number>((resolve) =>
      seen?.response.once('close', () => resolve(performance.now() - start)),
    );
    controller.abort();
    await delivery;
    return { body, seen, closed, id: (JSON.parse(body) as { id: string }).id };
  }

  test('and the call is ended within 2 seconds', async () => {
    const { closed, body } = await left('abort');
    expect(await closed).toBeLessThan(2000);
    target.answer = ({ response }) => response.end('done');
    expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
    expect(target.seen).toHaveLength(2);
  });

  test('and the call goes on, and its outcome is kept', async () => {
    const { seen, closed, body } = await left('finish');
    seen?.response.end('all the same');
    await closed;
    expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
    expect(target.seen).toHaveLength(1);
  });
});

test('a process that ends gives its calls up to the next one', async () => {
  target.answer = () => undefined;
  const body = await taskBody(app, { url: target.url });
  const delivery = deliver(app, body);
  await target.count(1);
  const outcomes: string[] = [];
  app.app.get(Outcomes).listen(({ kind }) => void outcomes.push(kind));
  const closing = app.app.close();
  expect((await delivery).status).toBe(503);
  await closing;
  expect(outcomes).toEqual(['failed']);
}, 20_000);

test('no timer of Node cuts a silent call', () => {
  const { timeout, requestTimeout } = app.app.getHttpServer() as Server;
  expect(timeout).toBe(0);
  expect(requestTimeout).toBeGreaterThan(0);
});
