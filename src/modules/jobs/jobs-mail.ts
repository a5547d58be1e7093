/** What the jobs know of where mails go. */
import type { OpenMail } from '../../host/open-mail.js';

/** Injects `JobsMail`. */
export const JOBS_MAIL = Symbol('JOBS_MAIL');

/** Both absent where no mail can be sent. */
export type JobsMail = Partial<OpenMail>;
