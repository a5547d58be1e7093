/** The signature that binds a task to us: made when it is created, checked when it comes. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, HOUR, SECOND } from '../../engine/time.js';

/** `v1.<seconds since 1970 until which it holds>.<SHA-256 of the body>.<HMAC-SHA256>` */
export const ENVELOPE_HEADER = 'X-Tasks-Envelope';

const HEADER = ENVELOPE_HEADER.toLowerCase();
const VERSION = 'v1';
const FORM = /^v1\.(\d{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** Cloud Tasks keeps no task for longer than 31 days. What comes later is a copy of one. */
const HOLDS_FOR: Duration = 31 * DAY + HOUR;

export interface EnvelopeSecrets {
  /** Signs, and is accepted. At least 32 characters. */
  readonly secret: string;
  /** Is accepted too: the one before, until the last task that it signed is done. */
  readonly previous?: string | undefined;
}

/** What is signed of a task besides its body. */
export interface Enveloped {
  /** Ids, as they are in the headers of its dispatch. */
  readonly queue: string;
  readonly taskId: string;
  readonly method: string;
  /** With its query, as it is on the wire. */
  readonly path: string;
  /** All of its headers, of which those of this library are signed: handlers decide by them. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
}

export class Envelope {
  private readonly secrets: readonly string[];

  constructor({ secret, previous }: EnvelopeSecrets) {
    this.secrets = previous === undefined ? [secret] : [secret, previous];
  }

  /** @returns the header's value */
  seal(task: Enveloped, body: Uint8Array, now: Instant): string {
    const notAfter = String(Math.floor((now + HOLDS_FOR) / SECOND));
    const bodyHash = hashOf(body);
    const [secret = ''] = this.secrets;
    return [VERSION, notAfter, bodyHash, macOf(secret, task, notAfter, bodyHash)].join('.');
  }

  /**
   * Needs no body, so that none is taken in of whoever has no signature.
   *
   * @returns the hash that the body has to have, or what is wrong
   */
  open(
    task: Enveloped,
    sealed: string | undefined,
    now: Instant,
  ): { readonly bodyHash: string } | { readonly problem: string } {
    const [, notAfter = '', bodyHash = '', mac = ''] = FORM.exec(sealed ?? '') ?? [];
    if (mac === '') return { problem: `there is no ${ENVELOPE_HEADER} of ours` };
    const came = Buffer.from(mac);
    // All of them, and each to its end: nobody learns which it was, or how near a guess came.
    const matches = this.secrets.map((secret) =>
      timingSafeEqual(Buffer.from(macOf(secret, task, notAfter, bodyHash)), came),
    );
    if (!matches.includes(true)) return { problem: `the ${ENVELOPE_HEADER} is of another task` };
    if (now > Number(notAfter) * SECOND) return { problem: `the ${ENVELOPE_HEADER} is too old` };
    return { bodyHash };
  }
}

/** As the header has it. */
export function hashOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url');
}

/** The same path however it was escaped, as a client of HTTP puts it on the wire. */
function wirePath(path: string): string {
  const url = URL.parse(`http://task${path}`);
  return url ? `${url.pathname}${url.search}` : path;
}

function macOf(secret: string, task: Enveloped, notAfter: string, bodyHash: string): string {
  const { queue, taskId, method, path } = task;
  const parts = [VERSION, queue, taskId, method, wirePath(path), notAfter, bodyHash];
  const own = [...task.headers]
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name.startsWith('x-tasks-') && name !== HEADER)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  // With its length before each, so that no two lists of parts make one text.
  const text = [...parts, ...own.flat()].map((part) => `${Buffer.byteLength(part)}:${part}`);
  return createHmac('sha256', secret).update(text.join('')).digest('base64url');
}
