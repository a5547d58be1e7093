/** A real SMTP server on loopback, which says what it received and answers as it is told. */
import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came. */
  readonly source: string;
}

/** What to answer with in place of 250: at the recipient, or after the whole mail. */
export interface MailAnswer {
  readonly at: 'recipient' | 'data';
  readonly code: number;
}

export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** Answers for the mails to come, in their order; then all are taken. */
  readonly answers: MailAnswer[] = [];
  private readonly server: SMTPServer;

  private constructor() {
    this.server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onRcptTo: (_address, _session, done) => {
        if (this.answers[0]?.at === 'recipient') done(refusal(this.answers.shift()));
        else done();
      },
      onData: (stream, session, done) => {
        const parts: Buffer[] = [];
        stream.on('data', (part: Buffer) => parts.push(part));
        stream.on('end', () => {
          if (this.answers[0]?.at === 'data') {
            done(refusal(this.answers.shift()));
            return;
          }
          const { mailFrom, rcptTo } = session.envelope;
          this.received.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            source: Buffer.concat(parts).toString(),
          });
          done();
        });
      },
    });
    // A client that leaves in the middle.
    this.server.on('error', () => undefined);
  }

  static async start(): Promise<MailServer> {
    const mail = new MailServer();
    const listening = once(mail.server.listen(0, '127.0.0.1'), 'listening');
    await listening;
    return mail;
  }

  get url(): string {
    const address = this.server.server.address();
    if (address === null || typeof address === 'string') throw new Error('It does not listen.');
    return `smtp://127.0.0.1:${address.port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(resolve));
  }
}

function refusal(answer: MailAnswer | undefined): Error {
  const error = new Error(answer && answer.code >= 500 ? 'No such mailbox here' : 'Come again');
  return Object.assign(error, { responseCode: answer?.code });
}
