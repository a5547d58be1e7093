import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';

describe('now', () => {
  test('is the wall clock, within its millisecond', () => {
    const clock = new SystemClock();
    for (let i = 0; i < 10_000; i++) {
      const before = Date.now() * MILLISECOND;
      const now = clock.now();
      const after = (Date.now() + 1) * MILLISECOND;
      expect(Number.isSafeInteger(now)).toBe(true);
      if (now < before || now >= after) throw new Error(`${now} not in [${before}, ${after})`);
    }
  });

  test('tells microseconds apart and never goes back while the wall clock does not', () => {
    const clock = new SystemClock();
    const seen = Array.from({ length: 20_000 }, () => clock.now());
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen.map((instant) => instant % MILLISECOND)).size).toBeGreaterThan(10);
  });
});

describe('with the wall clock in hand', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  /** A wall clock that can be set, and a steady one that nothing but the time moves. */
  function atNoon() {
    jest.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12) });
    const clock = new SystemClock();
    const fired: number[] = [];
    const noon = clock.now();
    return { clock, noon, fired, fire: () => void fired.push(clock.now() - noon) };
  }

  test('now follows when the wall clock is set, either way', () => {
    const { clock, noon } = atNoon();
    for (const jump of [HOUR, -DAY, DAY, -1 * SECOND]) {
      jest.setSystemTime((noon + jump) / MILLISECOND);
      expect(Math.abs(clock.now() - (noon + jump))).toBeLessThan(MILLISECOND);
    }
  });

  test('a timer calls once, at its instant, and not before at() returns', () => {
    const { clock, noon, fired, fire } = atNoon();
    clock.at(noon + 1500, fire);
    clock.at(noon - DAY, fire);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual([0]);
    jest.advanceTimersByTime(1);
    jest.advanceTimersByTime(HOUR / MILLISECOND);
    expect(fired).toEqual([0, 2 * MILLISECOND]);
  });

  test('a timer beyond 2^31 ms waits for its instant', () => {
    const { clock, noon, fired, fire } = atNoon();
    clock.at(noon + 30 * DAY, fire);
    jest.advanceTimersByTime((30 * DAY) / MILLISECOND - 1);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual([30 * DAY]);
  });

  test('after a jump forward a timer is a minute late at most', () => {
    const { clock, noon, fired, fire } = atNoon();
    clock.at(noon + HOUR, fire);
    jest.setSystemTime((noon + DAY) / MILLISECOND);
    jest.advanceTimersByTime(MINUTE / MILLISECOND);
    expect(fired).toHaveLength(1);
  });

  test('after a jump back a timer still waits for its instant', () => {
    const { clock, noon, fired, fire } = atNoon();
    clock.at(noon + 10 * SECOND, fire);
    jest.setSystemTime((noon - HOUR) / MILLISECOND);
    jest.advanceTimersByTime(HOUR / MILLISECOND);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime((10 * SECOND) / MILLISECOND);
    expect(fired.map((late) => Math.floor(late / SECOND))).toEqual([10]);
  });

  test.each([DAY, -DAY])(
    'a jump of %d µs changes nothing for what waits for time to pass',
    (jump) => {
      const { clock } = atNoon();
      let fired = 0;
      clock.after(90 * MINUTE, () => (fired += 1));
      clock.after(30 * DAY, () => (fired += 1)).cancel();
      jest.setSystemTime((clock.now() + jump) / MILLISECOND);
      jest.advanceTimersByTime((90 * MINUTE) / MILLISECOND - 1);
      expect(fired).toBe(0);
      jest.advanceTimersByTime(1);
      expect(fired).toBe(1);
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  test('a cancelled timer leaves nothing behind, whether due, near or far', () => {
    const { clock, noon, fired, fire } = atNoon();
    const timers = [-SECOND, SECOND, 30 * DAY].map((ahead) => clock.at(noon + ahead, fire));
    const rearmed = clock.at(noon + HOUR, fire);
    for (const timer of timers) timer.cancel();
    jest.advanceTimersByTime((30 * MINUTE) / MILLISECOND);
    rearmed.cancel();
    rearmed.cancel();
    expect(jest.getTimerCount()).toBe(0);
    expect(fired).toEqual([]);
  });

  test('nothing wakes when nothing is due', () => {
    atNoon().clock.now();
    expect(jest.getTimerCount()).toBe(0);
  });
});

test("real timers never call before their instant by the clock's own count", async () => {
  const clock = new SystemClock();
  const early = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const instant = clock.now() + i * 100;
      return new Promise<number>((resolve) => {
        clock.at(instant, () => resolve(clock.now() - instant));
      });
    }),
  );
  expect(Math.min(...early)).toBeGreaterThanOrEqual(0);
});
