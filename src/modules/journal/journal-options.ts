/** Where the journal is kept, and what becomes of work that needs one where there is none. */
import type { StorePlace } from '../../foundation/store-url.js';

/** Injects `JournalOptions`. */
export const JOURNAL_OPTIONS = Symbol('JOURNAL_OPTIONS');

export interface JournalOptions {
  /** Absent, there is no journal. */
  readonly place?: StorePlace | undefined;
  /**
   * Full name of the location of all queues, which keeps apps apart that share a store:
   * `projects/local/locations/us-central1`
   */
  readonly location: string;
}

/** Injects the `Journal`, or null where no store was named. */
export const JOURNAL = Symbol('JOURNAL');

/** How to mend it, for every error about a store that isn't there. */
export const STORE_MISSING =
  "needs a store that all instances share: set STORE_URL (the option store of TasksModule) to a 'redis://' or 'postgres://' address";
