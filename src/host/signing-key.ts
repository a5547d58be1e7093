/** The RSA key under the engine's tokens. */
import { join } from 'node:path';
import { isSigningKey, newSigningKey } from '../adapters/oidc-issuer.js';
import { keepPrivateFile } from '../adapters/private-file.js';

/**
 * Kept in `dataDir`, made at the first start; `':memory:'` gives a new one each time. PEM.
 *
 * @throws FAILED_PRECONDITION with one line that says what is wrong with the file.
 */
export async function signingKey(dataDir: string): Promise<string> {
  if (dataDir === ':memory:') return newSigningKey();
  return keepPrivateFile({
    path: join(dataDir, 'oidc-key.pem'),
    what: "an RSA key for the engine's tokens",
    make: newSigningKey,
    isValid: isSigningKey,
  });
}
