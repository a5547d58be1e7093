/** What is remembered of a call, and how long: on the virtual clock. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { OutcomeNotes } from '../../../src/modules/journal/outcome-notes.js';
import { Relay } from '../../../src/modules/relay/relay.js';
import type { TasksTestbed } from '../../../src/testing/tasks-testbed.js';
import { Target, virtualRelay } from './relay-bench.js';

let target: Target;
let testbed: TasksTestbed;
let relay: Relay;

beforeEach(async () => {
  target = await Target.start(({ response }) => response.end('done'));
  testbed = await virtualRelay(target);
  relay = testbed.app.get(Relay);
});

afterEach(async () => {
  await testbed.close();
  await target.close();
});

/** What is due is attempted, and noted at this time of the virtual clock. */
async function attempted(): Promise<void> {
  await testbed.advance('5s');
  await testbed.app.get(OutcomeNotes).flush();
}

async function redrive(): Promise<void> {
  for await (const { error } of testbed.app.get(DeadLetters).redrive({})) {
    expect(error).toBeUndefined();
  }
}

test('a call that has ended is known for 7 days, and then not at all', async () => {
  const { id } = await relay.call({ url: target.url });
  await attempted();
  await testbed.advance('167h');
  expect(await relay.status(id)).toMatchObject({ state: 'done' });
  await testbed.advance('1h');
  for (const asked of [relay.status(id), relay.cancel(id)]) {
    await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('a dead one is forgotten too, while its dead letter is there', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  const { id } = await relay.call({ url: target.url });
  await attempted();
  await testbed.advance('168h');
  await expect(relay.status(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(relay.cancel(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test.each([
  ['at-least-once', -1],
  ['at-least-once', 1],
  ['never-after-sent', -1],
] as const)('a key is one call for 31 days: %s, %d', async (retry, maxAttempts) => {
  const call = async () => {
    const { id } = await relay.call(
      { url: target.url, idempotencyKey: 'k', retry },
      { maxAttempts },
    );
    await attempted();
    return relay.status(id);
  };
  const first = await call();
  expect(first).toMatchObject({ state: 'done', attempts: 1 });
  await testbed.advance('720h');
  expect(await call()).toEqual(first);
  expect(target.seen).toHaveLength(1);
  await testbed.advance('24h');
  expect(await call()).toMatchObject({ state: 'done', attempts: 1 });
  expect(target.seen).toHaveLength(2);
});

test('a key is free for another call when its own is forgotten', async () => {
  const call = (payload: string) => relay.call({ url: target.url, idempotencyKey: 'k', payload });
  await call('one');
  await attempted();
  await testbed.advance('720h');
  await expect(call('two')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  await testbed.advance('24h');
  const { id } = await call('two');
  await attempted();
  expect(await relay.status(id)).toMatchObject({ state: 'done', attempts: 1 });
  expect(target.seen.map(({ body }) => body.toString())).toEqual(['one', 'two']);
});

test('a call that waits for hours, as its target asked for, is found, and cancelled', async () => {
  target.answer = ({ response }) => response.writeHead(503, { 'Retry-After': '86400' }).end();
  const { id } = await relay.call({ url: target.url });
  await attempted();
  await testbed.advance('20h');
  expect(await relay.status(id)).toMatchObject({ state: 'accepted', attempts: 1 });
  await relay.cancel(id);
  expect(await testbed.pending()).toEqual([]);
  // Nor may it be called by what is left of it.
  await testbed.advance('500h');
  expect(await relay.status(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  expect(target.seen).toHaveLength(1);
});

test('a redriven call is found, and ended, also when nobody remembers its first run', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  const { id } = await relay.call({ url: target.url, timeout: '2h' });
  await attempted();
  expect(await relay.status(id)).toMatchObject({ state: 'dead', attempts: 1 });
  await testbed.advance('192h');
  target.answer = () => undefined;
  await redrive();
  const advanced = testbed.advance('1s', { mayHang: true });
  const [, seen] = await target.count(2);
  await advanced;
  expect(await relay.status(id)).toMatchObject({ state: 'started', attempts: 1 });
  const closed = new Promise((resolve) => seen?.response.once('close', resolve));
  expect(await relay.cancel(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  await closed;
  await attempted();
  expect(await relay.status(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
});
