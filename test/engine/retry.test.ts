import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RetryConfig } from '../../src/engine/cloud-tasks-api.js';
import { isExhausted, nextRetry, retryDelay } from '../../src/engine/retry.js';
import { HOUR, MILLISECOND, SECOND } from '../../src/engine/time.js';

const config: RetryConfig = {
  maxAttempts: -1,
  maxRetryDuration: 0,
  minBackoff: 10 * SECOND,
  maxBackoff: 300 * SECOND,
  maxDoublings: 3,
};

const anyConfig: fc.Arbitrary<RetryConfig> = fc
  .record({
    maxAttempts: fc.constantFrom(-1, 1, 2, 5, 100),
    maxRetryDuration: fc.integer({ min: 0, max: 7200 }).map((s) => s * SECOND),
    minBackoff: fc.integer({ min: 1, max: HOUR }),
    maxBackoff: fc.integer({ min: 1, max: 24 * HOUR }),
    maxDoublings: fc.integer({ min: 0, max: 5000 }),
  })
  .map((drawn) => ({ ...drawn, maxBackoff: Math.max(drawn.minBackoff, drawn.maxBackoff) }));

describe('retryDelay', () => {
  test('doubles, then goes on in steps, up to the most', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => retryDelay(config, n) / SECOND);
    expect(waits).toEqual([10, 20, 40, 80, 160, 240, 300, 300]);
  });

  test('keeps parts of a second', () => {
    const quick = { ...config, minBackoff: 100 * MILLISECOND };
    expect([1, 2, 3, 4, 5].map((n) => retryDelay(quick, n) / MILLISECOND)).toEqual([
      100, 200, 400, 800, 1600,
    ]);
  });

  test('equals the API’s own words for 5,000 random configurations', () => {
    fc.assert(
      fc.property(anyConfig, fc.integer({ min: 1, max: 200 }), (drawn, n) => {
        // "doubled maxDoublings times, then increases linearly, then stays at maxBackoff"
        let interval = drawn.minBackoff;
        let step = drawn.minBackoff;
        for (let retry = 2; retry <= n; retry++) {
          if (retry - 1 <= drawn.maxDoublings) {
            interval *= 2;
            step = interval;
          } else {
            interval += step;
          }
          interval = Math.min(interval, 1e300);
        }
        expect(retryDelay(drawn, n)).toBe(Math.min(interval, drawn.maxBackoff));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('isExhausted', () => {
  const limits = (maxAttempts: number, seconds: number) => ({
    ...config,
    maxAttempts,
    maxRetryDuration: seconds * SECOND,
  });

  test('both limits must be reached where both are set', () => {
    expect(isExhausted(limits(3, 60), 3, 59 * SECOND)).toBe(false);
    expect(isExhausted(limits(3, 60), 2, 61 * SECOND)).toBe(false);
    expect(isExhausted(limits(3, 60), 3, 60 * SECOND)).toBe(true);
  });

  test('one limit alone decides', () => {
    expect(isExhausted(limits(3, 0), 2, HOUR)).toBe(false);
    expect(isExhausted(limits(3, 0), 3, 0)).toBe(true);
    expect(isExhausted(limits(-1, 60), 1000, 59 * SECOND)).toBe(false);
    expect(isExhausted(limits(-1, 60), 1, 60 * SECOND)).toBe(true);
  });

  test('without limits a task is never given up', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (attempts, age) => {
        expect(isExhausted(limits(-1, 0), attempts, age)).toBe(false);
      }),
    );
  });
});

test('nextRetry counts from the instant it is given', () => {
  const failed = { attempts: 2, firstDispatch: 0, now: 50 * SECOND, countFrom: 40 * SECOND };
  expect(nextRetry(config, failed)).toBe(60 * SECOND);
  expect(nextRetry({ ...config, maxAttempts: 2 }, failed)).toBeUndefined();
});
