/** A call is cancelled while it waits, or is under way: it ends, its task goes, and that is told. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp } from './relay-bench.js';
import { startRelay, Target } from './relay-bench.js';

const callbackSecrets = [`whsec_${Buffer.alloc(32, 'secret').toString('base64')}`];

let target: Target;
let app: RelayApp;
const folder = mkdtempSync(join(tmpdir(), 'relay-cancel-'));

beforeAll(async () => {
  target = await Target.start();
});

beforeEach(async () => {
  target.seen.length = 0;
  target.answer = () => undefined;
  app = await startRelay([{ origin: target.url }], { callbackSecrets });
});

afterEach(() => closeApps());
afterAll(async () => {
  await target.close();
  rmSync(folder, { recursive: true, force: true });
});

test('under way in this process', async () => {
  const over = app.attempt();
  const { id } = await app.relay.call({ url: target.url });
  const [seen] = await target.count(1);
  const closed = new Promise((resolve) => seen?.response.once('close', resolve));
  expect(await app.relay.cancel(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  await closed;
  expect(await over).toMatchObject({ status: 200 });
  expect(await app.relay.cancel(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  expect(await app.tasks()).toEqual([]);
  expect(await app.tasks('default-dead-letter')).toEqual([]);
});

test('too late, when it has ended', async () => {
  target.answer = ({ response }) => response.end('done');
  const over = app.attempt();
  const { id } = await app.relay.call({ url: target.url });
  await over;
  await expect(app.relay.cancel(id)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  expect(await app.relay.status(id)).toMatchObject({ state: 'done' });
});

test('a redriven dead letter, while it waits', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  const over = app.attempt();
  const { id } = await app.relay.call({ url: target.url });
  await over;
  await app.api.pauseQueue({ name: app.queueName() });
  for await (const { error } of app.app.get(DeadLetters).redrive({})) expect(error).toBeUndefined();
  expect(await app.relay.status(id)).toMatchObject({ state: 'accepted' });
  expect(await app.relay.cancel(id)).toMatchObject({ id, state: 'cancelled', attempts: 0 });
  expect(await app.relay.status(id)).toMatchObject({ state: 'cancelled' });
  expect(await app.tasks()).toEqual([]);
});

describe('and whoever is to be called back is', () => {
  const callbackUrl = () => `${target.url}/callback`;

  /** Exactly one callback comes, however often and by whom the call is cancelled. */
  async function cancelled(id: string, by = app) {
    target.answer = ({ path, response }) => path === '/callback' && response.end();
    const before = target.seen.length;
    await by.relay.cancel(id);
    await by.relay.cancel(id);
    const [event] = (await target.count(before + 1)).slice(before);
    expect(JSON.parse(event?.body.toString() ?? '')).toMatchObject({
      type: 'relay.cancelled',
      data: { id, url: target.url, message: 'It was cancelled.' },
    });
    expect(await by.tasks()).toEqual([]);
    expect(target.seen.filter(({ path }) => path === '/callback')).toHaveLength(1);
  }

  test('when it waits', async () => {
    const { id } = await app.relay.call(
      { url: target.url, callbackUrl: callbackUrl() },
      { countdown: '1h' },
    );
    await cancelled(id);
  });

  test('when it is under way in this process', async () => {
    const { id } = await app.relay.call({ url: target.url, callbackUrl: callbackUrl() });
    await target.count(1);
    await cancelled(id);
  });

  test('when it is under way elsewhere', async () => {
    const store = `sqlite:${join(folder, 'journal.sqlite')}`;
    const rules = [{ origin: target.url }];
    const options = { callbackSecrets, lease: '1s' } as const;
    app = await startRelay(rules, options, { store });
    const other = await startRelay(rules, options, { store });
    const { id } = await app.relay.call({ url: target.url, callbackUrl: callbackUrl() });
    await target.count(1);
    const over = app.attempt();
    // So that the one that is at it isn't asked again.
    await app.api.pauseQueue({ name: app.queueName() });
    await cancelled(id, other);
    expect(await over).toMatchObject({ status: 409 });
  });

  test('by its task, where there is no queue for callbacks now', async () => {
    await app.api.deleteQueue({ name: app.queueName('relay-callbacks') });
    const { id, name } = await app.relay.call(
      { url: target.url, callbackUrl: callbackUrl() },
      { countdown: '1h' },
    );
    expect(await app.relay.cancel(id)).toMatchObject({ state: 'cancelled' });
    expect(app.log.text).toMatch(/its callback waits until its task is delivered/);
    expect(await app.tasks()).toMatchObject([{ name }]);
  });
});
