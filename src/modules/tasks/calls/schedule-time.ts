/** When a task's first attempt is to be made: a while after its create, or at an instant. */
import { parseDuration } from '../../../foundation/duration.js';
import { invalidArgument } from '../../../engine/errors.js';
import type { Duration, Instant } from '../../../engine/time.js';
import { MILLISECOND } from '../../../engine/time.js';
import { MOST_AHEAD } from '../task-limits.js';

export type When = { readonly in: Duration } | { readonly at: Instant };

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readCountdown(countdown: unknown): When {
  const wait = parseDuration(countdown, 'countdown');
  if (wait > MOST_AHEAD) {
    const came = String(countdown);
    throw invalidArgument(`countdown: expected at most '30d', got '${came}'.`, 'countdown');
  }
  return { in: wait };
}

/** Two ways to say one thing are refused, rather than one of them ignored. */
export function refuseBoth(countdown: unknown, scheduleTime: unknown): void {
  if (countdown !== undefined && scheduleTime !== undefined) {
    throw invalidArgument('Give countdown or scheduleTime, not both.', 'scheduleTime');
  }
}

/**
 * @returns undefined for at once, also for an instant that has passed
 * @throws CloudTasksError INVALID_ARGUMENT for one that is too far ahead
 */
export function firstAttempt(when: When | undefined, now: Instant): Instant | undefined {
  if (when === undefined) return undefined;
  if ('in' in when) return when.in === 0 ? undefined : now + when.in;
  if (when.at > now + MOST_AHEAD) {
    throw invalidArgument(
      `scheduleTime: expected at most 30 days from now, got ${new Date(when.at / MILLISECOND).toISOString()}.`,
      'scheduleTime',
    );
  }
  return when.at <= now ? undefined : when.at;
}
