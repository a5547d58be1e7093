/** What counts as an attempt, and what ends one before anything was sent. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Journal } from '../../../src/foundation/journal.js';
import { JOURNAL } from '../../../src/modules/journal/journal-options.js';
import type { RelayRequest } from '../../../src/modules/relay/relay.js';
import type { TaskOptions } from '../../../src/modules/tasks/task-options.js';
import { MetadataServer, tokenOf } from '../../support/metadata-server.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp } from './relay-bench.js';
import { deliver, startRelay, Target } from './relay-bench.js';

let target: Target;
let app: RelayApp;
let folder: string;

beforeAll(async () => {
  target = await Target.start();
});
beforeEach(() => {
  target.seen.length = 0;
  target.answer = ({ response }) => response.end('done');
  folder = mkdtempSync(join(tmpdir(), 'relay-attempts-'));
});
afterEach(async () => {
  await closeApps();
  rmSync(folder, { recursive: true });
});
afterAll(() => target.close());

/** An app whose queue sends nothing by itself. */
async function start(audience?: string): Promise<RelayApp> {
  const rule = { origin: target.url, ...(audience === undefined ? {} : { audience }) };
  const credentials = audience === undefined ? {} : { credentials: { kind: 'default' } as const };
  const store = `sqlite:${join(folder, 'journal.sqlite')}`;
  const started = await startRelay([rule], { lease: '1s', ...credentials }, { store });
  await started.api.pauseQueue({ name: started.queueName() });
  return started;
}

/** A call that was asked for, and the body of its task. */
async function ask(call: Partial<RelayRequest> = {}, options: TaskOptions = {}) {
  const { id, name, taskId } = await app.relay.call({ url: target.url, ...call }, options);
  const task = await app.api.getTask({ name, responseView: 'FULL' });
  return { id, name, task: taskId, body: Buffer.from(task.httpRequest?.body ?? '').toString() };
}

test('a shutdown in mid-call uses up none', async () => {
  app = await start();
  const other = await start();
  target.answer = () => undefined;
  const { id, body } = await ask({}, { maxAttempts: 1 });
  const delivery = deliver(app, body);
  await target.count(1);
  const closing = app.app.close();
  expect((await delivery).status).toBe(503);
  await closing;
  target.answer = ({ response }) => response.end('done');
  expect((await deliver(other, body, { attempt: 1 })).status).toBe(200);
  expect(target.seen.map(({ headers }) => headers['x-relay-attempt'])).toEqual(['1', '2']);
  expect(await other.relay.status(id)).toMatchObject({ state: 'done', attempts: 2 });
});

test('the last one, whose caller left, is recorded as what it was', async () => {
  app = await start();
  target.answer = () => undefined;
  const { id, name, task, body } = await ask({}, { maxAttempts: 1 });
  const controller = new AbortController();
  const delivery = deliver(app, body, { task, signal: controller.signal }).catch(() => undefined);
  const [seen] = await target.count(1);
  const closed = new Promise((resolve) => seen?.response.once('close', resolve));
  controller.abort();
  await delivery;
  await closed;
  expect((await deliver(app, body, { task, attempt: 1 })).status).toBe(200);
  expect(target.seen).toHaveLength(1);
  expect(await app.tasks('default-dead-letter')).toHaveLength(1);
  // The queue would have, of a task that was answered 200.
  await app.api.deleteTask({ name });
  expect(await app.relay.status(id)).toMatchObject({
    state: 'dead',
    reason: 'exhausted',
    message: 'Attempt 1 of 1 failed: The call failed: given up by the caller.',
  });
});

test('a call that must not be sent twice is sent, where nothing was sent when the store failed', async () => {
  app = await start();
  const { id, body } = await ask({ retry: 'never-after-sent' });
  const journal = app.app.get<Journal>(JOURNAL);
  const note = journal.note.bind(journal);
  journal.note = (notes) =>
    notes.some(({ key }) => key.startsWith('relay-started:'))
      ? Promise.reject(new Error('The store is down.'))
      : note(notes);
  expect((await deliver(app, body)).status).toBe(500);
  journal.note = note;
  expect((await deliver(app, body, { attempt: 1 })).status).toBe(200);
  expect(target.seen).toHaveLength(1);
  expect(await app.relay.status(id)).toMatchObject({ state: 'done' });
});

test("a task's own timeout is no longer than its rule's is by now", async () => {
  app = await startRelay([{ origin: target.url, timeout: 1_000_000 }]);
  target.answer = () => undefined;
  const answer = await deliver(app, JSON.stringify({ url: target.url, timeout: '1h' }));
  expect(answer.status).toBe(500);
  expect(target.seen).toHaveLength(1);
});

describe('while its ID token is being minted', () => {
  let metadata: MetadataServer;
  /** Requests for tokens that aren't answered yet. */
  let waiting: ServerResponse[];
  let isMinting: boolean;
  let asked: PromiseWithResolvers<undefined>;

  beforeEach(async () => {
    waiting = [];
    isMinting = false;
    asked = Promise.withResolvers();
    metadata = await MetadataServer.start((_, response) => {
      waiting.push(response);
      if (isMinting) mint();
      asked.resolve(undefined);
    });
    app = await start('https://target.example');
  });
  afterEach(() => metadata.close());

  function mint(): void {
    for (const response of waiting.splice(0)) response.end(tokenOf({}));
  }

  test('its deadline ends it', async () => {
    const { body } = await ask({ timeout: '1s', onCallerGone: 'finish' });
    expect((await deliver(app, body)).status).toBe(500);
    mint();
    expect(target.seen).toHaveLength(0);
    expect(app.log.text).toContain('The call failed: no ID token came in time.');
  });

  test('a cancel ends it', async () => {
    const { id, body } = await ask();
    const delivery = deliver(app, body);
    await asked.promise;
    expect(await app.relay.cancel(id)).toMatchObject({ state: 'cancelled' });
    expect((await delivery).status).toBe(200);
    mint();
    expect(target.seen).toHaveLength(0);
  });

  test('the end of the process ends it', async () => {
    const { body } = await ask({ retry: 'never-after-sent' });
    const delivery = deliver(app, body);
    await asked.promise;
    await Promise.all([app.app.close(), delivery]);
    expect((await delivery).status).toBe(503);
    const other = await start('https://target.example');
    isMinting = true;
    expect((await deliver(other, body, { attempt: 1 })).status).toBe(200);
    expect(target.seen).toHaveLength(1);
  });
});
