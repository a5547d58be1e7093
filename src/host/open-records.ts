/** Opens the app's database, and loads what that needs, nothing else. */
import type { AppRecords } from '../foundation/app-records.js';

/** An SQLite file, or `:memory:`; or a server at a `postgres://` address. */
export type RecordsPlace = { readonly file: string } | { readonly postgres: string };

/** @throws Error with one line for a person; never a password */
export async function openRecords(place: RecordsPlace): Promise<AppRecords> {
  if ('postgres' in place) {
    const { openPostgresRecords } = await import('../adapters/records-postgres.js');
    return openPostgresRecords(place.postgres);
  }
  const { openSqliteRecords } = await import('../adapters/records-sqlite.js');
  return openSqliteRecords(place.file);
}
