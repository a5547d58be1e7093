/** The secret by which the app tells the engine's App Engine dispatches from forged ones. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { keepPrivateFile } from '../adapters/private-file.js';

/**
 * Kept in `dataDir`, made at the first start, the same in every process that asks for it;
 * `':memory:'` gives a new one each time. 32 random bytes in hex.
 *
 * @throws FAILED_PRECONDITION with one line that says what is wrong with the file.
 */
export async function engineSecret(dataDir: string): Promise<string> {
  if (dataDir === ':memory:') return newSecret();
  return keepPrivateFile({
    path: join(dataDir, 'engine-secret'),
    what: "the engine's secret",
    make: newSecret,
    isValid: (content) => /^[0-9a-f]{64}$/.test(content),
  });
}

function newSecret(): string {
  return randomBytes(32).toString('hex');
}
