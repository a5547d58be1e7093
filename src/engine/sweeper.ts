/** Drops tombstones once they have expired, and sleeps as long as there are none. */
import type { Clock, EngineEvents, TaskStore, Timer } from './ports.js';
import type { Duration, Instant } from './time.js';
import { MINUTE } from './time.js';

/** Tombstones are swept together, at most so often. */
const PAUSE: Duration = MINUTE;

export interface SweeperPorts {
  readonly clock: Clock;
  readonly store: TaskStore;
  readonly onEvent: EngineEvents;
}

export class Sweeper {
  private timer: Timer | undefined;
  private stopped = false;

  constructor(private readonly ports: SweeperPorts) {
    this.rearm();
  }

  /** A tombstone was made that expires then. */
  at(expiry: Instant): void {
    if (this.timer || this.stopped) return;
    const { clock } = this.ports;
    this.timer = clock.at(Math.max(expiry, clock.now() + PAUSE), () => void this.sweep());
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private async sweep(): Promise<void> {
    const { clock, store, onEvent } = this.ports;
    try {
      await store.removeExpired(clock.now());
    } catch (error) {
      onEvent({ type: 'store-failure', error });
    }
    this.timer = undefined;
    this.rearm();
  }

  private rearm(): void {
    if (this.stopped) return;
    const next = this.ports.store.nextExpiry();
    if (next !== undefined) this.at(next);
  }
}
