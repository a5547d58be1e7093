/** The disk or the sockets fail under the engine: each attempt is made once, and recorded later. */
import { expect, test } from '@jest/globals';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { NotSent } from '../../src/engine/ports.js';
import { MINUTE, SECOND } from '../../src/engine/time.js';
import { QUEUE, engineUnderTest, httpTask } from '../support/engine-under-test.js';
import { settled } from '../support/virtual-clock.js';

/** A store whose reads or writes fail while they are told to. */
class FailingStore extends MemoryStore {
  isFull = false;
  isUnreadable = false;

  override updateTask(...args: Parameters<MemoryStore['updateTask']>) {
    return this.isFull ? Promise.reject(new Error('full')) : super.updateTask(...args);
  }

  override removeTask(...args: Parameters<MemoryStore['removeTask']>) {
    return this.isFull ? Promise.reject(new Error('full')) : super.removeTask(...args);
  }

  override task(seq: number) {
    if (this.isUnreadable) throw new Error('unreadable');
    return super.task(seq);
  }
}

const SLOTS = { rateLimits: { maxConcurrentDispatches: 2 } };

test.each([200, 500])(
  'outcomes (%d) wait for room, nothing new is sent, and a minute has one line',
  async (status) => {
    const store = new FailingStore();
    const { engine, targets, clock, events } = await engineUnderTest({
      store,
      queue: SLOTS,
      target: () => 'hold',
    });
    for (let n = 0; n < 50; n++) await engine.createTask(httpTask());
    await clock.advance(0);
    store.isFull = true;
    // The slots are taken again before the first outcome is refused; then no more.
    for (const { answer } of targets.sent.slice(0, 2)) answer(status);
    await clock.advance(SECOND);
    for (const { answer } of targets.sent.slice(2, 4)) answer(status);
    await clock.advance(10 * MINUTE);
    expect(targets.sent).toHaveLength(4);
    const told = events.filter(({ type }) => type === 'store-failure');
    expect(told.length).toBeGreaterThanOrEqual(10);
    expect(told.length).toBeLessThanOrEqual(11);

    store.isFull = false;
    targets.target = () => 200;
    await clock.advance(MINUTE);
    const names = targets.header('X-CloudTasks-TaskName');
    expect(new Set(names).size).toBe(50);
    expect(names).toHaveLength(status === 200 ? 50 : 54);
    const again = targets.header('X-CloudTasks-TaskRetryCount').filter((count) => count !== '0');
    expect(again).toEqual(status === 200 ? [] : ['1', '1', '1', '1']);
    expect((await engine.listTasks({ parent: QUEUE })).tasks).toEqual([]);
  },
);

test('a task that can not be read is not forgotten', async () => {
  const store = new FailingStore();
  const { engine, targets, clock, events } = await engineUnderTest({ store });
  store.isUnreadable = true;
  for (let n = 0; n < 50; n++) await engine.createTask(httpTask());
  await clock.advance(30 * SECOND);
  expect(targets.sent).toEqual([]);
  expect(events).toMatchObject([{ type: 'store-failure', error: { message: 'unreadable' } }]);
  store.isUnreadable = false;
  await clock.advance(SECOND);
  expect(targets.sent).toHaveLength(50);
});

test('what could not be sent for lack of sockets is no attempt, and is sent when there are some', async () => {
  const { engine, targets, clock, events } = await engineUnderTest({
    queue: { ...SLOTS, retryConfig: { maxAttempts: 1 } },
  });
  const send = targets.send.bind(targets);
  targets.send = () =>
    Promise.resolve<NotSent>({ kind: 'not-sent', reason: 'no sockets' }) as never;
  for (let n = 0; n < 50; n++) await engine.createTask(httpTask());
  await clock.advance(30 * SECOND);
  expect(events).toMatchObject([
    { type: 'network-failure', error: { message: 'nothing can be sent: no sockets' } },
  ]);
  targets.send = send;
  await clock.advance(SECOND);
  expect(new Set(targets.header('X-CloudTasks-TaskName')).size).toBe(50);
  expect(new Set(targets.header('X-CloudTasks-TaskRetryCount'))).toEqual(new Set(['0']));
  expect(targets.sent).toHaveLength(50);
});

test('an engine that is abandoned meanwhile settles nothing more', async () => {
  const store = new FailingStore();
  const { engine, targets, clock } = await engineUnderTest({ store, target: () => 'hold' });
  await engine.createTask(httpTask());
  await clock.advance(0);
  store.isFull = true;
  targets.sent[0]?.answer(200);
  await settled();
  engine.abandon();
  await clock.advance(MINUTE);
  expect(clock.timers).toBe(0);
  expect(targets.sent).toHaveLength(1);
});
