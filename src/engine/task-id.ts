/** Makes the ids of tasks that come without a name. */
import type { Clock, Random } from './ports.js';
import type { Instant } from './time.js';

/** Digits of the id that are drawn by chance, so that a clock that was set back repeats none. */
const DRAWN = 4;

/**
 * Twenty digits that only grow: the microsecond, or the next one that is free, and some chance.
 *
 * Clients must not read anything into them. That they grow keeps what is new together in the
 * store's indexes: a hundred random ids touch a hundred pages in a commit, these touch two.
 */
export class TaskIds {
  private last: Instant = 0;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  next(): string {
    this.last = Math.max(this.last + 1, this.clock.now());
    const drawn = Math.floor(this.random() * 10 ** DRAWN);
    return `${this.last}${String(drawn).padStart(DRAWN, '0')}`;
  }
}
