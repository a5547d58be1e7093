/** An issuer whose keys are down, slow, rotated, of the wrong kind, empty or huge, asked by hundreds. */
import { Logger } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Duration, Instant } from '../../src/engine/time.js';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import { KeySet } from '../../src/modules/auth/key-set.js';
import { OidcVerifier } from '../../src/modules/auth/oidc-verifier.js';
import { Chance } from '../support/chance.js';
import type { SigningKey } from '../support/test-issuer.js';
import { ACCOUNT, AUDIENCE, encode, TestIssuer } from '../support/test-issuer.js';
import { VirtualClock } from '../support/virtual-clock.js';

export const size = 200;

const CALLERS = 500;
const STEPS = 5;
const COOL_DOWN: Duration = 30 * SECOND;
/** While there are no keys. */
const COOL_DOWN_COLD: Duration = SECOND;
const MOST_STALE: Duration = 24 * HOUR;

const FAILURES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  down: (response) => void response.destroy(),
  'answering 503': (response) => void response.writeHead(503).end(),
  'answering HTML': (response) => void response.end('<html><body>Sorry'),
  'answering another type': (response) => void response.end('"keys"'),
  'answering nothing': (response) => void response.end(),
  'answering no keys': (response) => void response.end('{"keys": []}'),
  'answering keys of another kind': (response) =>
    void response.end('{"keys": [{"kty": "EC", "kid": "key-1"}, null, 7]}'),
  'answering 5 MB': (response) => void response.end('x'.repeat(5_000_000)),
  redirecting: (response) => void response.writeHead(302, { Location: '/elsewhere' }).end(),
};

export async function run(count: number, seed: number): Promise<string> {
  const chance = new Chance(seed);
  const issuer = await TestIssuer.start();
  // What KeySet tells is of no interest here.
  Logger.overrideLogger(false);
  let verified = 0;
  let fetches = 0;
  try {
    for (let index = 0; index < count; index++) {
      const scenario = new Scenario(issuer, chance);
      try {
        verified += await scenario.run();
        fetches += scenario.fetches;
      } catch (error) {
        throw new Error(`${index}: ${String(error)} in ${scenario.told.join('; ')}`, {
          cause: error,
        });
      }
    }
  } finally {
    await issuer.close();
  }
  return `${count} scenarios, ${verified} tokens by ${CALLERS} at once, ${fetches} fetches, none before its time`;
}

interface Asked {
  /** Undefined for one that nobody has. */
  readonly key: SigningKey | undefined;
  readonly status: number;
}

class Scenario {
  readonly told: string[] = [];
  fetches = 0;
  private readonly clock = new VirtualClock();
  private readonly verifier: OidcVerifier;
  /** When keys were last had, and which. */
  private had: { readonly at: Instant; readonly keys: readonly SigningKey[] } | undefined;
  private lastFetch: Instant = -Infinity;

  constructor(
    private readonly issuer: TestIssuer,
    private readonly chance: Chance,
  ) {
    const rules = { issuers: [issuer.url], audience: AUDIENCE, accounts: [ACCOUNT] };
    const keys = new KeySet({ jwksUrl: issuer.jwksUrl }, this.clock);
    this.verifier = new OidcVerifier(keys, rules, this.clock);
  }

  async run(): Promise<number> {
    for (let step = 0; step < STEPS; step++) {
      const wait = this.chance.pick([0, SECOND / 2, SECOND, 29 * SECOND, MINUTE, HOUR, 13 * HOUR]);
      await this.clock.advance(wait);
      const trouble = this.chance.is(0.5) ? this.chance.pick(Object.keys(FAILURES)) : undefined;
      const isSlow = this.chance.is(0.2);
      const { first, second } = this.issuer;
      this.issuer.published = this.chance.pick([[first], [second], [first, second]]);
      this.told.push(`+${wait / SECOND} s, ${isSlow ? 'slow, ' : ''}${trouble ?? 'well'}`);
      const before = this.issuer.fetches;
      const asked = await this.ask(trouble, isSlow);
      this.check(asked, this.issuer.fetches - before, trouble === undefined);
    }
    return STEPS * CALLERS;
  }

  /** Hundreds at once, with tokens of either key and of keys that nobody has. */
  private async ask(trouble: string | undefined, isSlow: boolean): Promise<Asked[]> {
    const { issuer, chance } = this;
    const answer = trouble === undefined ? undefined : FAILURES[trouble];
    const arrived = Promise.withResolvers<ServerResponse>();
    issuer.broken = isSlow ? arrived.resolve : answer;
    const now = this.clock.now() / SECOND;
    const tokens = [issuer.first, issuer.second].map((key) => ({
      key,
      token: key.sign(issuer.claims(now, { jti: chance.next() })),
    }));
    const calls = Array.from({ length: CALLERS }, async (_, index): Promise<Asked> => {
      const { key, token } = chance.pick(tokens);
      if (index % 5 > 0) return { key, status: await this.statusOf(token) };
      const head = encode({ alg: 'RS256', kid: `made-up-${index}` });
      return { key: undefined, status: await this.statusOf(token.replace(/^[^.]+/, head)) };
    });
    const all = Promise.all(calls);
    if (isSlow) {
      // Whoever waits, waits for this one answer; where none is asked for, nobody does.
      const response = await Promise.race([arrived.promise, all]);
      if (!Array.isArray(response)) (answer ?? ((each) => issuer.publish(each)))(response);
    }
    return all;
  }

  private async statusOf(token: string): Promise<number> {
    try {
      await this.verifier.verify([`Bearer ${token}`]);
      return 200;
    } catch (error) {
      return (error as { getStatus(): number }).getStatus();
    }
  }

  /** There is always somebody with a key that nobody has, so what may be fetched is fetched. */
  private check(asked: readonly Asked[], fetched: number, isWell: boolean): void {
    const now = this.clock.now();
    const isDue = now >= this.lastFetch + (this.had ? COOL_DOWN : COOL_DOWN_COLD);
    if (fetched !== (isDue ? 1 : 0)) throw new Error(`${fetched} fetches`);
    this.fetches += fetched;
    if (isDue) this.lastFetch = now;
    const kept = this.had && now < this.had.at + MOST_STALE ? this.had.keys : undefined;
    if (isDue && isWell) this.had = { at: now, keys: this.issuer.published };
    const fresh = isDue && isWell ? this.issuer.published : undefined;
    for (const { key, status } of asked) {
      const isKnown = key !== undefined && (kept?.includes(key) || fresh?.includes(key));
      const expected = isKnown ? 200 : (kept ?? fresh) ? 401 : 503;
      if (status !== expected) {
        throw new Error(`${status}, not ${expected}, for ${key?.id ?? 'a made-up key'}`);
      }
    }
  }
}
