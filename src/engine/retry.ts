/** When a failed attempt is tried again, and when it no longer is. */
import type { RetryConfig } from './cloud-tasks-api.js';
import type { Duration, Instant } from './time.js';

/**
 * The wait before retry `n`, counted from 1: doubled `maxDoublings` times, then linear, never more
 * than `maxBackoff`. Production shows no jitter.
 *
 * With min 10 s, max 300 s and 3 doublings: 10, 20, 40, 80, 160, 240, 300, 300 …
 */
export function retryDelay(config: RetryConfig, n: number): Duration {
  const { minBackoff, maxBackoff, maxDoublings } = config;
  const doublings = Math.min(n - 1, maxDoublings);
  const steps = Math.max(1, n - maxDoublings);
  // 2 ** doublings overflows to Infinity, and 0 times that is no number.
  return minBackoff === 0 ? 0 : Math.min(minBackoff * 2 ** doublings * steps, maxBackoff);
}

/**
 * Whether a task that has failed `attempts` times is given up. Where both limits are set both must
 * have been reached, so that a short duration alone never cuts the default 100 attempts.
 */
export function isExhausted(config: RetryConfig, attempts: number, age: Duration): boolean {
  const byAttempts = config.maxAttempts !== -1;
  const byDuration = config.maxRetryDuration > 0;
  if (!byAttempts && !byDuration) return false;
  return (
    (!byAttempts || attempts >= config.maxAttempts) &&
    (!byDuration || age >= config.maxRetryDuration)
  );
}

/** What the decision rests on: how often it was tried, since when, and from when to count on. */
export interface FailedAttempt {
  /** This attempt included. */
  readonly attempts: number;
  readonly firstDispatch: Instant;
  readonly now: Instant;
  /** The wait runs from here: the response's time, or the call's for RunTask. */
  readonly countFrom: Instant;
  /** What the target asked for, whatever the backoff says. */
  readonly notBefore?: Instant;
}

/** When to try again; undefined when the task is given up. */
export function nextRetry(config: RetryConfig, failed: FailedAttempt): Instant | undefined {
  if (isExhausted(config, failed.attempts, failed.now - failed.firstDispatch)) return undefined;
  const { countFrom, notBefore = countFrom } = failed;
  return Math.max(countFrom + retryDelay(config, failed.attempts), notBefore);
}
