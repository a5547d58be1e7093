/** One rule of the outbound policy: an origin that may be called, and how. */
import type { Duration } from '../engine/time.js';
import { DAY, SECOND } from '../engine/time.js';
import { ACCOUNT_ADDRESS } from '../foundation/account-address.js';
import { isHeaderName } from '../foundation/header-rules.js';
import { isLoopback } from '../foundation/loopback.js';
import { hasOneOwner, isPublicName } from '../foundation/public-hosts.js';

export interface OutboundRule {
  /**
   * `https://api.example.com` or `https://api.example.com:8443`. One label, the leftmost, may be
   * `*` where at least three others follow: `https://*.hooks.example.com`. `http://` only on this
   * machine, where that is allowed at all.
   */
  readonly origin: string;
  /** The path itself and all below it: `/v1` allows `/v1` and `/v1/x`, not `/v10`. Default: any. */
  readonly pathPrefix?: string;
  /** The `aud` of the ID token that calls carry; absent, they carry none. Not with a wildcard. */
  readonly audience?: string;
  /** Whose ID token that is; default the one of whoever makes the calls. */
  readonly serviceAccount?: string;
  /** Names of headers that a caller may set besides the harmless ones: `Cookie`, `X-Goog-…`. */
  readonly headers?: readonly string[];
  /** Lets a caller give an `Authorization` of its own. Not together with `audience`. */
  readonly allowCallerAuth?: boolean;
  /** How long a call may take, from the look-up of the name to the last byte. */
  readonly timeout?: Duration;
  /** How many calls one process may have open at once. */
  readonly concurrency?: number;
  /** Statuses that are failures which no other attempt mends, against the general rule. */
  readonly permanent?: readonly number[];
  /** Statuses that are worth another attempt, against the general rule. */
  readonly transient?: readonly number[];
}

/**
 * Whether calls may stay on this machine: `refused`, as in production; where a rule names a
 * loopback origin; or `any`, to every port but our own, with a token for the target's origin.
 */
export type LoopbackCalls = 'refused' | 'by-rule' | 'any';

export interface RuleProblem {
  readonly field: keyof OutboundRule;
  /** What would be right. */
  readonly expected: string;
}

/** What a receiver takes as a proof, or for one hop only, can't be allowed by any rule. */
const CAN_BE_ALLOWED = /^(?:cookie|x-goog-.+)$/i;

/** What a rule has to fit to. */
export interface RuleSurroundings {
  readonly loopback: LoopbackCalls;
  readonly isOwnAudience: (audience: string) => boolean;
  readonly others: readonly OutboundRule[];
}

/** The first thing about a rule that isn't right. */
export function ruleProblem(
  rule: OutboundRule,
  { loopback, isOwnAudience, others }: RuleSurroundings,
): RuleProblem | undefined {
  const { pathPrefix, audience, serviceAccount, headers = [], timeout, concurrency } = rule;
  const expected = originProblem(rule.origin, loopback);
  if (expected !== undefined) return { field: 'origin', expected };
  if (pathPrefix !== undefined && !isPathPrefix(pathPrefix)) {
    return { field: 'pathPrefix', expected: "a path such as '/v1', without dots or escapes" };
  }
  if (audience !== undefined && !/^[\x21-\x7e]+$/.test(audience)) {
    return { field: 'audience', expected: 'one audience without spaces' };
  }
  if (audience !== undefined && isOwnAudience(audience)) {
    return { field: 'audience', expected: "another audience than the handlers' own" };
  }
  if (audience !== undefined && isWildcard(rule)) {
    return { field: 'audience', expected: 'none with a wildcard: a token is for one origin' };
  }
  if (serviceAccount !== undefined && !ACCOUNT_ADDRESS.test(serviceAccount)) {
    return {
      field: 'serviceAccount',
      expected: "an address such as 'calls@my-project.iam.gserviceaccount.com'",
    };
  }
  if (!headers.every((name) => isHeaderName(name) && CAN_BE_ALLOWED.test(name))) {
    return { field: 'headers', expected: "'Cookie' or names that begin with 'X-Goog-'" };
  }
  if (rule.allowCallerAuth === true && audience !== undefined) {
    return {
      field: 'allowCallerAuth',
      expected: "nothing with 'audience', whose token takes its place",
    };
  }
  if (timeout !== undefined && !(timeout >= SECOND && timeout <= DAY)) {
    return { field: 'timeout', expected: "from '1s' to '24h'" };
  }
  if (concurrency !== undefined && !isWhole(concurrency, 1, 1800)) {
    return { field: 'concurrency', expected: 'a whole number from 1 to 1800' };
  }
  if (others.some((other) => isForTheSame(rule, other))) {
    return { field: 'origin', expected: `${rule.origin} once, or with other path prefixes` };
  }
  return statusProblem(rule);
}

function isForTheSame(a: OutboundRule, b: OutboundRule): boolean {
  return a.origin === b.origin && (a.pathPrefix ?? '') === (b.pathPrefix ?? '');
}

function statusProblem({ permanent = [], transient = [] }: OutboundRule): RuleProblem | undefined {
  const expected = 'HTTP statuses from 300 to 599';
  const isStatus = (status: number) => isWhole(status, 300, 599);
  if (!permanent.every(isStatus)) return { field: 'permanent', expected };
  if (!transient.every(isStatus)) return { field: 'transient', expected };
  if (!transient.some((status) => permanent.includes(status))) return undefined;
  return { field: 'transient', expected: "other statuses than in 'permanent'" };
}

/** What would be right instead. */
function originProblem(origin: string, loopback: LoopbackCalls): string | undefined {
  const expected = "an origin such as 'https://api.example.com'";
  const url = /^https?:\/\/[\x21-\x7e]+$/.test(origin) ? URL.parse(origin) : null;
  // Whatever the parser changes or takes for another part was not meant as an origin.
  if (url?.origin !== origin) return expected;
  if (isLoopback(url.hostname)) {
    return loopback === 'refused' ? 'an origin outside of this machine' : undefined;
  }
  if (url.protocol !== 'https:') return 'https, but for loopback addresses';
  if (!url.hostname.includes('*')) {
    return isPublicName(url.hostname) ? undefined : 'the public name of a host';
  }
  const suffix = /^\*\.([^*]+)$/.exec(url.hostname)?.[1] ?? '';
  if (!isPublicName(suffix) || suffix.split('.').length < 3) {
    return "one wildcard, leftmost, before at least three labels: 'https://*.hooks.example.com'";
  }
  return hasOneOwner(suffix) ? undefined : 'no wildcard where anybody can have a name';
}

function isPathPrefix(prefix: string): boolean {
  return (
    /^\/[A-Za-z0-9._~!$&'()*+,=:@/-]*$/.test(prefix) &&
    URL.parse(prefix, 'https://a.example')?.pathname === prefix &&
    !prefix.includes('//')
  );
}

export function isWildcard({ origin }: OutboundRule): boolean {
  return origin.startsWith('https://*.');
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
