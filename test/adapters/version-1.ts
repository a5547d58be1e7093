/** A database as the first build made it, before the schema had its second version. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';

/**
 * Three queues, of which one is deleted; of three tasks one is done, one waits in the queue
 * `default`, and one was tried in the queue `paused`.
 */
export function writeVersion1(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const made = readFileSync(new URL('version-1.sqlite.gz', import.meta.url));
  writeFileSync(file, gunzipSync(made), { mode: 0o600 });
}
