/** Signs the ID tokens that HTTP tasks carry, and publishes what verifies them. */
import type { KeyObject } from 'node:crypto';
import { createHash, createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import type { Clock, TokenIssuer } from '../engine/ports.js';
import type { Duration, Instant } from '../engine/time.js';
import { HOUR, MINUTE, SECOND } from '../engine/time.js';

const ALGORITHM = 'RS256';
const KEY_BITS = 2048;
const LIFETIME: Duration = HOUR;

/** A signature costs 780 µs; a token this young still has 55 minutes for the longest attempt. */
const REUSE: Duration = 5 * MINUTE;

/** An audience may be a URL with an id in it, so there is no end of them. */
const MOST_KEPT = 1_000;

export interface OidcIssuerOptions {
  /** `iss`, and the base of the published addresses: `http://127.0.0.1:8123`. */
  readonly issuer: string;
  /** PEM, as `newSigningKey` makes it. */
  readonly privateKey: string;
  readonly clock: Clock;
}

interface Kept {
  readonly mintedAt: Instant;
  readonly token: Promise<string>;
}

export class OidcIssuer implements TokenIssuer {
  /** By e-mail and audience, the longest unused first. */
  private readonly kept = new Map<string, Kept>();

  private constructor(
    private readonly issuer: string,
    private readonly privateKey: KeyObject,
    private readonly publicKey: JWK & { readonly kid: string },
    private readonly clock: Clock,
  ) {}

  static async create({ issuer, privateKey, clock }: OidcIssuerOptions): Promise<OidcIssuer> {
    const key = createPrivateKey(privateKey);
    const { kty, n, e } = createPublicKey(key).export({ format: 'jwk' });
    const jwk = { kty, n, e } as JWK;
    const kid = await calculateJwkThumbprint(jwk);
    return new OidcIssuer(issuer, key, { ...jwk, kid, alg: ALGORITHM, use: 'sig' }, clock);
  }

  /** The same token for five minutes to all who ask for the same e-mail and audience. */
  idToken({ email, audience }: { email: string; audience: string }): Promise<string> {
    const name = JSON.stringify([email, audience]);
    const now = this.clock.now();
    const found = this.kept.get(name);
    this.kept.delete(name);
    // From the future when the clock was set back: verifiers refuse such a token.
    const fresh = found && found.mintedAt <= now && now < found.mintedAt + REUSE;
    const entry = fresh ? found : { mintedAt: now, token: this.mint(email, audience, now) };
    this.kept.set(name, entry);
    if (!fresh) {
      this.dropLongestUnused();
      entry.token.catch(() => {
        if (this.kept.get(name) === entry) this.kept.delete(name);
      });
    }
    return entry.token;
  }

  /** The document at `/.well-known/openid-configuration`. */
  discovery(): Record<string, string | string[]> {
    return {
      issuer: this.issuer,
      jwks_uri: `${this.issuer.replace(/\/$/, '')}/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [ALGORITHM],
      claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
    };
  }

  /** The document at `/jwks`. */
  jwks(): { keys: JWK[] } {
    return { keys: [this.publicKey] };
  }

  /** With jose, whose WebCrypto signs in the thread pool: the event loop goes on dispatching. */
  private mint(email: string, audience: string, now: Instant): Promise<string> {
    const issuedAt = Math.floor(now / SECOND);
    const subject = subjectOf(email);
    return new SignJWT({
      iss: this.issuer,
      aud: audience,
      sub: subject,
      azp: subject,
      email,
      email_verified: true,
      iat: issuedAt,
      exp: issuedAt + LIFETIME / SECOND,
    })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.publicKey.kid, typ: 'JWT' })
      .sign(this.privateKey);
  }

  private dropLongestUnused(): void {
    for (const name of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) return;
      this.kept.delete(name);
    }
  }
}

/** A new private key, PKCS#8 in PEM. */
export async function newSigningKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/** Whether this is PEM of a private key that can sign the tokens. */
export function isSigningKey(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem);
    return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= KEY_BITS;
  } catch {
    return false;
  }
}

/** A stable id of Google's form, 21 digits: verifiers may pin it. */
function subjectOf(email: string): string {
  const digest = BigInt(`0x${createHash('sha256').update(email).digest('hex')}`);
  return `1${(digest % 10n ** 20n).toString().padStart(20, '0')}`;
}
