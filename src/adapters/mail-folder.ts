/** A mailbox in a folder: each mail as an `.eml` file, and beside it what it was made of. */
import { open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../foundation/make-folder.js';
import type { Mail, Mailbox, StoredMail } from '../foundation/mail.js';
import { MailError } from '../foundation/mail.js';
import { mailSource } from './mail-source.js';

/** Listed at once; older ones are still there as files. */
const MOST_LISTED = 200;
const ID = /^\d{13}-[\w-]{1,80}$/;

export class MailFolder implements Mailbox {
  constructor(private readonly folder: string) {}

  async send(mail: Mail): Promise<void> {
    const id = `${String(mail.date.getTime()).padStart(13, '0')}-${mail.messageId.replace(/[^\w-]+/g, '_').slice(0, 80)}`;
    try {
      makeFolder(this.folder);
      await this.write(`${id}.json`, JSON.stringify(mail));
      // Last: what has an .eml is whole.
      await this.write(`${id}.eml`, await mailSource(mail));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      throw new MailError(`The mailbox ${this.folder} can't be written (${code}).`, false, error);
    }
  }

  async list(): Promise<StoredMail[]> {
    const ids = (await this.ids()).sort().reverse().slice(0, MOST_LISTED);
    const mails = await Promise.all(ids.map((id) => this.read(id)));
    return mails.filter((mail) => mail !== undefined);
  }

  async read(id: string): Promise<StoredMail | undefined> {
    const content = ID.test(id)
      ? await present(readFile(join(this.folder, `${id}.json`), 'utf8'))
      : undefined;
    if (content === undefined) return undefined;
    const mail = JSON.parse(content) as Mail & { readonly date: string };
    return { ...mail, id, date: new Date(mail.date) };
  }

  async source(id: string): Promise<Uint8Array | undefined> {
    return ID.test(id) ? present(readFile(join(this.folder, `${id}.eml`))) : undefined;
  }

  async expire(before: Date): Promise<number> {
    const old = (await this.ids()).filter((id) => Number(id.slice(0, 13)) < before.getTime());
    for (const id of old) {
      // What is left by a crash in between is still found.
      for (const kind of ['json', 'eml']) await present(unlink(join(this.folder, `${id}.${kind}`)));
    }
    return old.length;
  }

  private async ids(): Promise<string[]> {
    const names = (await present(readdir(this.folder))) ?? [];
    return names.flatMap((name) => {
      const id = name.endsWith('.eml') ? name.slice(0, -4) : '';
      return ID.test(id) ? [id] : [];
    });
  }

  /** Whole or not at all, and there after a crash. */
  private async write(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.folder, name);
    const draft = `${path}.tmp`;
    {
      await using file = await open(draft, 'w', 0o600);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(draft, path);
  }
}

/** Undefined for a file or folder that isn't there. */
async function present<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
