/** Outlasts what this machine itself fails at, a full disk for one, without a storm of attempts. */
import type { Clock, EngineEvent } from './ports.js';
import type { Duration, Instant } from './time.js';
import { MINUTE, SECOND } from './time.js';

type Failure = Extract<EngineEvent, { readonly error: unknown }>;

const AGAIN: Duration = SECOND;

/** Whoever reads the log wants to know that it lasts, not each time that it was tried. */
const TOLD_AGAIN: Duration = MINUTE;

export class Trouble {
  private waiting = 0;
  private toldAt: Instant = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly tell: (failure: Failure) => void,
  ) {}

  /** Something waits for a better time: nothing should begin that would only join it. */
  get lasts(): boolean {
    return this.waiting > 0;
  }

  /** Tries until it succeeds; resolves to undefined when `isOver` after a failure. */
  async outlast<T>(
    type: Failure['type'],
    work: () => Promise<T>,
    isOver: () => boolean,
  ): Promise<T | undefined> {
    let waits = false;
    try {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          if (isOver()) return undefined;
          if (!waits) this.waiting++;
          waits = true;
          await this.pause({ type, error });
        }
      }
    } finally {
      if (waits) this.waiting--;
    }
  }

  /** Resolves when it may be tried again. */
  async pause(failure: Failure): Promise<void> {
    const now = this.clock.now();
    if (now < this.toldAt || now >= this.toldAt + TOLD_AGAIN) {
      this.toldAt = now;
      this.tell(failure);
    }
    this.waiting++;
    await new Promise<void>((resolve) => this.clock.after(AGAIN, resolve));
    this.waiting--;
  }
}
