/** Makes a new database of what is sound in a damaged one, which stays beside it. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { idWithoutLog, isBusy } from './sqlite-file.js';
import { logProblem } from './sqlite-log.js';
import type { Salvaged } from './sqlite-salvage.js';
import { Salvage } from './sqlite-salvage.js';
import { storeId } from './sqlite-schema.js';

export interface Recovery extends Salvaged {
  /** What is wrong with the log, if that is damaged: what was written last is lost with it. */
  readonly log: string | undefined;
  /** Where the damaged file is now. */
  readonly old: string;
}

/**
 * @throws Error with one line for a person: there is no such file, an engine has it open, or
 * nothing of it can be read.
 */
export function recoverSqlite(file: string, now: Date): Recovery {
  if (!existsSync(file)) throw new Error(`There is no task database ${file}.`);
  refuseWhileInUse(file);
  const old = `${file}.damaged-${now.toISOString().replace(/[:.]/g, '-')}`;
  const reading = `${file}.reading`;
  const fresh = `${file}.recovered`;
  remove(reading);
  remove(fresh);
  copy(file, old);
  // Opening it would write to it: the log's pages go home.
  copy(file, reading);
  try {
    const { source, log } = openDamaged(reading);
    const { kept, lost } = new Salvage(source, fresh).run();
    source.close();
    // In this order: wherever this ends, the next start finds the old file or the new one, and
    // tells a log that is left from before by its id.
    renameSync(fresh, file);
    rmSync(`${file}-wal`, { force: true });
    syncFolder(dirname(file));
    return { kept, lost, log, old };
  } catch (error) {
    remove(old);
    throw error;
  } finally {
    remove(reading);
    remove(fresh);
  }
}

function openDamaged(file: string): { source: DatabaseSync; log: string | undefined } {
  let log = logProblem(file);
  try {
    const own = idWithoutLog(file);
    let source = openAsItIs(file);
    if (own !== 0 && own !== storeId(source)) {
      log = 'its log belongs to another database';
      source.close();
      rmSync(`${file}-wal`);
      source = openAsItIs(file);
    }
    // Where one of these is gone, no task can be told.
    source.prepare('SELECT 1 FROM queue, task, request LIMIT 0').get();
    return { source, log };
  } catch (error) {
    throw new Error(
      `Nothing can be read of the task database (${(error as Error).message}): restore a copy, or move it and its -wal file away to start empty.`,
      { cause: error },
    );
  }
}

function openAsItIs(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { defensive: false });
  // With a schema to mend, SQLite also opens a file that is shorter than it says.
  db.exec('PRAGMA writable_schema = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -32768');
  return db;
}

function refuseWhileInUse(file: string): void {
  let db: DatabaseSync | undefined;
  try {
    // Writes nothing, also when it is closed.
    db = new DatabaseSync(file, { readOnly: true });
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (error) {
    if (!isBusy(error)) return;
    throw new Error(`The task database ${file} is in use by an engine: stop that one first.`, {
      cause: error,
    });
  } finally {
    db?.close();
  }
}

/** A database and its log. */
function copy(from: string, to: string): void {
  for (const suffix of ['', '-wal']) {
    if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
  }
}

function remove(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
}

/** Makes a new name itself survive a crash. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return; // A folder can't be opened there.
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
