/** Connects to a PostgreSQL server, as everything of ours that uses one does. */
import type { Pool } from 'pg';

/** @param url `postgres://user:password@host:5432/database` */
export async function openPool(url: string): Promise<Pool> {
  // Only where one is used.
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5000,
    // What hangs longer fails, and its task comes again.
    query_timeout: 5000,
    application_name: 'nest-cloud-tasks',
    allowExitOnIdle: true,
  });
  // A connection that breaks while idle is replaced by the next call.
  pool.on('error', () => undefined);
  return pool;
}

/** Of several addresses that were tried, the error has no message of its own. */
export function postgresReason(error: unknown): string {
  const { message, code } = (error ?? {}) as { message?: string; code?: string };
  return (message || code || 'unknown error').replace(/[^\x20-\x7e]+/g, '?').slice(0, 300);
}
