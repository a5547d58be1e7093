/** The one decision about calls to somebody else's servers: which URLs, with which headers. */
import { CloudTasksError, invalidArgument } from '../engine/errors.js';
import { isLoopback } from '../foundation/loopback.js';
import { isOwnAddress } from '../foundation/own-address.js';
import { printable } from '../foundation/printable.js';
import { decodedFully, hasDotSegments, MOST_URL_LENGTH } from '../foundation/url-path.js';
import { readOutboundFile } from './outbound-file.js';
import { callerHeaders } from './outbound-headers.js';
import type { LoopbackCalls, OutboundRule } from './outbound-rule.js';
import { isWildcard, ruleProblem } from './outbound-rule.js';

export interface OutboundPolicyOptions {
  readonly rules: readonly OutboundRule[];
  /** Default: `refused`. */
  readonly loopback?: LoopbackCalls;
  /** Base addresses of ours, which are never called from here. More can follow by `addOwn`. */
  readonly own?: readonly string[];
  /** What our own guards take as audience: no token for one of these is sent to anybody. */
  readonly ownAudiences?: readonly string[];
}

/** A URL that may be called, and the rule that says so. */
export interface PermittedTarget {
  readonly url: URL;
  readonly rule: OutboundRule;
}

const EXPECTED = "a URL such as 'https://api.example.com/hooks/1'";

export class OutboundPolicy {
  readonly loopback: LoopbackCalls;
  private readonly rules: readonly OutboundRule[];
  private readonly own: URL[] = [];
  private readonly ownAudiences: readonly string[];

  /**
   * With the rules of a YAML file besides.
   *
   * @throws CloudTasksError INVALID_ARGUMENT for a rule that isn't right: of the file with its line
   */
  static read({ file, ...options }: OutboundPolicyOptions & { readonly file?: string }) {
    const policy = new OutboundPolicy(options);
    if (file === undefined) return policy;
    const { rules, loopback } = policy;
    const isOwnAudience = (audience: string) => policy.isOwnAudience(audience);
    const more = readOutboundFile(file, { loopback, isOwnAudience, others: rules });
    return new OutboundPolicy({ ...options, rules: [...rules, ...more] });
  }

  /** @throws CloudTasksError INVALID_ARGUMENT for a rule that isn't right, naming its field */
  constructor({ rules, loopback = 'refused', own = [], ownAudiences = [] }: OutboundPolicyOptions) {
    this.loopback = loopback;
    this.ownAudiences = ownAudiences;
    for (const address of own) this.addOwn(address);
    rules.forEach((rule, index) => this.check(rule, `rules[${index}]`, rules.slice(0, index)));
    this.rules = [...rules].sort(closestFirst);
  }

  /** @param address of a server of ours, as soon as it is known */
  addOwn(address: string): void {
    this.own.push(new URL(address));
  }

  /**
   * @param field whose value it is, as errors name it
   * @throws CloudTasksError INVALID_ARGUMENT for what isn't a plain http(s) URL, PERMISSION_DENIED
   *   for one that no rule allows, or that is our own
   */
  permit(text: string, field = 'url'): PermittedTarget {
    const url = parseStrictly(text, field);
    const deny = (why: string): never => {
      throw new CloudTasksError('PERMISSION_DENIED', `${field}: ${why}`, { field });
    };
    const shown = printable(url.origin);
    if (this.own.some((own) => isOwnAddress(url, own))) {
      deny(`${shown} is this app's own address; use /add_task_app_engine for its handlers.`);
    }
    const rule = this.rules.find((rule) => allows(rule, url)) ?? this.loopbackRule(url);
    if (!rule) return deny(`no outbound rule allows ${shown}${this.hint(url)}.`);
    // Which can't be judged before all addresses of ours are known.
    if (rule.audience !== undefined && this.isOwnAudience(rule.audience)) {
      deny('its rule attaches a token that would open this app.');
    }
    return { url, rule };
  }

  /**
   * What of a caller's headers goes out: without those of the connection, of proxies, platforms and
   * metadata servers, of sessions, and our own.
   *
   * @param field whose value they are, as errors name it
   * @throws CloudTasksError INVALID_ARGUMENT for malformed ones, for more than 64 or 16 KB, and for
   *   an `Authorization` that the rule doesn't allow
   */
  headers(
    rule: OutboundRule,
    given: Readonly<Record<string, string>>,
    field = 'headers',
  ): Record<string, string> {
    return callerHeaders(rule, given, field);
  }

  private loopbackRule(url: URL): OutboundRule | undefined {
    const { origin } = url;
    if (this.loopback !== 'any' || !isLoopback(url.hostname)) return undefined;
    return { origin, audience: origin };
  }

  /** What our own guards take: what is set, or the base address of an app of ours. */
  private isOwnAudience(audience: string): boolean {
    const url = URL.parse(audience);
    return (
      this.ownAudiences.includes(audience) ||
      (url !== null && this.own.some((own) => isOwnAddress(url, own)))
    );
  }

  private hint(url: URL): string {
    if (this.rules.some((rule) => allowsOrigin(rule, url))) return ' with this path';
    return this.loopback === 'any' ? ', which is not on this machine' : '';
  }

  private check(rule: OutboundRule, at: string, others: readonly OutboundRule[]): void {
    const isOwnAudience = (audience: string) => this.isOwnAudience(audience);
    const problem = ruleProblem(rule, { loopback: this.loopback, isOwnAudience, others });
    if (!problem) return;
    const field = `${at}.${problem.field}`;
    throw invalidArgument(`${field}: expected ${problem.expected}.`, field);
  }
}

/** A named origin before a wildcard, a longer prefix before a shorter. */
function closestFirst(a: OutboundRule, b: OutboundRule): number {
  return (
    Number(isWildcard(a)) - Number(isWildcard(b)) ||
    (b.pathPrefix ?? '').length - (a.pathPrefix ?? '').length
  );
}

function allows(rule: OutboundRule, url: URL): boolean {
  return allowsOrigin(rule, url) && allowsPath(rule, url.pathname);
}

function allowsOrigin(rule: OutboundRule, url: URL): boolean {
  if (!isWildcard(rule)) return url.origin === rule.origin;
  const [, label = '', rest = ''] = /^(https:\/\/)[a-z0-9_-]+(\..+)$/.exec(url.origin) ?? [];
  return `${label}*${rest}` === rule.origin;
}

/** Below the prefix also for a server or gateway that decodes what this doesn't. */
function allowsPath({ pathPrefix }: OutboundRule, path: string): boolean {
  if (pathPrefix === undefined) return true;
  const prefix = pathPrefix.replace(/\/$/, '');
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return false;
  const plain = decodedFully(path);
  return !/[\0-\x1f\x7f\\]/.test(plain) && !hasDotSegments(plain);
}

function parseStrictly(text: string, field: string): URL {
  const refuse = (expected: string): never => {
    throw invalidArgument(`${field}: expected ${expected}, got '${printable(text)}'.`, field);
  };
  // The parser drops control characters and takes a backslash for a slash, both without a word.
  if (/[\0-\x20\x7f\\]/.test(text)) refuse('no spaces, backslashes or control characters');
  const authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  if (authority === undefined) return refuse(EXPECTED);
  if (authority.includes('@')) refuse('no user or password');
  if (text.includes('#')) refuse('no fragment');
  const url = URL.parse(text);
  if (!url) return refuse(EXPECTED);
  if (url.href.length > MOST_URL_LENGTH) {
    refuse(`at most ${MOST_URL_LENGTH} characters when encoded`);
  }
  return url;
}
