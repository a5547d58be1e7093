/** An API key: how one is made, what is kept of it, and what whoever shows it may do. */
import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

/** The only place where a key is read: an address ends up in logs. */
export const KEY_HEADER = 'x-api-key';

/** Of one client at a time, so that a new one can be in use before the old one is revoked. */
export const MOST_ACTIVE = 2;

export const DEFAULT_RATE = 600;

/** What is kept of a key: enough to know it again, not enough to make it. */
export interface KeyRecord {
  /** Its public part, by which it is found, listed and revoked. */
  readonly id: string;
  /** Whose it is. */
  readonly client: string;
  /** SHA-256 of the secret, in base64url. It has 256 random bits, so nothing slower is needed. */
  readonly hash: string;
  /** RFC 3339. */
  readonly created: string;
  readonly revoked?: string;
  /** Queue ids that it may enqueue to; absent, any. */
  readonly queues?: readonly string[];
  /** Paths of this app's handlers that it may call; absent, any, and other App Engine services. */
  readonly tasks?: readonly string[];
  /** Whether it may make tasks for other people's URLs. */
  readonly external: boolean;
  /** Requests a minute, of each process. */
  readonly rate: number;
}

const KEY = /^nct_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
const NO_HASH = createHash('sha256').update('').digest();

/** @returns the key, which nobody can tell again, and what is kept of it */
export function makeKey(
  about: Pick<KeyRecord, 'client' | 'queues' | 'tasks' | 'external' | 'rate'>,
  created: Date,
): { key: string; record: KeyRecord } {
  const id = Array.from({ length: 12 }, () => randomInt(36).toString(36)).join('');
  const secret = randomBytes(32).toString('base64url');
  const { client, ...scopes } = about;
  const hash = digest(secret).toString('base64url');
  return {
    key: `nct_${id}_${secret}`,
    record: { id, client, hash, created: created.toISOString(), ...scopes },
  };
}

/**
 * The record that a key belongs to; undefined for one that is unknown, wrong or revoked. Takes as
 * long for an id that nobody has as for one whose secret is wrong.
 */
export function recordOf(
  key: string,
  records: ReadonlyMap<string, KeyRecord>,
): KeyRecord | undefined {
  const [, id = '', secret = ''] = KEY.exec(key) ?? [];
  const record = records.get(id);
  const kept = record ? Buffer.from(record.hash, 'base64url') : NO_HASH;
  const isRight = timingSafeEqual(digest(secret), kept);
  return record && isRight && record.revoked === undefined ? record : undefined;
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
