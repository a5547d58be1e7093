/** How often somebody may come: a minute's worth at once, then as it fills up again. */
import type { Instant } from '../../engine/time.js';
import { MINUTE, SECOND } from '../../engine/time.js';

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
