/** System throttling: what slows a queue down, what does not, and that it always recovers. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AttemptResult } from '../../src/engine/attempt.js';
import { Throttle } from '../../src/engine/throttle.js';
import { HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import type { Target } from '../support/engine-under-test.js';
import { appEngineTask, engineUnderTest, httpTask, QUEUE } from '../support/engine-under-test.js';

const status = (code: number): AttemptResult => ({ kind: 'response', status: code });

describe('the rate', () => {
  /** Twenty tasks, each tried once: `bad` of them end so. */
  const cutBy = (bad: number, end: AttemptResult, isHttp = true): boolean => {
    const throttle = new Throttle();
    let isCut = false;
    for (let seq = 0; seq < 20; seq++) {
      const result = seq < bad ? end : status(200);
      isCut = throttle.ended({ seq, dispatchTime: 0, isHttp }, result, seq) || isCut;
    }
    return isCut;
  };

  test.each([
    [429, true],
    [503, true],
    [503, false],
  ])('is cut when of 20 tasks 5 are answered %d (HTTP: %s)', (code, isHttp) => {
    expect(cutBy(5, status(code), isHttp)).toBe(true);
    expect(cutBy(4, status(code), isHttp)).toBe(false);
  });

  test.each<[AttemptResult, boolean]>([
    [status(500), true],
    [status(404), true],
    [status(302), true],
    [status(429), false],
    [{ kind: 'deadline' }, true],
    [{ kind: 'no-response', reason: 'x' }, true],
  ])('is cut when of 20 tasks 10 end with %j (HTTP: %s)', (result, isHttp) => {
    expect(cutBy(10, result, isHttp)).toBe(true);
    expect(cutBy(9, result, isHttp)).toBe(false);
  });

  test('is never above what is configured, and a minute after the last cut it is that again', () => {
    const ends = fc.record({
      wait: fc.nat({ max: 3 * SECOND }),
      took: fc.nat({ max: SECOND }),
      code: fc.constantFrom(200, 429, 500, 503),
    });
    const configured = fc.double({ min: 0.01, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.array(ends, { maxLength: 500 }), configured, (attempts, rate) => {
        const throttle = new Throttle();
        let now = 0;
        for (const [seq, { wait, took, code }] of attempts.entries()) {
          now += wait;
          const attempt = { seq, dispatchTime: now - took, isHttp: true };
          const before = throttle.rate(rate, now);
          if (throttle.ended(attempt, status(code), now)) {
            expect(throttle.rate(rate, now)).toBeLessThanOrEqual(before);
          } else {
            expect(throttle.rate(rate, now)).toBe(before);
          }
          expect(throttle.rate(rate, now)).toBeLessThanOrEqual(rate);
          expect(throttle.rate(rate, now)).toBeGreaterThanOrEqual(Math.min(1, rate));
        }
        expect(throttle.rate(rate, now + MINUTE)).toBe(rate);
      }),
    );
  });

  test('is not cut twice by what was sent before the first cut', () => {
    const throttle = new Throttle();
    const cuts = Array.from({ length: 200 }, (_, seq) =>
      throttle.ended({ seq, dispatchTime: 0, isHttp: true }, status(503), seq),
    );
    expect(cuts.filter(Boolean)).toHaveLength(1);
  });

  test('is not cut by tasks that are few in 10 seconds', () => {
    const throttle = new Throttle();
    for (let seq = 0; seq < 100; seq++) {
      const now = seq * 600 * MILLISECOND;
      const attempt = { seq, dispatchTime: now, isHttp: true };
      expect(throttle.ended(attempt, status(503), now)).toBe(false);
    }
  });
});

async function load(target: Target, create = httpTask) {
  const under = await engineUnderTest({
    queue: { rateLimits: { maxDispatchesPerSecond: 100 }, retryConfig: { minBackoff: HOUR } },
    target,
  });
  const { engine, clock, targets } = under;
  await engine.pauseQueue({ name: QUEUE });
  await Promise.all(Array.from({ length: 2000 }, () => engine.createTask(create())));
  await engine.resumeQueue({ name: QUEUE });
  const sentIn = async (seconds: number) => {
    const before = targets.sent.length;
    await clock.advance(seconds * SECOND);
    return targets.sent.length - before;
  };
  const effective = async () =>
    (await engine.getQueue({ name: QUEUE, readMask: ['stats'] })).stats?.effectiveExecutionRate;
  return { ...under, sentIn, effective };
}

describe('a queue', () => {
  test.each([
    ['HTTP targets with 429', 429, httpTask],
    ['HTTP targets with 503', 503, httpTask],
    ['App Engine targets with 503', 503, appEngineTask],
    ['any targets with 500', 500, httpTask],
  ])('of %s sends far less, and is whole again a minute after', async (_, code, create) => {
    let answer = code;
    const { sentIn, effective, engine, events, targets } = await load(() => answer, create);
    await sentIn(10);
    expect(await sentIn(10)).toBeLessThan(100);
    expect(await effective()).toBeLessThan(25);
    expect((await engine.getQueue({ name: QUEUE })).rateLimits.maxDispatchesPerSecond).toBe(100);
    expect(events.filter(({ type }) => type === 'throttled')).toHaveLength(1);
    answer = 200;
    await sentIn(60);
    expect(await effective()).toBe(100);
    const before = targets.sent.length;
    await Promise.all(Array.from({ length: 1500 }, () => engine.createTask(create())));
    expect(await sentIn(10)).toBeGreaterThanOrEqual(1000);
    expect(targets.sent.length).toBeGreaterThan(before);
  });

  test('whose targets mostly work keeps its rate', async () => {
    const { sentIn, effective } = await load((n) => (n % 5 === 0 ? 503 : 200));
    await sentIn(10);
    expect(await effective()).toBe(100);
  });

  test('is not slowed by a few tasks, however often they fail', async () => {
    const { engine, clock, targets, events } = await engineUnderTest({
      queue: { retryConfig: { maxAttempts: -1, minBackoff: MILLISECOND, maxBackoff: MILLISECOND } },
      target: () => 503,
    });
    for (let task = 0; task < 19; task++) await engine.createTask(httpTask());
    await clock.advance(SECOND);
    expect(targets.sent.length).toBeGreaterThanOrEqual(500);
    expect(events.filter(({ type }) => type === 'throttled')).toEqual([]);
  });

  test('leaves no timer behind for its recovery', async () => {
    const { sentIn, engine, clock } = await load(() => 503);
    await sentIn(5);
    await engine.pauseQueue({ name: QUEUE });
    await sentIn(0);
    // Only the one that ends the tasks for their age.
    expect(clock.timers).toBe(1);
  });

  test('takes a new limit while it is throttled', async () => {
    const { sentIn, effective, engine } = await load(() => 503);
    await sentIn(10);
    await engine.updateQueue({
      queue: { name: QUEUE, rateLimits: { maxDispatchesPerSecond: 1 } },
      updateMask: ['rateLimits.maxDispatchesPerSecond'],
    });
    expect(await effective()).toBe(1);
    await sentIn(120);
    expect(await effective()).toBe(1);
  });
});

describe('Retry-After', () => {
  /** After how many seconds a task is tried again that would be after 1 s. */
  const retriedAfter = async (code: number, retryAfter: string, create = httpTask) => {
    const { engine, clock, targets } = await engineUnderTest({
      queue: { retryConfig: { minBackoff: SECOND } },
      target: (n) => (n === 1 ? { kind: 'response', status: code, retryAfter } : 200),
    });
    const start = clock.now();
    await engine.createTask(create());
    await clock.advance(2 * HOUR);
    return ((targets.sent[1]?.at ?? NaN) - start) / SECOND;
  };

  test.each([
    ['30', 30],
    [' 30 ', 30],
    ['0', 1],
    ['1', 1],
    // Midnight is when the clock starts.
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['Thursday, 01-Jan-26 00:00:30 GMT', 30],
    ['Thu Jan  1 00:00:30 2026', 30],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 1],
    ['86400', 3600],
    ['Fri, 01 Jan 2027 00:00:00 GMT', 3600],
    ['9999999999', 3600],
    ['-5', 1],
    ['1.5', 1],
    ['soon', 1],
    ['Thu, 99 Jan 2026 00:00:30 GMT', 1],
    ['', 1],
  ])('%j makes a task wait for %d s', async (retryAfter, expected) => {
    expect(await retriedAfter(503, retryAfter)).toBe(expected);
  });

  test('counts with 429 and 503 for HTTP targets, with 503 for App Engine, and never else', async () => {
    expect(await retriedAfter(429, '30')).toBe(30);
    expect(await retriedAfter(503, '30', appEngineTask)).toBe(30);
    expect(await retriedAfter(429, '30', appEngineTask)).toBe(1);
    expect(await retriedAfter(500, '30')).toBe(1);
    expect(await retriedAfter(302, '30')).toBe(1);
  });

  test("doesn't shorten the backoff, and doesn't keep a task that is given up", async () => {
    const { engine, clock, targets } = await engineUnderTest({
      queue: { retryConfig: { minBackoff: MINUTE, maxAttempts: 2 } },
      target: () => ({ kind: 'response', status: 503, retryAfter: '5' }),
    });
    await engine.createTask(httpTask());
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(2);
    expect((targets.sent[1]?.at ?? 0) - (targets.sent[0]?.at ?? 0)).toBe(MINUTE);
  });
});
