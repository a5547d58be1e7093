/** A clock that moves only when told to, and then stops at every timer on its way. */
import { setImmediate } from 'node:timers';
import type { Clock, Timer } from '../engine/ports.js';
import type { Duration, Instant } from '../engine/time.js';

interface Waiting {
  readonly instant: Instant;
  readonly order: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  private readonly waiting = new Set<Waiting>();
  private order = 0;

  constructor(private instant: Instant = Date.UTC(2026, 0, 1) * 1000) {}

  now(): Instant {
    return this.instant;
  }

  at(instant: Instant, callback: () => void): Timer {
    const entry = { instant, callback, order: this.order++ };
    this.waiting.add(entry);
    return { cancel: () => void this.waiting.delete(entry) };
  }

  after(duration: Duration, callback: () => void): Timer {
    return this.at(this.instant + duration, callback);
  }

  /** How many timers are armed: none, when nothing is due. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Fires every timer up to `duration` from now, each at its own instant. */
  async advance(duration: Duration): Promise<void> {
    const end = this.instant + duration;
    await settled();
    while (this.step(end)) await settled();
    this.instant = end;
  }

  /**
   * Moves to the next timer up to `end` and fires it; where there is none, to `end`.
   *
   * @returns whether there was one
   */
  step(end: Instant): boolean {
    const next = this.earliest(end);
    if (!next) {
      this.instant = Math.max(this.instant, end);
      return false;
    }
    this.waiting.delete(next);
    this.instant = Math.max(this.instant, next.instant);
    next.callback();
    return true;
  }

  private earliest(end: Instant): Waiting | undefined {
    let best: Waiting | undefined;
    for (const entry of this.waiting) {
      if (entry.instant > end) continue;
      if (
        !best ||
        entry.instant < best.instant ||
        (entry.instant === best.instant && entry.order < best.order)
      ) {
        best = entry;
      }
    }
    return best;
  }
}

/**
 * Lets promises that are already decided run their course: a few turns of the event loop, since a
 * memory store answers in microtasks and a grouped commit in one turn.
 */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
