/** A mailbox that keeps nothing beyond its process. */
import type { Mail, Mailbox, StoredMail } from '../foundation/mail.js';
import { mailSource } from './mail-source.js';

export class MailMemory implements Mailbox {
  private readonly mails = new Map<
    string,
    { readonly mail: StoredMail; readonly source: Buffer }
  >();
  private count = 0;

  async send(mail: Mail): Promise<void> {
    const id = `${mail.date.getTime()}-${this.count++}`;
    this.mails.set(id, { mail: { ...mail, id }, source: await mailSource(mail) });
  }

  async list(): Promise<StoredMail[]> {
    return [...this.mails.values()].map(({ mail }) => mail).reverse();
  }

  async read(id: string): Promise<StoredMail | undefined> {
    return this.mails.get(id)?.mail;
  }

  async source(id: string): Promise<Uint8Array | undefined> {
    return this.mails.get(id)?.source;
  }

  async expire(before: Date): Promise<number> {
    const old = [...this.mails].filter(([, { mail }]) => mail.date < before);
    for (const [id] of old) this.mails.delete(id);
    return old.length;
  }
}
