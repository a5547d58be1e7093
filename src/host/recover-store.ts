/** Saves what is sound in the database of an engine that refuses to start on it. */
import { join } from 'node:path';
import type { Recovery } from '../adapters/sqlite-recover.js';
import { recoverSqlite } from '../adapters/sqlite-recover.js';

export type { Recovery } from '../adapters/sqlite-recover.js';

/**
 * Makes a new database of it in `dataDir`, and leaves the damaged one beside.
 *
 * @throws Error with one line for a person: there is none, an engine runs on it, or nothing of it
 * can be read. Then all is as it was.
 */
export function recoverStore(dataDir: string): Recovery {
  return recoverSqlite(join(dataDir, 'tasks.sqlite'), new Date());
}
