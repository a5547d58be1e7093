/** A mail, what sends it, and the mailbox that takes its place where mail isn't sent. */

export interface Mail {
  /** With its angle brackets. The same for every delivery of a task. */
  readonly messageId: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly date: Date;
}

export interface Mailer {
  /**
   * Resolves when somebody else answers for the mail: the server has taken it, or it is on disk.
   *
   * @param signal ends it, as far as it hasn't been handed over
   * @throws MailError
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** Keeps mails for whoever develops, instead of sending them. */
export interface Mailbox extends Mailer {
  /** The newest first. */
  list(): Promise<StoredMail[]>;
  read(id: string): Promise<StoredMail | undefined>;
  /** The whole mail as it would have been sent (RFC 5322). */
  source(id: string): Promise<Uint8Array | undefined>;
  /** @returns how many older than that were deleted */
  expire(before: Date): Promise<number>;
}

export interface StoredMail extends Mail {
  /** Of letters, digits, `-` and `_`. */
  readonly id: string;
}

export class MailError extends Error {
  override readonly name = 'MailError';

  /** @param permanent whether another try would end the same way */
  constructor(
    message: string,
    readonly permanent: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
