/** Writes that arrive together, applied in order and made durable by one commit. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CloudTasksError } from '../engine/errors.js';
import { storeFailure } from './sqlite-file.js';

export interface GroupCommitEvents {
  /** How many writes are on disk now. */
  readonly committed: (writes: number) => void;
  /** Writes were undone: what was remembered of the database may be wrong. */
  readonly undone: () => void;
  /** Whether a cure was found for the error of a single write, so that it may be run again. */
  readonly cured: (error: unknown) => boolean;
}

interface Write {
  readonly apply: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** `now`: somebody waits for it. `soon`: it may wait a moment for others to share a commit. */
export type Urgency = 'now' | 'soon';

/**
 * How long a write that isn't urgent waits for others: so many times as long as the last commit
 * took, which is mostly its fsync. A slow disk then takes no more than a fifth of the time.
 */
const PATIENCE = 4;
const SHORTEST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 100;

export class GroupCommit {
  private waiting: Write[] = [];
  private turn: NodeJS.Immediate | undefined;
  private timer: NodeJS.Timeout | undefined;
  private wait = SHORTEST_WAIT_MS;
  private readonly begin: StatementSync;
  private readonly commit: StatementSync;

  constructor(
    private readonly db: DatabaseSync,
    private readonly events: GroupCommitEvents,
  ) {
    this.begin = db.prepare('BEGIN IMMEDIATE');
    this.commit = db.prepare('COMMIT');
  }

  /**
   * Resolves to what `apply` returned, once that is on disk. `apply` runs inside the group's
   * transaction; when a neighbour fails it is undone and run again, so it must not have effects
   * outside of the database.
   *
   * @throws UNAVAILABLE when SQLite can't write, and whatever `apply` throws
   */
  write<T>(apply: () => T, urgency: Urgency = 'now'): Promise<T> {
    if (!this.db.isOpen) {
      return Promise.reject(new CloudTasksError('UNAVAILABLE', 'The store is closed.'));
    }
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ apply, resolve, reject });
      // What else this turn of the event loop brings goes along.
      if (urgency === 'now') this.turn ??= setImmediate(() => this.flush());
      else this.timer ??= setTimeout(() => this.flush(), this.wait);
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    clearImmediate(this.turn);
    clearTimeout(this.timer);
    this.turn = undefined;
    this.timer = undefined;
    this.settle(this.waiting.splice(0));
  }

  private settle(group: readonly Write[]): void {
    if (group.length === 0) return;
    const results: unknown[] = [];
    try {
      this.begin.run();
      for (const write of group) results.push(write.apply());
    } catch (error) {
      this.undo();
      if (group.length > 1) this.settleHalves(group);
      else if (this.events.cured(error)) this.settle(group);
      else group[0]?.reject(storeFailure('write', error));
      return;
    }
    try {
      const start = performance.now();
      this.commit.run();
      const wait = PATIENCE * (performance.now() - start);
      this.wait = Math.min(Math.max(wait, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    } catch (error) {
      // A full or failing disk: it would fail each of them alike.
      this.undo();
      for (const write of group) write.reject(storeFailure('write', error));
      return;
    }
    for (const [index, write] of group.entries()) write.resolve(results[index] as never);
    this.events.committed(group.length);
  }

  /** One of them fails: closing in on it costs few commits, and the order stays. */
  private settleHalves(group: readonly Write[]): void {
    const middle = group.length >> 1;
    this.settle(group.slice(0, middle));
    this.settle(group.slice(middle));
  }

  private undo(): void {
    try {
      // After some errors, a full disk for one, SQLite has rolled back by itself.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      this.events.undone();
    } catch {
      // What went wrong before is told; while this lasts, `begin` refuses whatever comes next.
    }
  }
}
