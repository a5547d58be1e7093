/** The app's records in an SQLite file, where the app has one machine. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AppRecords } from '../foundation/app-records.js';
import { CloudTasksError } from '../engine/errors.js';
import { databaseReason, openOwnDatabase } from '../foundation/own-database.js';
import type { SqlDatabase, SqlValue } from './records-sql.js';
import { RECORDS_SCHEMA, SqlRecords } from './records-sql.js';

/** "nctr": tells our files from other SQLite databases. */
const APPLICATION_ID = 0x6e637472;

class SqliteDatabase implements SqlDatabase {
  private readonly prepared = new Map<string, StatementSync>();

  constructor(private readonly db: DatabaseSync) {}

  async query(sql: string, values: readonly SqlValue[]) {
    try {
      let statement = this.prepared.get(sql);
      if (!statement) {
        statement = this.db.prepare(sql.replaceAll('$', '?'));
        statement.setReadBigInts(true);
        this.prepared.set(sql, statement);
      }
      if (/^\s*SELECT|RETURNING/.test(sql)) {
        const rows = statement.all(...values);
        return { rows, changes: rows.length };
      }
      return { rows: [], changes: Number(statement.run(...values).changes) };
    } catch (error) {
      throw new CloudTasksError(
        'UNAVAILABLE',
        `The app's database can't be used (${databaseReason(error)}).`,
        { cause: error },
      );
    }
  }

  async close(): Promise<void> {
    if (this.db.isOpen) this.db.close();
  }
}

/**
 * Creates the file and its folder where missing, readable by this user only.
 *
 * @throws Error with one line for a person
 */
export function openSqliteRecords(file: string): AppRecords {
  try {
    const db = openOwnDatabase(file, { applicationId: APPLICATION_ID, schema: RECORDS_SCHEMA });
    return new SqlRecords(new SqliteDatabase(db));
  } catch (error) {
    throw new Error(
      `The app's database ${file} can't be used (${databaseReason(error)}): make its folder writable for this user, or choose another (DATA_DIR, or DATABASE_URL).`,
      { cause: error },
    );
  }
}
