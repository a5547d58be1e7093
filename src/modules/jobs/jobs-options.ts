/** What whoever mounts the jobs decides. */
import type { Duration } from '../../engine/time.js';
import type { MailPlace } from '../../host/open-mail.js';
import type { RecordsPlace } from '../../host/open-records.js';
import type { SyncSourceOptions } from './sync-source.js';

/** Injects `JobsOptions`. */
export const JOBS_OPTIONS = Symbol('JOBS_OPTIONS');
/** Injects the app's database, `AppRecords`; null where there is none. */
export const JOBS_RECORDS = Symbol('JOBS_RECORDS');
/** Injects the `SyncSource`; null where there is none. */
export const SYNC_SOURCE = Symbol('SYNC_SOURCE');

export interface JobsOptions {
  readonly mail: {
    /** Absent, no mail can be sent. */
    readonly place?: MailPlace;
    readonly from: string;
    /** Whether a mailbox is shown at `/mailbox`; only where the app listens on loopback alone. */
    readonly shown: boolean;
  };
  /** The app's database; absent, the jobs that need one fail. */
  readonly records?: RecordsPlace;
  readonly sync?: SyncSourceOptions;
  /** What webhooks are signed with, the current one first; none, and they fail. */
  readonly webhookSecrets: readonly string[];
  /** How long what is finished is kept. */
  readonly ages: {
    /** In the mailbox. */
    readonly mails: Duration;
    /** Attempts to deliver webhooks. */
    readonly deliveries: Duration;
    /** Synced entities, since their source has them no more. */
    readonly gone: Duration;
  };
}
