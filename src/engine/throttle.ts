/** System throttling: a queue whose targets are overloaded, or mostly fail, sends less for a while. */
import type { AttemptResult } from './attempt.js';
import { succeeded } from './attempt.js';
import type { Duration, Instant } from './time.js';
import { HOUR, MINUTE, SECOND } from './time.js';

/** So many different tasks are judged together. Fewer say nothing: one may fail as it likes. */
const ENOUGH = 20;
/** They must have been tried within this. */
const WINDOW: Duration = 10 * SECOND;
/** The share of bad ends from which the rate is halved; a failure without overload is half a one. */
const TOO_MANY = 1 / 4;
/** From nothing back to the full rate. */
const RECOVERY: Duration = MINUTE;
/** Attempts a second that are always allowed, if the queue's own limit allows as many. */
const LEAST = 1;
const LONGEST_RETRY_AFTER: Duration = HOUR;

/**
 * The share of its rate that a queue allows itself.
 *
 * When of 20 different tasks, tried within 10 s, a quarter met an overload (or half failed
 * otherwise), the rate is halved, but not below one attempt a second. From then on it grows again,
 * by its sixtieth part each second: after a minute without another cut it is whole. What was sent
 * before a cut tells nothing about the time after, so it is not counted again. The share is a
 * function of time: nothing has to run for it to grow.
 */
export class Throttle {
  private share = 1;
  private cutAt: Instant = -Infinity;
  private windowEnd: Instant = -Infinity;
  private readonly tasks = new Set<number>();
  private bad = 0;

  /** Attempts a second, at most `configured`. */
  rate(configured: number, now: Instant): number {
    const least = Math.min(LEAST, configured);
    return Math.max(configured * this.shareAt(now), least);
  }

  /** From 0 to 1. */
  shareAt(now: Instant): number {
    // The clock was set back: it grows on from here.
    if (now < this.cutAt) this.cutAt = now;
    return Math.min(1, this.share + (now - this.cutAt) / RECOVERY);
  }

  /** Counts the end of an attempt; tells whether the rate was cut for it. */
  ended(
    attempt: { readonly seq: number; readonly dispatchTime: Instant; readonly isHttp: boolean },
    result: AttemptResult,
    now: Instant,
  ): boolean {
    if (now < this.cutAt) this.cutAt = now;
    if (attempt.dispatchTime <= this.cutAt) return false;
    if (now > this.windowEnd || now < this.windowEnd - WINDOW) this.openWindow(now);
    if (this.tasks.has(attempt.seq)) return false;
    this.tasks.add(attempt.seq);
    if (isOverload(result, attempt.isHttp)) this.bad += 1;
    else if (!succeeded(result)) this.bad += 1 / 2;
    if (this.tasks.size < ENOUGH) return false;
    const isCut = this.bad >= TOO_MANY * ENOUGH;
    if (isCut) {
      this.share = this.shareAt(now) / 2;
      this.cutAt = now;
    }
    this.openWindow(now);
    return isCut;
  }

  private openWindow(now: Instant): void {
    this.windowEnd = now + WINDOW;
    this.tasks.clear();
    this.bad = 0;
  }
}

/** App Engine takes a 429 for the handler's own affair, and 503 for the instance's. */
function isOverload(result: AttemptResult, isHttp: boolean): boolean {
  return result.kind === 'response' && (result.status === 503 || (isHttp && result.status === 429));
}

/** How long the target asks to be left alone by this task, an hour at most; 0 when it doesn't. */
export function retryAfter(result: AttemptResult, isHttp: boolean, now: Instant): Duration {
  if (result.kind !== 'response' || result.retryAfter === undefined) return 0;
  if (!isOverload(result, isHttp)) return 0;
  const asked = readRetryAfter(result.retryAfter.trim(), now);
  return Math.min(Math.max(0, asked), LONGEST_RETRY_AFTER);
}

const HTTP_DATE = /^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/;

/** Seconds, or a date in one of HTTP's three forms (RFC 9110, 5.6.7); 0 for anything else. */
function readRetryAfter(text: string, now: Instant): Duration {
  if (/^\d{1,10}$/.test(text)) return Number(text) * SECOND;
  if (!HTTP_DATE.test(text)) return 0;
  // The oldest form leaves the zone out, and means the same one.
  // eslint-disable-next-line no-restricted-globals -- reads a text, not the time
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? 0 : date * 1000 - now;
}
