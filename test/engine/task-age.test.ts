/** A task older than its queue's taskTtl is deleted, sent or not. */
import { describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { DAY, HOUR, MINUTE } from '../../src/engine/time.js';
import { engineUnderTest, httpTask, QUEUE } from '../support/engine-under-test.js';
import { settled, VirtualClock } from '../support/virtual-clock.js';

const NAMED = { name: `${QUEUE}/tasks/t` };

describe('a task of a paused queue', () => {
  test('lives for 31 days, and leaves a tombstone and a word about it', async () => {
    const { engine, clock, events } = await engineUnderTest();
    await engine.pauseQueue({ name: QUEUE });
    await engine.createTask(httpTask(NAMED));
    await clock.advance(31 * DAY - MINUTE);
    await engine.getTask(NAMED);
    await clock.advance(2 * MINUTE);
    await expect(engine.getTask(NAMED)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/existed recently/),
    });
    expect(events).toEqual([{ type: 'tasks-expired', queue: 'q', count: 1 }]);
    expect(clock.timers).toBe(1);
    await clock.advance(2 * HOUR);
    expect(clock.timers).toBe(0);
  });

  test('lives as long as its queue says, also when that changes', async () => {
    const { engine, clock } = await engineUnderTest({ queue: { taskTtl: 100 * DAY } });
    await engine.pauseQueue({ name: QUEUE });
    await engine.createTask(httpTask(NAMED));
    await clock.advance(40 * DAY);
    await engine.getTask(NAMED);
    await engine.updateQueue({
      queue: { name: QUEUE, taskTtl: 41 * DAY },
      updateMask: ['taskTtl'],
    });
    await clock.advance(DAY - MINUTE);
    await engine.getTask(NAMED);
    await clock.advance(2 * MINUTE);
    await expect(engine.getTask(NAMED)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('a task that goes on failing ends with its time too', async () => {
  const { engine, clock, targets } = await engineUnderTest({
    queue: { retryConfig: { maxAttempts: -1 } },
    target: () => 500,
  });
  const { createTime } = await engine.createTask(httpTask(NAMED));
  await clock.advance(32 * DAY);
  expect(targets.sent.length).toBeGreaterThan(31 * 24);
  expect(targets.sent.at(-1)?.at).toBeLessThanOrEqual(createTime + 31 * DAY);
  await expect(engine.getTask(NAMED)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('many of one age go together, those that are younger stay', async () => {
  const { engine, clock, store } = await engineUnderTest();
  await engine.pauseQueue({ name: QUEUE });
  await Promise.all(Array.from({ length: 1200 }, () => engine.createTask(httpTask())));
  await clock.advance(DAY);
  await engine.createTask(httpTask(NAMED));
  await clock.advance(30 * DAY + 2 * MINUTE);
  expect(store.countTasks(QUEUE)).toBe(1);
  await clock.advance(DAY);
  expect(store.countTasks(QUEUE)).toBe(0);
});

test('what became too old while no engine ran is never sent', async () => {
  const store = new MemoryStore();
  const clock = new VirtualClock();
  const before = await engineUnderTest({ store, clock });
  await before.engine.createTask(httpTask({ ...NAMED, scheduleTime: clock.now() + 20 * DAY }));
  before.engine.abandon();
  await clock.advance(40 * DAY);
  const { engine, targets } = await engineUnderTest({ store, clock });
  await settled();
  await clock.advance(2 * MINUTE);
  expect(targets.sent).toEqual([]);
  await expect(engine.getTask(NAMED)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
