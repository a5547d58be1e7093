/** Opens the store's file for this engine alone, or says in one line why not and how to mend it. */
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { CloudTasksError } from '../engine/errors.js';
import { makeFolder } from '../foundation/make-folder.js';
import { logProblem } from './sqlite-log.js';
import type { Statements } from './sqlite-statements.js';
import { prepareStatements } from './sqlite-statements.js';
import {
  APPLICATION_ID,
  migrate,
  newStoreId,
  SCHEMA_VERSION,
  schemaVersion,
  storeId,
  userVersion,
} from './sqlite-schema.js';

interface SqliteFile {
  readonly db: DatabaseSync;
  readonly sql: Statements;
  /** See {@link storeId}. */
  readonly id: number;
}

/**
 * Creates the file and its folder where missing, readable by this user only.
 *
 * @throws Error with a message of one line for a person: the folder can't be written, the file
 * is damaged, newer, somebody else's or in use.
 */
export function openSqliteFile(file: string): SqliteFile {
  try {
    makeFolder(dirname(file));
    makeFile(file);
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new Error(
      `The task database ${file} can't be written (${code(error)}): make its folder writable for this user, or choose another (DATA_DIR).`,
      { cause: error },
    );
  }
  const problem = logProblem(file);
  if (problem !== undefined) throw damaged(file, problem);
  let db: DatabaseSync | undefined;
  try {
    const own = idWithoutLog(file);
    db = new DatabaseSync(file);
    prepare(db, file);
    const id = storeId(db);
    if (own !== 0 && own !== id) throw damaged(file, 'its log belongs to another database');
    // Fails when a table is damaged beyond use.
    return { db, sql: prepareStatements(db), id };
  } catch (error) {
    db?.close();
    throw unusable(file, error);
  }
}

/**
 * One that is there is not opened: closing it would end the locks that this process has on it,
 * also those of a store that is in use (POSIX).
 */
function makeFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (code(error) !== 'EEXIST') throw error;
  }
}

/** What the file itself says; 0 when it was never written from its log, or can't be read. */
export function idWithoutLog(file: string): number {
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  let db: DatabaseSync | undefined;
  try {
    // By SQLite, which takes care of the locks that this process may have on it.
    db = new DatabaseSync(url, { readOnly: true });
    return storeId(db);
  } catch {
    return 0;
  } finally {
    db?.close();
  }
}

function prepare(db: DatabaseSync, file: string): void {
  // The lock is taken with the first read and kept until the end of the process, so that a
  // second engine can't dispatch the same tasks. It also spares the shared memory file.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  checkOwner(db, file);
  // Each commit is one fsync of the log; fullfsync makes macOS mean it.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON');
  // A page that is damaged is noticed rather than followed.
  db.exec('PRAGMA cell_size_check = ON');
  // 32 MB: names and bodies of a large backlog are spread over the whole file.
  db.exec('PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY');
  // 16 MB: pages that change often are copied home once for many commits.
  db.exec('PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864');
  if (userVersion(db) === 0) db.exec(`PRAGMA user_version = ${newStoreId()}`);
  migrate(db);
  // A write, also when nothing was to migrate: a full disk fails here rather than at a task.
  db.exec(`PRAGMA user_version = ${userVersion(db)}`);
}

/** Before anything is written: a foreign or newer file stays as it is. */
function checkOwner(db: DatabaseSync, file: string): void {
  const version = schemaVersion(db);
  const { application_id: owner } = db.prepare('PRAGMA application_id').get() ?? {};
  const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {};
  const isNew = owner === 0 && version === 0 && tables === 0;
  if (!isNew && owner !== APPLICATION_ID) {
    throw new Error(
      `${file} is a database of another application: move it away, or choose another folder (DATA_DIR).`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `The task database ${file} was written by a newer nest-cloud-tasks (schema ${version}, this one knows ${SCHEMA_VERSION}): update the package, or choose another folder (DATA_DIR).`,
    );
  }
}

interface SqliteError extends Error {
  readonly errcode: number;
  readonly errstr: string;
}

function isSqliteError(error: unknown): error is SqliteError {
  return typeof error === 'object' && error !== null && 'errcode' in error && 'errstr' in error;
}

function hasCode(error: unknown, ...codes: readonly number[]): error is SqliteError {
  return isSqliteError(error) && codes.includes(error.errcode & 0xff);
}

/** Primary result codes of SQLite, https://www.sqlite.org/rescode.html. */
const ERROR = 1;
const BUSY = 5;
const CORRUPT = 11;
const NOTADB = 26;

/** The file is shorter than it says. */
const SHORT_READ = 522;

/**
 * A page that makes no sense or is missing, an index that doesn't fit its table, or a number that
 * became too large for JavaScript to read.
 */
export function isCorruption(error: unknown): error is Error {
  if (isSqliteError(error) && error.errcode === SHORT_READ) return true;
  return hasCode(error, CORRUPT) || code(error) === 'ERR_OUT_OF_RANGE';
}

export function isBusy(error: unknown): boolean {
  return hasCode(error, BUSY);
}

/** What to throw when the file can't be opened or read at first. */
export function unusable(file: string, error: unknown): unknown {
  // Nothing is wrong with our SQL, so ERROR means a table that lost its columns.
  if (isCorruption(error) || hasCode(error, NOTADB, ERROR)) {
    return damaged(file, inOneLine(error.message), error);
  }
  const message = explained(file, error);
  return message === undefined ? error : new Error(message, { cause: error });
}

function damaged(file: string, what: string, cause?: unknown): Error {
  return new Error(
    `The task database ${file} is damaged or not a database (${what}): restore a copy, or keep what is sound by npx nest-cloud-tasks engine recover --data ${dirname(file)}.`,
    { cause },
  );
}

/** What to say of a failure in use: it may succeed later, so producers are told to try again. */
export function storeFailure(verb: 'read' | 'write', error: unknown): unknown {
  if (!isSqliteError(error)) return error;
  const cure = isCorruption(error)
    ? 'stop it, and keep what is sound by npx nest-cloud-tasks engine recover'
    : 'check its disk';
  const message = `The task store can't ${verb} (${inOneLine(error.message)}): ${cure}.`;
  return new CloudTasksError('UNAVAILABLE', message, { cause: error });
}

function explained(file: string, error: unknown): string | undefined {
  if (isBusy(error)) {
    return `The task database ${file} is in use by another engine: stop that one, or give this one a folder of its own (DATA_DIR).`;
  }
  if (isSqliteError(error)) {
    return `The task database ${file} can't be used (${inOneLine(error.message)}): check that its folder is writable and its disk has room, or choose another (DATA_DIR).`;
  }
  return undefined;
}

/** Parts of a damaged file can show up in SQLite's own words. */
function inOneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, '?');
}

function code(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code ?? error);
}
