/** Decides whether an ID token proves that an allowed service account calls us. */
import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MINUTE, SECOND } from '../../engine/time.js';
import { printable } from '../../printable.js';
import type { KeySet } from './key-set.js';
import { forbidden, unauthenticated } from './refusal.js';

const MOST_TOKEN_BYTES = 4_096;
const MOST_KEY_ID_LENGTH = 128;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Each would let the token, not us, say how it is to be verified (RFC 8725). */
const UNWANTED_HEADERS = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c'] as const;

/** How far the issuer's clock may be from ours. */
const SKEW: Duration = MINUTE;
/** Google's live an hour. */
const MOST_LIFETIME_SECONDS = 3_900;

/** A verified token is remembered for a while: its signature costs more than all the rest. */
const MOST_REMEMBERED = 1_000;
const REMEMBERED_FOR: Duration = 5 * MINUTE;

export interface TokenRules {
  readonly issuers: readonly string[];
  readonly audience: string;
  readonly accounts: readonly string[];
}

export interface Caller {
  readonly email: string;
  /** The account's numeric id. */
  readonly subject: string | undefined;
}

interface Remembered {
  readonly caller: Caller;
  readonly until: Instant;
}

export class OidcVerifier {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    private readonly keys: KeySet,
    private readonly rules: TokenRules,
    private readonly clock: Clock,
  ) {}

  /**
   * @param authorization every value of the `Authorization` header
   * @throws Refusal
   */
  async verify(authorization: readonly string[]): Promise<Caller> {
    const token = bearerToken(authorization);
    const digest = createHash('sha256').update(token).digest('base64');
    const now = this.clock.now();
    const known = this.remembered.get(digest);
    if (known && now < known.until) return known.caller;
    const claims = await this.signedClaims(token);
    const until = checkTimes(claims, now);
    const caller = this.checkClaims(claims);
    this.remember(digest, { caller, until: Math.min(until, now + REMEMBERED_FOR) });
    return caller;
  }

  /** What the token says, once its signature holds. */
  private async signedClaims(token: string): Promise<Claims> {
    const key = await this.keys.find(checkedKeyId(token));
    let payload: Uint8Array;
    try {
      ({ payload } = await compactVerify(token, key, { algorithms: ['RS256'] }));
    } catch {
      throw unauthenticated("the token's signature does not hold");
    }
    return readClaims(payload);
  }

  private checkClaims(claims: Claims): Caller {
    const { issuers, audience, accounts } = this.rules;
    const { iss, aud, email, email_verified: verified, sub } = claims;
    if (typeof iss !== 'string' || !issuers.includes(iss)) {
      throw unauthenticated(`the token's issuer is ${shown(iss)}, not ${issuers.join(' or ')}`);
    }
    if (aud !== audience) {
      throw unauthenticated(`the token is for the audience ${shown(aud)}, not ${audience}`);
    }
    if (typeof email !== 'string' || verified !== true) {
      throw forbidden('the token has no verified e-mail address');
    }
    if (!accounts.includes(email)) {
      throw forbidden(`the account ${shown(email)} is not one that may call`);
    }
    return { email, subject: typeof sub === 'string' ? sub : undefined };
  }

  private remember(digest: string, entry: Remembered): void {
    this.remembered.delete(digest);
    this.remembered.set(digest, entry);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= MOST_REMEMBERED) return;
      this.remembered.delete(oldest);
    }
  }
}

type Claims = Readonly<Record<string, unknown>>;

function bearerToken(authorization: readonly string[]): string {
  const [value, ...more] = authorization;
  if (value === undefined) throw unauthenticated('there is no Authorization header');
  if (more.length > 0) throw unauthenticated('there is more than one Authorization header');
  const [, token = ''] = /^Bearer ([^ ]+)$/i.exec(value) ?? [];
  if (token.length > MOST_TOKEN_BYTES || !TOKEN.test(token)) {
    throw unauthenticated('the Authorization header holds no ID token');
  }
  return token;
}

function checkedKeyId(token: string): string {
  let header: Readonly<Record<string, unknown>>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw unauthenticated("the token's header can't be read");
  }
  const { alg, kid, typ } = header;
  if (alg !== 'RS256') throw unauthenticated(`the token's algorithm is ${shown(alg)}, not RS256`);
  if (typ !== undefined && typ !== 'JWT') throw unauthenticated('the token is no JWT');
  for (const name of UNWANTED_HEADERS) {
    if (Object.hasOwn(header, name)) throw unauthenticated(`the token's header has ${name}`);
  }
  if (typeof kid !== 'string' || kid.length > MOST_KEY_ID_LENGTH) {
    throw unauthenticated('the token names no key');
  }
  return kid;
}

function readClaims(payload: Uint8Array): Claims {
  let claims: unknown;
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw unauthenticated("the token's claims can't be read");
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw unauthenticated("the token's claims are no object");
  }
  return claims as Claims;
}

/** @returns when the token stops being accepted */
function checkTimes({ exp, iat, nbf }: Claims, now: Instant): Instant {
  if (!isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf))) {
    throw unauthenticated("the token's times are not numbers");
  }
  const until = exp * SECOND + SKEW;
  if (now >= until) throw unauthenticated('the token has expired');
  if (Math.max(iat, nbf ?? iat) * SECOND > now + SKEW) {
    throw unauthenticated('the token is not valid yet');
  }
  if (exp - iat > MOST_LIFETIME_SECONDS) throw unauthenticated('the token lives too long');
  return until;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** A claim as the log shows it. */
function shown(claim: unknown): string {
  return typeof claim === 'string' ? `'${printable(claim, 200)}'` : `of type ${typeof claim}`;
}
