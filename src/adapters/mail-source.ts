/** Writes a mail as it goes over the wire. */
import MailComposer from 'nodemailer/lib/mail-composer';
import type { Mail } from '../foundation/mail.js';

/** Lines of the kind that SMTP has, with a `Message-ID` and a `Date` of ours. */
export function mailSource(mail: Mail): Promise<Buffer> {
  const { messageId, from, to, subject, text, html, date } = mail;
  const composer = new MailComposer({
    // As objects: the addresses are no lists, groups or names to be parsed.
    from: { name: '', address: from },
    to: { name: '', address: to },
    ...{ messageId, subject, text, html, date },
    newline: 'win',
    // Nothing in a mail may make this process read a file or call a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
