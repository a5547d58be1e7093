/** A `Clock` that can be put ahead of another, so that a test needn't wait for a time to come. */
import type { Clock, Timer } from '../engine/ports.js';
import type { Duration, Instant } from '../engine/time.js';

interface Waiting {
  readonly instant: Instant;
  readonly callback: () => void;
  timer: Timer;
}

export class ShiftedClock implements Clock {
  private shift: Duration = 0;
  private readonly waiting = new Set<Waiting>();

  constructor(private readonly clock: Clock) {}

  /** How far it is ahead. */
  get ahead(): Duration {
    return this.shift;
  }

  now(): Instant {
    return this.clock.now() + this.shift;
  }

  at(instant: Instant, callback: () => void): Timer {
    const entry: Waiting = {
      instant,
      callback,
      timer: this.clock.at(instant - this.shift, () => this.fire(entry)),
    };
    this.waiting.add(entry);
    return {
      cancel: () => {
        this.waiting.delete(entry);
        entry.timer.cancel();
      },
    };
  }

  /** By this clock's time: putting it ahead lets that time pass. */
  after(duration: Duration, callback: () => void): Timer {
    return this.at(this.now() + duration, callback);
  }

  /** Puts it ahead by so much more. What comes due by that is called soon, the earliest first. */
  advance(by: Duration): void {
    this.setTo(this.shift + by);
  }

  /** Back to the other clock's time. */
  reset(): void {
    this.setTo(0);
  }

  private setTo(shift: Duration): void {
    this.shift = shift;
    for (const entry of [...this.waiting].sort((a, b) => a.instant - b.instant)) {
      entry.timer.cancel();
      entry.timer = this.clock.at(entry.instant - shift, () => this.fire(entry));
    }
  }

  private fire(entry: Waiting): void {
    this.waiting.delete(entry);
    entry.callback();
  }
}
