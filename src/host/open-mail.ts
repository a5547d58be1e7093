/** Opens what takes the app's mails, and loads what that needs, nothing else. */
import type { Mailbox, Mailer } from '../foundation/mail.js';

/** `smtp://` or `smtps://`; a folder for whoever develops, or `:memory:`. */
export type MailPlace = { readonly smtp: string } | { readonly folder: string };

export interface OpenMail {
  readonly mailer: Mailer;
  /** What mails are kept in, where they aren't sent. */
  readonly mailbox?: Mailbox;
}

export async function openMail(place: MailPlace): Promise<OpenMail> {
  if ('smtp' in place) {
    const { SmtpMailer } = await import('../adapters/mail-smtp.js');
    return { mailer: new SmtpMailer(new URL(place.smtp)) };
  }
  const mailbox = await openMailbox(place.folder);
  return { mailer: mailbox, mailbox };
}

async function openMailbox(folder: string): Promise<Mailbox> {
  if (folder === ':memory:') {
    const { MailMemory } = await import('../adapters/mail-memory.js');
    return new MailMemory();
  }
  const { MailFolder } = await import('../adapters/mail-folder.js');
  return new MailFolder(folder);
}
