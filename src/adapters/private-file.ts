/** Keeps one secret in a file that only its owner can read, made once however many start at once. */
import { randomUUID } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CloudTasksError } from '../engine/errors.js';
import { makeFolder } from '../foundation/make-folder.js';

export interface PrivateFile {
  readonly path: string;
  /** What it holds, for errors: `the engine's secret`. */
  readonly what: string;
  readonly make: () => string | Promise<string>;
  readonly isValid: (content: string) => boolean;
}

/**
 * The file's content without white space around it; where there is no such file, a new content,
 * on disk before this answers. Of several processes that find no file one makes it, and the
 * others get what it made.
 *
 * @throws FAILED_PRECONDITION with one line that says what is wrong with the file, and how to mend
 *   it: others may read it, it holds something else, it can't be read or written.
 */
export async function keepPrivateFile(file: PrivateFile): Promise<string> {
  const { path, what, isValid } = file;
  const content = ((await read(path)) ?? (await create(file))).trim();
  if (!isValid(content)) {
    throw refusal(`${path} doesn't hold ${what}: delete it, and the next start makes a new one`);
  }
  return content;
}

async function read(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r');
    const { mode } = await file.stat();
    // Windows has no such bits: a file of the user's folder is the user's there.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const bits = (mode & 0o777).toString(8).padStart(4, '0');
      throw refusal(`${path} is open to other users (mode ${bits}): run chmod 600 ${path}`);
    }
    return await file.readFile('utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable('read', path, error);
  }
}

/** The content that the file has then: ours, or that of whoever was first. */
async function create({ path, make }: PrivateFile): Promise<string> {
  const content = await make();
  const draft = `${path}.${randomUUID()}`;
  try {
    makeFolder(dirname(path));
    try {
      await write(draft, content);
      // Unlike a rename, a link never replaces what another process has just put there, and
      // unlike an exclusive create, it never shows a file that is written half.
      await link(draft, path);
    } finally {
      await unlink(draft).catch(() => undefined);
    }
    await syncFolder(dirname(path));
    return content;
  } catch (error) {
    const winners = codeOf(error) === 'EEXIST' ? await read(path) : undefined;
    if (winners !== undefined) return winners;
    throw unusable('write', path, error);
  }
}

async function write(path: string, content: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(`${content.trim()}\n`);
  await file.sync();
}

/** Makes the new name itself survive a crash. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // A folder can't be opened there.
  await using folder = await open(path, 'r');
  await folder.sync();
}

function unusable(verb: 'read' | 'write', path: string, error: unknown): CloudTasksError {
  if (error instanceof CloudTasksError) return error;
  return refusal(
    `can't ${verb} ${path} (${codeOf(error)}): let this user read and write the folder, or choose another by DATA_DIR`,
    error,
  );
}

function refusal(message: string, cause?: unknown): CloudTasksError {
  return new CloudTasksError('FAILED_PRECONDITION', message, { cause });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
