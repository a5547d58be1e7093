/** Drops what has had its time, tombstones and tasks alike, and sleeps as long as nothing has. */
import type { Queue } from './cloud-tasks-api.js';
import type { Clock, EngineEvents, TaskStore, Timer } from './ports.js';
import { taskTtl } from './queue.js';
import { shortId } from './resource-name.js';
import type { Duration, Instant } from './time.js';
import { MINUTE } from './time.js';

/** What ends is swept together, at most so often. */
const PAUSE: Duration = MINUTE;

/** So many tasks are dropped with one commit, and then others have their turn. */
const BATCH = 500;

export interface SweeperPorts {
  readonly clock: Clock;
  readonly store: TaskStore;
  readonly onEvent: EngineEvents;
  readonly queues: () => readonly Queue[];
  readonly tombstoneUntil: (queue: Queue) => Instant;
}

export class Sweeper {
  private timer: Timer | undefined;
  private armedFor: Instant = Infinity;
  private stopped = false;

  constructor(private readonly ports: SweeperPorts) {
    this.look();
  }

  /** Something was made that ends then. */
  at(expiry: Instant): void {
    // Most often: what is new ends after what was there before.
    if (expiry >= this.armedFor || this.stopped) return;
    const { clock } = this.ports;
    const when = Math.max(expiry, clock.now() + PAUSE);
    if (when >= this.armedFor) return;
    this.timer?.cancel();
    this.armedFor = when;
    this.timer = clock.at(when, () => void this.sweep());
  }

  /** Looks up what ends next: at first, and when a queue's rule has changed. */
  look(): void {
    const { store, queues, onEvent } = this.ports;
    try {
      const next = store.nextExpiry();
      if (next !== undefined) this.at(next);
      for (const queue of queues()) {
        // In order of creation, so the first is the oldest; the rest need not be looked at.
        const [oldest] = store.tasks(queue.name, 0, 1, 'BASIC');
        if (oldest) this.at(oldest.request.createTime + taskTtl(queue));
      }
    } catch (error) {
      onEvent({ type: 'store-failure', error });
    }
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private async sweep(): Promise<void> {
    const { clock, store, queues, onEvent } = this.ports;
    this.armedFor = Infinity;
    const now = clock.now();
    try {
      await store.removeExpired(now);
      for (const queue of queues()) await this.removeAged(queue, now);
    } catch (error) {
      onEvent({ type: 'store-failure', error });
    }
    this.look();
  }

  /** An attempt in flight goes on; what becomes of it changes nothing any more. */
  private async removeAged(queue: Queue, now: Instant): Promise<void> {
    const { store, tombstoneUntil, onEvent } = this.ports;
    const isAged = (createTime: Instant) => createTime + taskTtl(queue) <= now;
    let count = 0;
    for (;;) {
      const oldest = store.tasks(queue.name, 0, BATCH, 'BASIC');
      const aged = oldest.filter(({ request }) => isAged(request.createTime));
      if (aged.length === 0) break;
      const until = tombstoneUntil(queue);
      await Promise.all(aged.map(({ seq }) => store.removeTask(seq, until, 'soon')));
      count += aged.length;
    }
    if (count > 0) onEvent({ type: 'tasks-expired', queue: shortId(queue.name), count });
  }
}
