/** An issuer's public keys: fetched once for all who wait, kept through an outage of the issuer. */
import { Logger } from '@nestjs/common';
import type { JWK } from 'jose';
import { importJWK } from 'jose';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { HOUR, MILLISECOND, MINUTE, SECOND } from '../../engine/time.js';
import { printable } from '../../foundation/printable.js';
import { reasonOf } from './fetch-failure.js';
import { Refusal, unauthenticated } from './refusal.js';

/** From one fetch to the next, however many unknown keys are asked for. */
const COOL_DOWN: Duration = 30 * SECOND;
/** The same while there are no keys at all, so that nobody can be let in. */
const COOL_DOWN_WITHOUT_KEYS: Duration = SECOND;
/** How long keys serve when the issuer can't be reached. */
const MOST_STALE: Duration = 24 * HOUR;
const FETCH_LIMIT_MS = 5_000;
const MOST_BYTES = 256 * 1024;

type Key = Awaited<ReturnType<typeof importJWK>>;

/** Where the keys are, or the issuer that tells by its OIDC discovery document. */
export type KeySource = { readonly jwksUrl: string } | { readonly issuer: string };

interface Keys {
  readonly byId: ReadonlyMap<string, Key>;
  readonly fetchedAt: Instant;
  /** From then on they are fetched anew, while they serve on. */
  readonly refreshAt: Instant;
}

export class KeySet {
  private readonly logger = new Logger('Tasks');
  private keys: Keys | undefined;
  private fetching: Promise<void> | undefined;
  private lastFetch: Instant = -Infinity;
  /** Of the last fetch. */
  private failure: string | undefined;

  constructor(
    private readonly source: KeySource,
    private readonly clock: Clock,
    private readonly algorithm: 'RS256' | 'ES256' = 'RS256',
  ) {}

  /** Before the first token comes, which then needn't wait; that it can't be done is logged. */
  warmUp(): void {
    void this.fetch(this.clock.now());
  }

  /** @throws Refusal UNAVAILABLE when there are no keys at all, UNAUTHENTICATED without this one */
  async find(id: string): Promise<Key> {
    const now = this.clock.now();
    if (!this.keys || now >= this.keys.fetchedAt + MOST_STALE) {
      await this.fetch(now);
    } else if (!this.keys.byId.has(id)) {
      // A key of a rotation that we haven't seen; made-up ones cost a fetch a cool-down.
      await this.fetch(now);
    } else if (now >= this.keys.refreshAt) {
      void this.fetch(now);
    }
    if (!this.keys || now >= this.keys.fetchedAt + MOST_STALE) {
      throw new Refusal(
        'UNAVAILABLE',
        `the issuer's keys can't be had: ${this.failure ?? 'not fetched yet'}`,
      );
    }
    const key = this.keys.byId.get(id);
    if (!key) throw unauthenticated("the token's key is not one of its issuer's");
    return key;
  }

  /** Never rejects. One at a time; the next no sooner than a cool-down after it began. */
  private fetch(now: Instant): Promise<void> {
    if (this.fetching) return this.fetching;
    const coolDown = this.keys ? COOL_DOWN : COOL_DOWN_WITHOUT_KEYS;
    // A clock that was set back must not make it last for hours.
    if (Math.abs(now - this.lastFetch) < coolDown) return Promise.resolve();
    this.lastFetch = now;
    this.fetching = this.load(now)
      .then(
        () => this.succeeded(),
        (error: unknown) => this.failed(error),
      )
      .finally(() => {
        this.fetching = undefined;
      });
    return this.fetching;
  }

  private succeeded(): void {
    if (this.failure !== undefined) this.logger.log(`${this.whose} can be had again.`);
    this.failure = undefined;
  }

  /** Told once, not once a cool-down for as long as it lasts. */
  private failed(error: unknown): void {
    const isNew = this.failure === undefined;
    this.failure = reasonOf(error);
    if (!isNew) return;
    const meanwhile = this.keys
      ? `those of ${new Date(this.keys.fetchedAt / MILLISECOND).toISOString()} serve for a day`
      : 'nobody can be verified';
    this.logger.warn(`${this.whose} can't be had, so ${meanwhile}: ${this.failure}`);
  }

  private get whose(): string {
    const where = 'jwksUrl' in this.source ? this.source.jwksUrl : this.source.issuer;
    return `The keys of ${printable(where, 200)}`;
  }

  private async load(now: Instant): Promise<void> {
    const signal = AbortSignal.timeout(FETCH_LIMIT_MS);
    const url =
      'jwksUrl' in this.source ? this.source.jwksUrl : await discover(this.source.issuer, signal);
    const { document, response } = await fetchJson(url, signal);
    const byId = await readKeys(document, this.algorithm);
    this.keys = { byId, fetchedAt: now, refreshAt: now + refreshAfter(response) };
  }
}

async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { document } = await fetchJson(url, signal);
  return jwksUrlOf(document, issuer);
}

/**
 * Whoever can change the answers of a plain http server can sign tokens, so an issuer that is asked
 * over https can't send us to one.
 *
 * @throws Error that says what is wrong with the issuer's discovery document
 */
export function jwksUrlOf(document: unknown, issuer: string): string {
  const { issuer: named, jwks_uri: found } = (document ?? {}) as Readonly<Record<string, unknown>>;
  if (named !== issuer) throw new Error(`the document of ${issuer} is about another issuer`);
  if (typeof found !== 'string') throw new Error(`the document of ${issuer} names no jwks_uri`);
  if (issuer.startsWith('https:') && !/^https:/i.test(found)) {
    throw new Error(`the document of ${issuer} names a jwks_uri that isn't https`);
  }
  return found;
}

async function fetchJson(
  url: string,
  signal: AbortSignal,
): Promise<{ document: unknown; response: Response }> {
  const response = await fetch(url, { redirect: 'error', signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status}`);
  }
  return { document: JSON.parse(await readText(response)) as unknown, response };
}

/** Four fifths of what the issuer allows them to be kept, so that nobody waits for a refresh. */
function refreshAfter(response: Response): Duration {
  const seconds = /max-age=(\d{1,9})/.exec(response.headers.get('cache-control') ?? '')?.[1];
  const allowed = seconds === undefined ? HOUR : Number(seconds) * SECOND;
  return 0.8 * Math.min(Math.max(allowed, MINUTE), MOST_STALE);
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`answered more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const KEY_TYPES = { RS256: 'RSA', ES256: 'EC' } as const;

async function readKeys(
  document: unknown,
  algorithm: keyof typeof KEY_TYPES,
): Promise<Map<string, Key>> {
  const listed = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) throw new Error('answered no key set');
  const byId = new Map<string, Key>();
  for (const jwk of listed as (JWK | null)[]) {
    if (jwk?.kty !== KEY_TYPES[algorithm] || typeof jwk.kid !== 'string') continue;
    if ((jwk.use ?? 'sig') !== 'sig' || (jwk.alg ?? algorithm) !== algorithm) continue;
    // One that can't be read must not take the good ones along.
    const key = await importJWK(jwk, algorithm).catch(() => undefined);
    if (key) byId.set(jwk.kid, key);
  }
  if (byId.size === 0) throw new Error('answered no usable key');
  return byId;
}
