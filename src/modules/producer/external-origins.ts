/** Decides which URLs outside of this app a task may call, and with which identity. */
import type { OidcToken } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import { isLoopback } from '../../loopback.js';
import { printable } from '../../printable.js';
import { MOST_URL_LENGTH } from '../tasks/task-limits.js';
import { unexpected } from './fields.js';

/** An origin that tasks may call. */
export interface ExternalOrigin {
  /** Exactly as `URL.origin` gives it: `https://api.example.com`. */
  readonly origin: string;
  /** The audience of the ID token that such tasks carry; absent, they carry none. */
  readonly audience?: string;
}

export interface ExternalPolicy {
  /** `loopback`: this machine on any port but our own, with a token for the target's origin. */
  readonly origins: 'loopback' | readonly ExternalOrigin[];
  /** Whose token is attached. */
  readonly serviceAccount?: string;
}

export interface ExternalTarget {
  readonly url: string;
  readonly oidcToken?: OidcToken;
}

const EXPECTED = "a URL such as 'https://api.example.com/hooks/1'";

/**
 * @param text the URL as the caller wrote it
 * @param own base addresses of our app, its engine and its handlers: a task with our token there
 * would pass for one of our own
 * @throws CloudTasksError INVALID_ARGUMENT for what isn't a plain http(s) URL, PERMISSION_DENIED
 * for an origin that isn't allowed; both with the field `url`
 */
export function externalTarget(
  text: string,
  policy: ExternalPolicy,
  own: readonly string[],
): ExternalTarget {
  const url = parseStrictly(text);
  if (own.some((address) => sameServer(url, new URL(address)))) {
    deny(`${url.origin} is this app's own address; use /add_task_app_engine for its handlers.`);
  }
  const audience = audienceOf(url, policy.origins);
  return {
    url: url.href,
    ...(audience !== undefined && policy.serviceAccount !== undefined
      ? { oidcToken: { serviceAccountEmail: policy.serviceAccount, audience } }
      : {}),
  };
}

function audienceOf(url: URL, origins: ExternalPolicy['origins']): string | undefined {
  if (origins === 'loopback') {
    if (isLoopback(url.hostname)) return url.origin;
    return deny(`${printable(url.origin)} is not on this machine; EXTERNAL_ORIGINS allows others.`);
  }
  const allowed = origins.find(({ origin }) => origin === url.origin);
  return (allowed ?? deny(`${printable(url.origin)} is not among EXTERNAL_ORIGINS.`)).audience;
}

function deny(message: string): never {
  throw new CloudTasksError('PERMISSION_DENIED', `url: ${message}`, { field: 'url' });
}

function parseStrictly(text: string): URL {
  const refuse = (expected: string): never => unexpected('url', expected, `'${printable(text)}'`);
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

/** Whether both lead to one server, as far as their names tell. */
function sameServer(a: URL, b: URL): boolean {
  return port(a) === port(b) && (plainHost(a) === plainHost(b) || (local(a) && local(b)));
}

/** This machine, also under the name that a server bound to every address has. */
function local(url: URL): boolean {
  const host = plainHost(url);
  return isLoopback(host) || /^(?:0\.0\.0\.0|\[::\]|\[::(?:ffff:)?7f.*|.+\.localhost)$/.test(host);
}

function plainHost(url: URL): string {
  return url.hostname.replace(/\.+$/, '');
}

function port(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}
