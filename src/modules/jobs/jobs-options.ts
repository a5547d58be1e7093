/** What whoever mounts the jobs decides. */
import type { MailPlace } from '../../host/open-mail.js';

/** Injects `JobsOptions`. */
export const JOBS_OPTIONS = Symbol('JOBS_OPTIONS');

export interface JobsOptions {
  readonly mail: {
    /** Absent, no mail can be sent. */
    readonly place?: MailPlace;
    readonly from: string;
    /** Whether a mailbox is shown at `/mailbox`; only where the app listens on loopback alone. */
    readonly shown: boolean;
  };
}
