/** The engine's `Clock` on the machine's wall clock and Node's timers. */
import type { Clock, Timer } from '../engine/ports.js';
import type { Duration, Instant } from '../engine/time.js';
import { MILLISECOND, MINUTE } from '../engine/time.js';

/**
 * The longest a Node timer is set for; what lies further ahead is set again then. Node's timers
 * count the time that the machine was awake, so after a sleep or a change of the wall clock they
 * are late by all of it. This way that is a minute at most, and to wake once a minute costs
 * nothing. It is also far below the 2^31 ms at which Node would fire at once.
 */
const LONGEST_WAIT: Duration = MINUTE;

export class SystemClock implements Clock {
  /** What `performance.now()` lacks to be the wall clock. */
  private offset: Duration = 0;
  private readonly wall = (): Instant => this.now();

  /**
   * `Date.now()` says which millisecond it is, so this follows the wall clock through every change
   * of it. `performance.now()`, which no change reaches and which may stop while the machine
   * sleeps, only says where inside the millisecond. Goes back only when the wall clock does.
   */
  now(): Instant {
    const wall = Date.now() * MILLISECOND;
    const steady = Math.floor(performance.now() * MILLISECOND);
    const instant = Math.min(Math.max(steady + this.offset, wall), wall + MILLISECOND - 1);
    this.offset = instant - steady;
    return instant;
  }

  at(instant: Instant, callback: () => void): Timer {
    return new ReachingTimer(this.wall, instant, callback);
  }

  after(duration: Duration, callback: () => void): Timer {
    return new ReachingTimer(steady, steady() + duration, callback);
  }
}

function steady(): Duration {
  return performance.now() * MILLISECOND;
}

/** Calls once `now` has come to `end`. Thousands are set at once, so it is one object without closures. */
class ReachingTimer implements Timer {
  private timeout: NodeJS.Timeout | undefined;
  private turn: NodeJS.Immediate | undefined;

  constructor(
    private readonly now: () => number,
    private readonly end: number,
    private readonly callback: () => void,
  ) {
    this.wait(end - now());
  }

  cancel(): void {
    clearTimeout(this.timeout);
    clearImmediate(this.turn);
  }

  look(): void {
    const left = this.end - this.now();
    if (left > 0) this.wait(left);
    else this.callback();
  }

  private wait(left: Duration): void {
    if (left > 0) {
      // Rounded up, and looked at again: a timer never calls before its instant.
      const milliseconds = Math.ceil(Math.min(left, LONGEST_WAIT) / MILLISECOND);
      this.timeout = setTimeout(look, milliseconds, this);
    } else {
      // The next turn of the event loop, where a timer would take a millisecond.
      this.turn = setImmediate(this.callback);
    }
  }
}

function look(timer: ReachingTimer): void {
  timer.look();
}
