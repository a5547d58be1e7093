/** Counts what happened in the last minute, in as many numbers as the minute has seconds. */
import type { Instant } from './time.js';
import { SECOND } from './time.js';

const SECONDS = 60;

export class MinuteCounter {
  private readonly counts = new Array<number>(SECONDS).fill(0);
  private newest = 0;

  add(now: Instant): void {
    const second = this.moveTo(now);
    this.counts[second] = (this.counts[second] ?? 0) + 1;
  }

  /** Of the second that has begun and the 59 before it. */
  total(now: Instant): number {
    this.moveTo(now);
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Forgets what is older than a minute; gives the place of the current second. */
  private moveTo(now: Instant): number {
    const current = Math.floor(now / SECOND);
    // Set back a little, the clock goes on counting where it was; set back by more, all is old.
    const isOld = current < this.newest - SECONDS;
    const second = isOld ? current : Math.max(this.newest, current);
    const passed = isOld ? SECONDS : Math.min(second - this.newest, SECONDS);
    for (let back = 0; back < passed; back++) this.counts[(second - back) % SECONDS] = 0;
    this.newest = second;
    return second % SECONDS;
  }
}
