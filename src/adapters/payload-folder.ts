/** Keeps payloads in a folder of this machine, or of a disk that all its processes share. */
import { constants } from 'node:fs';
import { copyFile, open, readdir, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CloudTasksError } from '../engine/errors.js';
import { makeFolder } from '../foundation/make-folder.js';
import type { PayloadStore } from '../foundation/payload-store.js';

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export class PayloadFolder implements PayloadStore {
  readonly path: string;

  /** @throws CloudTasksError FAILED_PRECONDITION when there can be no such folder */
  constructor(path: string) {
    this.path = resolve(path);
    try {
      makeFolder(this.path);
    } catch (error) {
      throw this.unusable('make', error);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.write('write', key, async (path) => {
      // Nobody knows the key before this answers, so nobody can see a file that is written half.
      await using file = await open(path, 'wx', 0o600);
      await file.writeFile(bytes);
      await file.sync();
    });
  }

  async get(key: string, limit: number): Promise<Uint8Array | undefined> {
    try {
      await using file = await open(this.file(key), 'r');
      const chunks: Buffer[] = [];
      for await (const chunk of file.createReadStream({ end: limit - 1, autoClose: false })) {
        chunks.push(chunk as Buffer);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw this.unusable('read', error);
    }
  }

  async copy(from: string, to: string): Promise<boolean> {
    try {
      await this.write('copy', to, async (path) => {
        await copyFile(this.file(from), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        await sync(path, 'r+');
      });
      return true;
    } catch (error) {
      const { cause } = error as CloudTasksError;
      if (codeOf(cause) === 'ENOENT') return false;
      throw error;
    }
  }

  async removeBefore(day: string): Promise<number> {
    try {
      const days = (await readdir(this.path)).filter((name) => DAY.test(name) && name < day);
      let count = 0;
      for (const name of days) {
        const path = join(this.path, name);
        count += (await readdir(path)).length;
        await rm(path, { recursive: true, force: true });
      }
      return count;
    } catch (error) {
      // Another process is at it too.
      if (codeOf(error) === 'ENOENT') return 0;
      throw this.unusable('clear', error);
    }
  }

  /** Makes the file and its name survive a crash; leaves nothing behind of one that can't be made. */
  private async write(
    verb: string,
    key: string,
    make: (path: string) => Promise<void>,
  ): Promise<void> {
    const path = this.file(key);
    const folder = dirname(path);
    try {
      makeFolder(folder);
      try {
        await make(path);
      } catch (error) {
        // What was there before is somebody's.
        if (codeOf(error) !== 'EEXIST') await unlink(path).catch(() => undefined);
        throw error;
      }
      await syncFolder(folder);
      await syncFolder(this.path);
    } catch (error) {
      throw this.unusable(verb, error);
    }
  }

  private file(key: string): string {
    return join(this.path, key);
  }

  private unusable(verb: string, cause: unknown): CloudTasksError {
    if (cause instanceof CloudTasksError) return cause;
    const code = codeOf(cause);
    const problem = code === '' ? String(cause) : code;
    return new CloudTasksError(
      // A full disk may be emptied; a folder that isn't ours stays so.
      code === 'ENOSPC' || code === 'EIO' || code === 'EMFILE'
        ? 'UNAVAILABLE'
        : 'FAILED_PRECONDITION',
      `Can't ${verb} a payload in ${this.path} (${problem}).`,
      { cause },
    );
  }
}

async function sync(path: string, flags: string): Promise<void> {
  await using file = await open(path, flags);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // A folder can't be opened there.
  await sync(path, 'r');
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
