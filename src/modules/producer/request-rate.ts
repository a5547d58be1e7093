/** How often somebody may come: a minute's worth at once, then as it fills up again. */
import type { Instant } from '../../engine/time.js';
import { MINUTE, SECOND } from '../../engine/time.js';
import { Refusal } from '../auth/refusal.js';

export class RequestRate {
  private left: number;
  private filledAt: Instant = -Infinity;

  constructor(readonly perMinute: number) {
    this.left = perMinute;
  }

  /** @returns seconds until the next may come; 0 when this one may */
  take(now: Instant): number {
    const filled = (Math.max(now - this.filledAt, 0) / MINUTE) * this.perMinute;
    this.left = Math.min(this.perMinute, this.left + filled);
    this.filledAt = now;
    if (this.left < 1) return Math.ceil((((1 - this.left) / this.perMinute) * MINUTE) / SECOND);
    this.left -= 1;
    return 0;
  }
}

/** One for each caller, by an id that isn't the caller's to choose. */
export class RequestRates {
  private readonly rates = new Map<string, RequestRate>();

  /**
   * @param perMinute of this caller; another than before begins anew
   * @throws TooMany
   */
  take(id: string, perMinute: number, now: Instant, reason: string): void {
    let rate = this.rates.get(id);
    if (rate?.perMinute !== perMinute) {
      rate = new RequestRate(perMinute);
      this.rates.set(id, rate);
    }
    const seconds = rate.take(now);
    if (seconds > 0) throw new TooMany(reason, seconds);
  }
}

/** Answered with 429 and `Retry-After`. */
export class TooMany extends Refusal {
  constructor(
    reason: string,
    readonly seconds: number,
  ) {
    super('RESOURCE_EXHAUSTED', reason);
  }
}
