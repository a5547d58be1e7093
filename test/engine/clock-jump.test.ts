/** Somebody sets the machine's clock by a day, either way: nothing is lost, stuck, or sent in a storm. */
import { expect, test } from '@jest/globals';
import type { Timer } from '../../src/engine/ports.js';
import type { Duration, Instant } from '../../src/engine/time.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import { QUEUE, engineUnderTest, httpTask } from '../support/engine-under-test.js';
import { settled, VirtualClock } from '../support/virtual-clock.js';

interface Waiting {
  readonly instant: Instant;
  readonly callback: () => void;
  timer: Timer;
}

/** Time passes as it is told to, and the wall clock can be set meanwhile. */
class SettableClock extends VirtualClock {
  private offset: Duration = 0;
  private readonly byWall = new Set<Waiting>();

  override now(): Instant {
    return super.now() + this.offset;
  }

  override at(instant: Instant, callback: () => void): Timer {
    const entry: Waiting = { instant, callback, timer: NONE };
    this.arm(entry);
    return {
      cancel: () => {
        this.byWall.delete(entry);
        entry.timer.cancel();
      },
    };
  }

  override after(duration: Duration, callback: () => void): Timer {
    return super.at(super.now() + duration, callback);
  }

  /** What waits for an instant is called once that has come by the new time. */
  async set(by: Duration): Promise<void> {
    await settled();
    this.offset += by;
    for (const entry of [...this.byWall]) {
      entry.timer.cancel();
      this.arm(entry);
    }
    await this.advance(0);
  }

  private arm(entry: Waiting): void {
    this.byWall.add(entry);
    entry.timer = super.at(entry.instant - this.offset, () => {
      this.byWall.delete(entry);
      entry.callback();
    });
  }
}

const NONE: Timer = { cancel: () => undefined };

const NAMED = `${QUEUE}/tasks/t`;
const RATE = { rateLimits: { maxDispatchesPerSecond: 10 } };
/** What 10 a second gives: `max(10, rate / 5)`. */
const BURST = 10;

test('a day ahead: what became due goes out at its rate, each task once', async () => {
  const clock = new SettableClock();
  const { engine, targets } = await engineUnderTest({ clock, queue: RATE });
  for (let n = 1; n <= 100; n++) {
    await engine.createTask(httpTask({ scheduleTime: clock.now() + n * 10 * MINUTE }));
  }
  await clock.advance(SECOND);
  await clock.set(DAY);
  expect(targets.sent).toHaveLength(BURST);
  await clock.advance(5 * SECOND);
  expect(targets.sent).toHaveLength(BURST + 50);
  await clock.advance(HOUR);
  expect(new Set(targets.header('X-CloudTasks-TaskName')).size).toBe(100);
  expect(targets.sent).toHaveLength(100);
});

test.each([
  ['ahead', DAY],
  ['back', -DAY],
])('a day %s: what is in flight is cut after its deadline, not before', async (_, by) => {
  const clock = new SettableClock();
  const { engine, targets, events } = await engineUnderTest({ clock, target: () => 'hold' });
  await engine.createTask(httpTask({ name: NAMED, dispatchDeadline: 20 * SECOND }));
  await clock.advance(10 * SECOND);
  await clock.set(by);
  await clock.advance(9 * SECOND);
  expect(targets.inFlight).toBe(1);
  await clock.advance(SECOND);
  expect(events).toMatchObject([{ type: 'attempt', result: { kind: 'deadline' } }]);
  await clock.advance(SECOND);
  expect(targets.sent).toHaveLength(2);
});

test('a day back: what is in flight is settled once, and its name stays taken', async () => {
  const clock = new SettableClock();
  const { engine, targets } = await engineUnderTest({ clock, target: () => 'hold' });
  await engine.createTask(httpTask({ name: NAMED }));
  await clock.advance(SECOND);
  await clock.set(-DAY);
  targets.sent[0]?.answer(200);
  await clock.advance(MINUTE);
  expect(targets.sent).toHaveLength(1);
  await expect(engine.createTask(httpTask({ name: NAMED }))).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  });
});

test('a day back: a queue that had used up its tokens goes on at its rate', async () => {
  const clock = new SettableClock();
  const { engine, targets } = await engineUnderTest({ clock, queue: RATE });
  for (let n = 0; n < 30; n++) await engine.createTask(httpTask());
  await clock.advance(SECOND);
  expect(targets.sent).toHaveLength(BURST + 10);
  await clock.set(-DAY);
  for (let n = 0; n < 100; n++) await engine.createTask(httpTask());
  await clock.advance(5 * SECOND);
  expect(targets.sent).toHaveLength(BURST + 10 + 50);
});

test('a day back: what was due by the old time is due when that comes again', async () => {
  const clock = new SettableClock();
  const { engine, targets } = await engineUnderTest({ clock });
  await engine.createTask(httpTask({ scheduleTime: clock.now() + HOUR }));
  await clock.set(-DAY);
  await clock.advance(DAY + HOUR - 1);
  expect(targets.sent).toHaveLength(0);
  await clock.advance(1);
  expect(targets.sent).toHaveLength(1);
});

test('a day back: a queue that was slowed down recovers in a minute, and may be slowed again', async () => {
  const clock = new SettableClock();
  const { engine, targets, events } = await engineUnderTest({ clock, target: () => 503 });
  const someFail = async () => {
    for (let n = 0; n < 20; n++) await engine.createTask(httpTask());
    await clock.advance(50 * MILLISECOND);
  };
  const rate = async () => {
    const { stats } = await engine.getQueue({ name: QUEUE, readMask: ['stats'] });
    return stats?.effectiveExecutionRate;
  };
  await someFail();
  expect(await rate()).toBeLessThan(251);
  targets.target = () => 200;
  await clock.set(-DAY);
  expect(await rate()).toBeLessThan(251);
  await clock.advance(MINUTE / 2);
  expect(await rate()).toBe(500);
  targets.target = () => 503;
  await someFail();
  expect(await rate()).toBeLessThan(251);
  expect(events.filter(({ type }) => type === 'throttled')).toHaveLength(2);
});

test('a day either way: stats count the last minute of what passed', async () => {
  const clock = new SettableClock();
  const { engine } = await engineUnderTest({ clock });
  const executed = async () => {
    const { stats } = await engine.getQueue({ name: QUEUE, readMask: ['stats'] });
    return stats?.executedLastMinuteCount;
  };
  for (const by of [DAY, -2 * DAY]) {
    await engine.createTask(httpTask());
    await clock.advance(0);
    expect(await executed()).toBe(1);
    await clock.set(by);
    expect(await executed()).toBe(0);
  }
});
