/** Opens an SQLite file that is this app's own, and refuses one that is somebody else's. */
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from './make-folder.js';

export interface OwnDatabase {
  /** Tells our files from other SQLite databases: four letters as a number. */
  readonly applicationId: number;
  /** What makes the tables that aren't there. */
  readonly schema: string;
}

/** Another process has the file for the length of its commit: a few milliseconds. */
export const MOST_PATIENCE_MS = 5000;

/**
 * Creates the file and its folder where missing, readable by this user only.
 *
 * @param file also `:memory:`
 * @throws the system's or SQLite's error
 */
export function openOwnDatabase(file: string, own: OwnDatabase): DatabaseSync {
  if (file !== ':memory:') {
    makeFolder(dirname(file));
    makeFile(file);
  }
  // While it starts there is nothing else to do than wait for another process.
  const db = new DatabaseSync(file, { timeout: MOST_PATIENCE_MS });
  try {
    checkOwner(db, file, own.applicationId);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON');
    db.exec(`BEGIN IMMEDIATE; PRAGMA application_id = ${own.applicationId}; ${own.schema}; COMMIT`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Not opened where it is there: closing it would end the locks that this process has on it. */
function makeFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function checkOwner(db: DatabaseSync, file: string, applicationId: number): void {
  const owner = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const tables = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'];
  if (owner !== applicationId && !(owner === 0 && tables === 0)) {
    throw new Error(`${file} is a database of another application`);
  }
}

/** Parts of a damaged file can show up in SQLite's own words. */
export function databaseReason(error: unknown): string {
  const { message = String(error) } = (error ?? {}) as { message?: string };
  return message.replace(/[^\x20-\x7e]+/g, '?');
}
