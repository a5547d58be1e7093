/** The app's records in PostgreSQL, which all its instances share. */
import type { Pool } from 'pg';
import type { AppRecords } from '../foundation/app-records.js';
import { CloudTasksError } from '../engine/errors.js';
import { openPool, postgresReason } from '../foundation/postgres-pool.js';
import type { SqlDatabase, SqlRow, SqlValue } from './records-sql.js';
import { RECORDS_SCHEMA, SqlRecords } from './records-sql.js';

/** Processes that start at once would collide in `CREATE TABLE IF NOT EXISTS`. */
const SCHEMA = `SELECT pg_advisory_xact_lock(7165349121); ${RECORDS_SCHEMA}`;

class PostgresDatabase implements SqlDatabase {
  constructor(private readonly pool: Pool) {}

  async query(sql: string, values: readonly SqlValue[]) {
    try {
      const result = await this.pool.query<SqlRow>(sql, [...values]);
      return { rows: result.rows, changes: result.rowCount ?? 0 };
    } catch (error) {
      throw new CloudTasksError(
        'UNAVAILABLE',
        `The app's PostgreSQL failed (${postgresReason(error)}).`,
        { cause: error },
      );
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

/**
 * Makes its tables where they are missing.
 *
 * @param url `postgres://user:password@host:5432/database`
 * @throws Error with one line for a person; never the password
 */
export async function openPostgresRecords(url: string): Promise<AppRecords> {
  const pool = await openPool(url);
  try {
    await pool.query(SCHEMA);
  } catch (error) {
    await pool.end();
    throw new Error(
      `The app's PostgreSQL can't be used (${postgresReason(error)}): check DATABASE_URL, the server, and that this user may create a table.`,
      { cause: error },
    );
  }
  return new SqlRecords(new PostgresDatabase(pool));
}
