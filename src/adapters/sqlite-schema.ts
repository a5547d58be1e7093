/** The store's tables, and the steps that bring an older database up to them. */
import { randomInt } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

/** "nctq": tells our files from other SQLite databases. */
export const APPLICATION_ID = 0x6e637471;

/**
 * Step n leads from version n to n + 1; once released it is never changed.
 *
 * A task is two rows, since SQLite rewrites a whole row: settling an attempt must not write the
 * request again, which can be a megabyte. Every index ends in the rowid, that is in `seq`.
 */
const STEPS: readonly string[] = [
  `
  PRAGMA application_id = ${APPLICATION_ID};

  -- The name is in config too. That is null once it was damaged: the tasks wait until the queue
  -- is put again.
  CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    config TEXT,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    schedule_time INTEGER NOT NULL,
    state TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX task_name ON task (queue, id);
  CREATE INDEX task_due ON task (queue, schedule_time);
  CREATE INDEX task_order ON task (queue);

  CREATE TABLE request (
    seq INTEGER PRIMARY KEY,
    head TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB,
    body_checksum INTEGER
  ) STRICT;

  CREATE TABLE tombstone (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstone_until ON tombstone (until);

  CREATE TABLE queue_tombstone (
    name TEXT PRIMARY KEY,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Bytes as they were found, so no types: for a person to look at.
  CREATE TABLE damaged (
    kind, name, reason,
    seq, queue, id, schedule_time, state, checksum,
    head, head_checksum, body, body_checksum
  );
  `,
  `
  -- IAM policies and the like.
  CREATE TABLE value (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Two rows for the reason that a task has two.
  CREATE TABLE job (
    name TEXT PRIMARY KEY,
    head TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB,
    body_checksum INTEGER
  ) STRICT;

  CREATE TABLE job_state (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

export const SCHEMA_VERSION = STEPS.length;

/** The last byte of the one number that SQLite keeps for us in the file's first page. */
const SCHEMA = 0xff;

export function schemaVersion(db: DatabaseSync): number {
  return userVersion(db) & SCHEMA;
}

/**
 * Tells one database of ours from another: the rest of that number, chosen when the file is made.
 * Every checksum covers it, so that no record passes for one of another file, as the pages of a
 * log would that was left beside the wrong database. 0 before it is chosen.
 */
export function storeId(db: DatabaseSync): number {
  return userVersion(db) & ~SCHEMA;
}

export function userVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}

export function newStoreId(): number {
  return randomInt(1, 2 ** 23) << 8;
}

/** Takes the steps that are missing, each in a transaction of its own. */
export function migrate(db: DatabaseSync, steps: readonly string[] = STEPS): void {
  for (const [version, step] of [...steps.entries()].slice(schemaVersion(db))) {
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(`${step}; PRAGMA user_version = ${storeId(db) + version + 1}; COMMIT`);
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
