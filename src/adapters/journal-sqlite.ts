/** The journal in an SQLite file, which the processes of one machine may share. */
import type { DatabaseSync } from 'node:sqlite';
import { CloudTasksError } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import type { Claim, Journal, JournalEntry, Note } from '../foundation/journal.js';
import { databaseReason, MOST_PATIENCE_MS, openOwnDatabase } from '../foundation/own-database.js';

/** "nctj": tells our files from other SQLite databases. */
const APPLICATION_ID = 0x6e63746a;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entry (
    key TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,
    until INTEGER NOT NULL,
    outcome TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS entry_until ON entry (until);
`;

const BUSY = 5;

interface Write {
  readonly apply: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

export class SqliteJournal implements Journal {
  private readonly sql: ReturnType<typeof statements>;
  private waiting: Write[] = [];
  private turn: NodeJS.Immediate | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Since when the file has been busy, by `performance.now()`. */
  private busySince: number | undefined;

  private constructor(
    private readonly db: DatabaseSync,
    private readonly clock: Clock,
  ) {
    this.sql = statements(db);
  }

  /**
   * Creates the file and its folder where missing, readable by this user only.
   *
   * @throws Error with one line for a person
   */
  static open(file: string, clock: Clock): SqliteJournal {
    let db: DatabaseSync | undefined;
    try {
      db = openOwnDatabase(file, { applicationId: APPLICATION_ID, schema: SCHEMA });
      db.exec('PRAGMA busy_timeout = 0');
      return new SqliteJournal(db, clock);
    } catch (error) {
      db?.close();
      throw new Error(
        `The journal ${file} can't be used (${databaseReason(error)}): make its folder writable for this user, or choose another store (STORE_URL).`,
        { cause: error },
      );
    }
  }

  claim(key: string, lease: Duration): Promise<Claim> {
    return this.write((): Claim => {
      const now = this.clock.now();
      const entry = this.entry(key, now);
      if (entry) return entry;
      const row = this.sql.claim.get(key, now, now + lease);
      return { state: 'claimed', fence: Number(row?.['fence']) };
    });
  }

  renew(key: string, fence: number, lease: Duration): Promise<boolean> {
    return this.write(() => this.sql.renew.run(this.clock.now() + lease, key, fence).changes > 0);
  }

  complete(key: string, fence: number, outcome: string, ttl: Duration): Promise<boolean> {
    return this.write(
      () => this.sql.complete.run(key, fence, outcome, this.clock.now() + ttl).changes > 0,
    );
  }

  release(key: string, fence: number): Promise<boolean> {
    return this.write(() => this.sql.release.run(this.clock.now(), key, fence).changes > 0);
  }

  async read(key: string): Promise<JournalEntry | undefined> {
    try {
      return this.entry(key, this.clock.now());
    } catch (error) {
      throw unavailable(error);
    }
  }

  note(notes: readonly Note[]): Promise<void> {
    return this.write(() => {
      const now = this.clock.now();
      for (const { key, outcome, ttl } of notes) this.sql.note.run(key, now, now + ttl, outcome);
    });
  }

  expire(): Promise<number> {
    return this.write(() => Number(this.sql.expire.run(this.clock.now()).changes));
  }

  async close(): Promise<void> {
    if (!this.db.isOpen) return;
    this.flush();
    clearTimeout(this.retry);
    for (const { reject } of this.waiting.splice(0)) reject(unavailable('it was closed'));
    this.db.close();
  }

  private entry(key: string, now: number): JournalEntry | undefined {
    const row = this.sql.read.get(key, now);
    if (!row) return undefined;
    const until = Number(row['until']);
    const outcome = row['outcome'];
    return typeof outcome === 'string'
      ? { state: 'done', outcome, until }
      : { state: 'running', fence: Number(row['fence']), until };
  }

  /** What one turn of the event loop brings is one commit, which is mostly its fsync. */
  private write<T>(apply: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.db.isOpen) {
        reject(unavailable('it was closed'));
        return;
      }
      this.waiting.push({ apply, resolve, reject });
      if (this.retry === undefined) this.turn ??= setImmediate(() => this.flush());
    });
  }

  private flush(): void {
    clearImmediate(this.turn);
    this.turn = undefined;
    this.retry = undefined;
    const group = this.waiting.splice(0);
    if (group.length === 0) return;
    let results: unknown[];
    try {
      this.db.exec('BEGIN IMMEDIATE');
      results = group.map(({ apply }) => apply());
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      if (errcode(error) === BUSY && this.mayWait()) {
        // Not SQLite's own waiting, which would block the event loop.
        this.waiting.unshift(...group);
        this.retry = setTimeout(() => this.flush(), 1 + Math.random() * 4);
        return;
      }
      this.busySince = undefined;
      for (const { reject } of group) reject(unavailable(error));
      return;
    }
    this.busySince = undefined;
    for (const [index, { resolve }] of group.entries()) resolve(results[index] as never);
  }

  private mayWait(): boolean {
    this.busySince ??= performance.now();
    return performance.now() - this.busySince < MOST_PATIENCE_MS;
  }
}

function statements(db: DatabaseSync) {
  return {
    read: db.prepare('SELECT fence, until, outcome FROM entry WHERE key = ? AND until > ?'),
    // The fence is the time itself, so that it grows also beyond what was forgotten.
    claim: db.prepare(
      `INSERT INTO entry (key, fence, until) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET
         fence = max(fence + 1, excluded.fence), until = excluded.until, outcome = NULL
       RETURNING fence`,
    ),
    renew: db.prepare('UPDATE entry SET until = ? WHERE key = ? AND fence = ? AND outcome IS NULL'),
    complete: db.prepare(
      `UPDATE entry SET outcome = ?3, until = ?4
       WHERE key = ?1 AND fence = ?2 AND coalesce(outcome, ?3) = ?3`,
    ),
    release: db.prepare(
      'UPDATE entry SET until = min(until, ?) WHERE key = ? AND fence = ? AND outcome IS NULL',
    ),
    note: db.prepare(
      `INSERT INTO entry (key, fence, until, outcome) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET
         fence = max(fence + 1, excluded.fence), until = excluded.until, outcome = excluded.outcome`,
    ),
    expire: db.prepare(
      'DELETE FROM entry WHERE key IN (SELECT key FROM entry WHERE until < ? LIMIT 1000)',
    ),
  };
}

function errcode(error: unknown): number {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

function unavailable(cause: unknown): CloudTasksError {
  return new CloudTasksError(
    'UNAVAILABLE',
    `The journal can't be used (${databaseReason(cause)}).`,
    {
      cause,
    },
  );
}
