/** What a handler may throw to say more than that it failed. */
import { HttpException } from '@nestjs/common';
import type { DurationText } from '../../foundation/duration.js';
import { parseDuration } from '../../foundation/duration.js';
import { invalidArgument } from '../../engine/errors.js';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, MILLISECOND } from '../../engine/time.js';
import type { DeadReason } from './dead-letter.js';

/** As far ahead as Cloud Tasks lets a task be scheduled. */
const MOST_AHEAD: Duration = 30 * DAY;

/**
 * No further attempt would help: the task is parked among the dead letters at once.
 *
 * An `HttpException`, so that Nest doesn't log it as a fault of the program.
 */
export class PermanentFailure extends HttpException {
  /** @param reason shown with the dead letter; kept up to 1000 bytes */
  constructor(reason: string, options: { readonly cause?: unknown } = {}) {
    super(reason, 422, options);
  }
}

/** The same with a reason of its own, for modules of ours that know more than a handler says. */
export class GivenUp extends PermanentFailure {
  constructor(
    readonly reason: DeadReason,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

export interface RetryLaterOptions {
  /** How long to wait, at most `'30d'`, or until when. */
  readonly after: DurationText | Date;
  /** For the log, and for the dead letter if this was the last attempt. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/**
 * Tried again no sooner than asked, as a new task, so that the queue isn't slowed down. It counts
 * as an attempt.
 *
 * @throws CloudTasksError INVALID_ARGUMENT for an `after` that can't be waited for
 */
export class RetryLater extends HttpException {
  private readonly after: { readonly in: Duration } | { readonly at: Instant };

  constructor({ after, reason = 'Try again later.', cause }: RetryLaterOptions) {
    super(reason, 503, { cause });
    this.after = readAfter(after);
  }

  /** When to try again, at most 30 days ahead. */
  retryAt(now: Instant): Instant {
    const { after } = this;
    return 'in' in after ? now + after.in : Math.min(after.at, now + MOST_AHEAD);
  }
}

function readAfter(after: unknown): { readonly in: Duration } | { readonly at: Instant } {
  if (after instanceof Date && !Number.isNaN(after.getTime())) {
    return { at: after.getTime() * MILLISECOND };
  }
  const wait = parseDuration(after, 'after');
  if (wait > MOST_AHEAD) {
    throw invalidArgument(`after: expected at most '30d', got '${String(after)}'.`, 'after');
  }
  return { in: wait };
}
