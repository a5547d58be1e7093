/** Reads signed tokens: well formed, signed with a key of their issuer, and of this very time. */
import { compactVerify, decodeProtectedHeader } from 'jose';
import type { Duration, Instant } from '../../engine/time.js';
import { MINUTE, SECOND } from '../../engine/time.js';
import { printable } from '../../foundation/printable.js';
import type { KeySet } from './key-set.js';
import { forbidden, unauthenticated } from './refusal.js';

const MOST_TOKEN_BYTES = 4_096;
const MOST_KEY_ID_LENGTH = 128;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Each would let the token, not us, say how it is to be verified (RFC 8725). */
const UNWANTED_HEADERS = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c'] as const;

/** What a kind of token has to be like. */
export interface TokenForm {
  readonly algorithm: 'RS256' | 'ES256';
  /** How far the issuer's clock may be from ours. */
  readonly skew: Duration;
  readonly mostLifetime: Duration;
}

/** Google's live an hour. */
export const ID_TOKEN: TokenForm = {
  algorithm: 'RS256',
  skew: MINUTE,
  mostLifetime: 65 * MINUTE,
};

export type Claims = Readonly<Record<string, unknown>>;

/**
 * The token of an `Authorization: Bearer` header.
 *
 * @param values every value of the header
 * @throws Refusal
 */
export function bearerToken(values: readonly string[]): string {
  const [value, ...more] = values;
  if (value === undefined) throw unauthenticated('there is no Authorization header');
  if (more.length > 0) throw unauthenticated('there is more than one Authorization header');
  const [, token = ''] = /^Bearer ([^ ]+)$/i.exec(value) ?? [];
  return wellFormed(token, 'the Authorization header holds no ID token');
}

/** @throws Refusal with this reason for what can be no token, before any of it is decoded */
export function wellFormed(token: string, reason: string): string {
  if (token.length > MOST_TOKEN_BYTES || !TOKEN.test(token)) throw unauthenticated(reason);
  return token;
}

/**
 * What a well-formed token says, once its signature holds.
 *
 * @throws Refusal
 */
export async function signedClaims(
  token: string,
  keys: KeySet,
  { algorithm }: TokenForm,
): Promise<Claims> {
  // The last letter of a text that isn't canonical has bits that nothing reads: many texts of one
  // signature, where there must be one.
  const signature = token.slice(token.lastIndexOf('.') + 1);
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) {
    throw unauthenticated("the token's signature is not written as it must be");
  }
  const key = await keys.find(checkedKeyId(token, algorithm));
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(token, key, { algorithms: [algorithm] }));
  } catch {
    throw unauthenticated("the token's signature does not hold");
  }
  return readClaims(payload);
}

/** In place of a signature that Cloud Run has checked, so that the token opens nothing else. */
const REMOVED_SIGNATURE = '.SIGNATURE_REMOVED_BY_GOOGLE';

/**
 * What a well-formed token says whose signature the platform has removed; undefined for one that
 * has its signature. Anybody can write such a token: it proves something only where the platform
 * lets no request through that it hasn't checked.
 *
 * @throws Refusal
 */
export function claimsWithoutSignature(token: string): Claims | undefined {
  if (!token.endsWith(REMOVED_SIGNATURE)) return undefined;
  return readClaims(Buffer.from(token.split('.', 2)[1] ?? '', 'base64url'));
}

function checkedKeyId(token: string, algorithm: string): string {
  const { alg, kid, typ, ...rest } = readHeader(token);
  if (alg !== algorithm) {
    throw unauthenticated(`the token's algorithm is ${shown(alg)}, not ${algorithm}`);
  }
  if (typ !== undefined && typ !== 'JWT') throw unauthenticated('the token is no JWT');
  for (const name of UNWANTED_HEADERS) {
    if (Object.hasOwn(rest, name)) throw unauthenticated(`the token's header has ${name}`);
  }
  if (typeof kid !== 'string' || kid.length > MOST_KEY_ID_LENGTH) {
    throw unauthenticated('the token names no key');
  }
  return kid;
}

function readHeader(token: string): Claims {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw unauthenticated("the token's header can't be read");
  }
}

/** @throws Refusal for a payload that is no object, or one that says something twice */
export function readClaims(payload: Uint8Array): Claims {
  let text: string;
  let claims: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
    claims = JSON.parse(text);
  } catch {
    throw unauthenticated("the token's claims can't be read");
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw unauthenticated("the token's claims are no object");
  }
  const twice = nameThatComesTwice(text);
  if (twice !== undefined) throw forbidden(`the token has the claim ${shown(twice)} twice`);
  return claims as Claims;
}

/** Of two, `JSON.parse` takes the last, and another reader the first. @param json an object's */
function nameThatComesTwice(json: string): string | undefined {
  const names = new Set<string>();
  let depth = 0;
  for (const [token, text] of json.matchAll(
    /"((?:[^"\\]|\\.)*)"(?=\s*:)|"(?:[^"\\]|\\.)*"|[{}[\]]/g,
  )) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (text !== undefined && depth === 1) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return undefined;
}

/**
 * @returns when the token stops being accepted
 * @throws Refusal
 */
export function checkTimes({ exp, iat, nbf }: Claims, now: Instant, form: TokenForm): Instant {
  if (!isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf))) {
    throw unauthenticated("the token's times are not numbers");
  }
  const until = exp * SECOND + form.skew;
  if (now >= until) throw unauthenticated('the token has expired');
  if (Math.max(iat, nbf ?? iat) * SECOND > now + form.skew) {
    throw unauthenticated('the token is not valid yet');
  }
  if ((exp - iat) * SECOND > form.mostLifetime) throw unauthenticated('the token lives too long');
  return until;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/**
 * Of issuer and audience; the audience byte for byte, and alone.
 *
 * @throws Refusal
 */
export function checkPurpose(
  { iss, aud }: Claims,
  issuers: readonly string[],
  audience: string,
): void {
  if (typeof iss !== 'string' || !issuers.includes(iss)) {
    throw unauthenticated(`the token's issuer is ${shown(iss)}, not ${issuers.join(' or ')}`);
  }
  if (aud !== audience) {
    throw unauthenticated(`the token is for the audience ${shown(aud)}, not ${audience}`);
  }
}

/** A claim as the log shows it. */
export function shown(claim: unknown): string {
  return typeof claim === 'string' ? `'${printable(claim, 200)}'` : `of type ${typeof claim}`;
}
