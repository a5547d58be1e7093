/** The journal in PostgreSQL: one table, and each verb one statement, so that it is atomic. */
import type { Pool, QueryResult, QueryResultRow } from 'pg';
import { CloudTasksError } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import type { Claim, Journal, JournalEntry, Note } from '../foundation/journal.js';
import { openPool, postgresReason } from '../foundation/postgres-pool.js';

/** Processes that start at once would collide in `CREATE TABLE IF NOT EXISTS`. */
const SCHEMA = `
  SELECT pg_advisory_xact_lock(7165349120);
  CREATE TABLE IF NOT EXISTS nest_cloud_tasks_journal (
    key text PRIMARY KEY,
    fence bigint NOT NULL,
    until bigint NOT NULL,
    outcome text
  );
  CREATE INDEX IF NOT EXISTS nest_cloud_tasks_journal_until ON nest_cloud_tasks_journal (until);
`;

/**
 * Microseconds. The server's own clock counts, or the clocks of several machines would have to
 * agree. Not `now()`, which stands still in a transaction.
 */
const NOW = 'coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)';

const SQL = {
  // The fence is the time itself, so that it grows also beyond what was forgotten.
  claim: `
    INSERT INTO nest_cloud_tasks_journal AS kept (key, fence, until)
      SELECT $2, now, now + $3::bigint FROM (SELECT ${NOW} AS now) AS clock
      ON CONFLICT (key) DO UPDATE SET
        fence = greatest(kept.fence + 1, excluded.fence), until = excluded.until, outcome = NULL
        WHERE kept.until <= excluded.fence
      RETURNING fence`,
  read: `SELECT fence, until, outcome FROM nest_cloud_tasks_journal
    WHERE key = $2 AND until > ${NOW}`,
  renew: `UPDATE nest_cloud_tasks_journal SET until = ${NOW} + $4::bigint
    WHERE key = $2 AND fence = $3 AND outcome IS NULL`,
  complete: `UPDATE nest_cloud_tasks_journal SET until = ${NOW} + $4::bigint, outcome = $5
    WHERE key = $2 AND fence = $3 AND coalesce(outcome, $5) = $5`,
  release: `UPDATE nest_cloud_tasks_journal SET until = least(until, ${NOW})
    WHERE key = $2 AND fence = $3 AND outcome IS NULL`,
  note: `
    INSERT INTO nest_cloud_tasks_journal AS kept (key, fence, until, outcome)
      SELECT key, now, now + ttl, outcome
        FROM unnest($2::text[], $3::bigint[], $4::text[]) AS note (key, ttl, outcome),
          (SELECT ${NOW} AS now) AS clock
      ON CONFLICT (key) DO UPDATE SET
        fence = greatest(kept.fence + 1, excluded.fence), until = excluded.until,
        outcome = excluded.outcome`,
  expire: `DELETE FROM nest_cloud_tasks_journal WHERE key IN
    (SELECT key FROM nest_cloud_tasks_journal WHERE until < ${NOW} LIMIT 1000)`,
} as const;

export class PostgresJournal implements Journal {
  private constructor(
    private readonly pool: Pool,
    private readonly clock: Clock | undefined,
  ) {}

  /**
   * Makes its table where that is missing.
   *
   * @param url `postgres://user:password@host:5432/database`
   * @param clock in place of the server's own
   * @throws Error with one line for a person; never the password
   */
  static async open(url: string, clock?: Clock): Promise<PostgresJournal> {
    const pool = await openPool(url);
    try {
      await pool.query(SCHEMA);
    } catch (error) {
      await pool.end();
      throw new Error(
        `The journal's PostgreSQL can't be used (${postgresReason(error)}): check STORE_URL, the server, and that this user may create a table.`,
        { cause: error },
      );
    }
    return new PostgresJournal(pool, clock);
  }

  async claim(key: string, lease: Duration): Promise<Claim> {
    for (;;) {
      const [claimed] = (await this.query('claim', key, lease)).rows;
      if (claimed) return { state: 'claimed', fence: Number(claimed['fence']) };
      const entry = await this.read(key);
      // Between the two statements it may have lapsed.
      if (entry) return entry;
    }
  }

  renew(key: string, fence: number, lease: Duration): Promise<boolean> {
    return this.change('renew', key, fence, lease);
  }

  complete(key: string, fence: number, outcome: string, ttl: Duration): Promise<boolean> {
    return this.change('complete', key, fence, ttl, outcome);
  }

  release(key: string, fence: number): Promise<boolean> {
    return this.change('release', key, fence);
  }

  async read(key: string): Promise<JournalEntry | undefined> {
    const [row] = (await this.query('read', key)).rows;
    if (!row) return undefined;
    const until = Number(row['until']);
    const outcome: unknown = row['outcome'];
    return typeof outcome === 'string'
      ? { state: 'done', outcome, until }
      : { state: 'running', fence: Number(row['fence']), until };
  }

  async note(notes: readonly Note[]): Promise<void> {
    // One statement can't write a key twice; in the order of keys, two can't wait for each other.
    const last = [...new Map(notes.map((note) => [note.key, note])).values()];
    last.sort((a, b) => (a.key < b.key ? -1 : 1));
    if (last.length === 0) return;
    const column = <T>(read: (note: Note) => T): T[] => last.map(read);
    await this.query(
      'note',
      column(({ key }) => key),
      column(({ ttl }) => ttl),
      column(({ outcome }) => outcome),
    );
  }

  async expire(): Promise<number> {
    return (await this.query('expire')).rowCount ?? 0;
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async change(verb: keyof typeof SQL, ...values: unknown[]): Promise<boolean> {
    return ((await this.query(verb, ...values)).rowCount ?? 0) > 0;
  }

  /** Prepared once on each connection, by the name. */
  private async query(
    verb: keyof typeof SQL,
    ...values: unknown[]
  ): Promise<QueryResult<QueryResultRow>> {
    const now = this.clock?.now() ?? null;
    try {
      return await this.pool.query({
        name: `nest-cloud-tasks ${verb}`,
        text: SQL[verb],
        values: [now, ...values],
      });
    } catch (error) {
      throw new CloudTasksError(
        'UNAVAILABLE',
        `The journal's PostgreSQL failed (${postgresReason(error)}).`,
        { cause: error },
      );
    }
  }
}
