/** Sends mail by SMTP, each over a connection of its own, which can be cut at any time. */
import type { SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { isLoopback } from '../foundation/loopback.js';
import type { Mail, Mailer } from '../foundation/mail.js';
import { MailError } from '../foundation/mail.js';
import { printable } from '../foundation/printable.js';
import { mailSource } from './mail-source.js';

/** In milliseconds; of a server that says nothing. */
const PATIENCE = {
  dnsTimeout: 5_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
};

interface SmtpError extends Error {
  /** Nodemailer's own: `EENVELOPE`, `EAUTH`, `ETIMEDOUT`. */
  readonly code?: string;
  /** What the server answered, where it did. */
  readonly responseCode?: number;
  readonly response?: string;
}

export class SmtpMailer implements Mailer {
  private readonly options: SMTPConnectionOptions;
  private readonly login: { readonly user: string; readonly pass: string } | undefined;

  /** @param address `smtp://user:password@host:587`, or `smtps://` for TLS from the start */
  constructor(address: URL) {
    const { protocol, hostname, port, username, password } = address;
    const secure = protocol === 'smtps:';
    this.options = {
      ...PATIENCE,
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? (secure ? 465 : 587) : Number(port),
      secure,
      // A password never goes out in the clear, whoever on the way takes STARTTLS out of the offer.
      requireTLS: !secure && username !== '' && !isLoopback(hostname),
    };
    if (username !== '') {
      this.login = { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
    }
  }

  async send(mail: Mail, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const source = await mailSource(mail);
    const connection = new SMTPConnection(this.options);
    const lost = Promise.withResolvers<never>();
    connection.on('error', (error: Error) => lost.reject(error));
    const cut = () => {
      lost.reject(signal.reason);
      connection.close();
    };
    signal.addEventListener('abort', cut);
    // Whoever awaits it hears of it below.
    lost.promise.catch(() => undefined);
    try {
      await Promise.race([this.exchange(connection, mail, source), lost.promise]);
      connection.quit();
    } catch (error) {
      connection.close();
      throw mailError(error, signal);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  private async exchange(connection: SMTPConnection, mail: Mail, source: Buffer): Promise<void> {
    await answered((done) => connection.connect(done));
    const { login } = this;
    if (login) await answered((done) => connection.login({ ...login }, done));
    const envelope = { from: mail.from, to: [mail.to], size: source.length };
    await answered((done) => connection.send(envelope, source, done));
  }
}

function answered(ask: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    ask((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Nodemailer's codes for what is said of sender, recipient and mail, and not of who we are. */
const ABOUT_THE_MAIL: readonly unknown[] = ['EENVELOPE', 'EMESSAGE'];

/**
 * What a server refuses with 5xx it will refuse again. A wrong password or no TLS is ours to mend,
 * and the mail is none the worse for it.
 */
function mailError(error: unknown, signal: AbortSignal): MailError {
  if (signal.aborted) return new MailError('The attempt ended before the mail was taken.', false);
  const { code, responseCode = 0, response, message } = error as SmtpError;
  const permanent = responseCode >= 500 && ABOUT_THE_MAIL.includes(code);
  const said = printable(response ?? message, 300);
  return new MailError(
    `${responseCode ? 'The mail server answered' : 'No mail server'}: ${said}`,
    permanent,
    error,
  );
}
