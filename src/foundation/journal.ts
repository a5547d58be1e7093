/** The journal: who works at a thing now, how it ended, and how long that is remembered. */
import type { Duration, Instant } from '../engine/time.js';

/**
 * Shared by all processes that open the same store, so that of many only one works at a thing.
 *
 * A key is claimed for a lease. While that lasts nobody else gets the key; when it lapses, since
 * its holder crashed or gave it back, the next claim takes the key over with a greater fence, and
 * the former holder can neither renew nor complete any more.
 *
 * Every verb throws CloudTasksError UNAVAILABLE while the store can't be reached.
 */
export interface Journal {
  /** Atomic: of any number of callers, in any number of processes, one is told `claimed`. */
  claim(key: string, lease: Duration): Promise<Claim>;

  /** Makes the lease last `lease` from now. False when another claim has taken the key over. */
  renew(key: string, fence: number, lease: Duration): Promise<boolean>;

  /**
   * Records how it ended, for `ttl`; durable when this answers. Also after the lease has lapsed.
   * False, and nothing is recorded, when somebody took the key over, or ended it otherwise: the
   * fence that others are told of what runs lets them end it. Said twice, the same is the same.
   */
  complete(key: string, fence: number, outcome: string, ttl: Duration): Promise<boolean>;

  /** Ends the lease now, so that the next claim gets the key. False as with `complete`. */
  release(key: string, fence: number): Promise<boolean>;

  /** Undefined for a key that nobody has claimed, whose lease lapsed or whose outcome expired. */
  read(key: string): Promise<JournalEntry | undefined>;

  /** Records outcomes of things that nobody claims, replacing what was recorded of them before. */
  note(notes: readonly Note[]): Promise<void>;

  /**
   * Forgets what has expired, as far as the store doesn't do that by itself.
   *
   * @returns how many entries; at least 1000 means that there may be more
   */
  expire(): Promise<number>;

  close(): Promise<void>;
}

export type Claim =
  | {
      readonly state: 'claimed';
      /** Greater than that of every earlier claim of the key: what it writes to can refuse less. */
      readonly fence: number;
    }
  | JournalEntry;

export type JournalEntry =
  | { readonly state: 'running'; readonly fence: number; readonly until: Instant }
  | { readonly state: 'done'; readonly outcome: string; readonly until: Instant };

export interface Note {
  readonly key: string;
  readonly outcome: string;
  readonly ttl: Duration;
}
