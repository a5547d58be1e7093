/** The rate of a queue: a token for every attempt, so many a second, saved up to a burst. */
import type { Instant } from './time.js';
import { SECOND } from './time.js';

/**
 * A token bucket, kept as the instant at which it will be full again (the generic cell rate
 * algorithm): exact for fractional rates, and nothing has to run to refill it.
 */
export class TokenBucket {
  /** Time that one token takes. */
  private interval: number;
  /** When the bucket is full; in the past for a full one. */
  private fullAt: number;

  /** Starts full. `rate` is tokens a second, above 0; `burst` is at least 1. */
  constructor(
    rate: number,
    private burst: number,
    now: Instant,
  ) {
    this.interval = SECOND / rate;
    this.fullAt = now;
  }

  /** Takes a token if there is one. */
  take(now: Instant): boolean {
    if (this.nextAt(now) > now) return false;
    this.fullAt = Math.max(this.fullAt, now) + this.interval;
    return true;
  }

  /** The first instant, not before `now`, at which there is a token. */
  nextAt(now: Instant): Instant {
    // Emptier than empty means that the clock was set back: a day less of tokens would be wrong.
    this.fullAt = Math.min(this.fullAt, now + this.burst * this.interval);
    return Math.max(now, Math.ceil(this.fullAt - (this.burst - 1) * this.interval));
  }

  /** Changes rate and burst and keeps the tokens that are there, as far as the new burst holds them. */
  configure(rate: number, burst: number, now: Instant): void {
    const missing = Math.max(0, this.fullAt - now) / this.interval;
    const tokens = Math.min(burst, Math.max(0, this.burst - missing));
    this.interval = SECOND / rate;
    this.burst = burst;
    this.fullAt = now + (burst - tokens) * this.interval;
  }
}
