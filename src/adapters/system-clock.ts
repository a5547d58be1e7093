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
    return timer(() => instant - this.now(), callback);
  }

  after(duration: Duration, callback: () => void): Timer {
    const end = performance.now() + duration / MILLISECOND;
    return timer(() => (end - performance.now()) * MILLISECOND, callback);
  }
}

/** Calls once nothing is left. */
function timer(timeLeft: () => Duration, callback: () => void): Timer {
  let cancel: () => void;
  const wait = (left: Duration) => {
    if (left > 0) {
      // Rounded up, and looked at again: a timer never calls before its instant.
      const timer = setTimeout(fire, Math.ceil(Math.min(left, LONGEST_WAIT) / MILLISECOND));
      cancel = () => clearTimeout(timer);
    } else {
      // The next turn of the event loop, where a timer would take a millisecond.
      const turn = setImmediate(callback);
      cancel = () => clearImmediate(turn);
    }
  };
  const fire = () => {
    const left = timeLeft();
    if (left > 0) wait(left);
    else callback();
  };
  wait(timeLeft());
  return { cancel: () => cancel() };
}
