/** Tokens made of good ones by every change that comes to mind, through the guard of the whole app. */
import { createHmac } from 'node:crypto';
import { Chance } from '../support/chance.js';
import { encode } from '../support/test-issuer.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, ACCOUNT, AUDIENCE } from './abused-app.js';
import { assertNoSecrets } from './secrets.js';

export const size = 100_000;

const MODES = ['oidc', 'cloud-run-iam'] as const;
const BATCH = 64;
/** Signing takes longer than everything else here, so that few are signed, and changed often. */
const SIGNED = 40;
const MARKER = 'SIGNATURE_REMOVED_BY_GOOGLE';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

type Parts = [head: string, claims: string, signature: string];

/** Values where others are expected. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1e308, '', 'x', '0', [], {}, ['x'], { a: 1 }],
  ...['__proto__', 'constructor', 'RS256', AUDIENCE, ACCOUNT, 'none', '\u0000', '\ud800'],
];
const HEADER_FIELDS = [
  'alg',
  'kid',
  'typ',
  'crit',
  'b64',
  'jwk',
  'jku',
  'x5u',
  'x5c',
  'x5t',
  'zip',
];
const CLAIMS = ['iss', 'aud', 'exp', 'iat', 'nbf', 'email', 'email_verified', 'sub', 'azp'];

export async function run(count: number, seed: number): Promise<string> {
  const chance = new Chance(seed);
  const statuses = new Map<number, number>();
  let sent = 0;
  for (const [index, mode] of MODES.entries()) {
    const app = await AbusedApp.start({ mode });
    try {
      const forge = forger(app, chance);
      const until = Math.floor((count * (index + 1)) / MODES.length);
      while (sent < until) {
        const batch = Math.min(BATCH, until - sent);
        const forged = Array.from({ length: batch }, forge);
        const answers = await Promise.all(
          forged.map((token) => app.send('/abuse/work', headersWith(token, chance), '{}')),
        );
        for (const [at, { status, text }] of answers.entries()) {
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (status < 400 || status >= 500) {
            throw new Error(`${sent + at}, mode ${mode}: ${status} for ${forged[at] ?? ''}`);
          }
          assertNoSecrets(text, 'the answer');
        }
        if (app.reached.length > 0) throw new Error(`${sent}: reached by one of ${batch}`);
        assertNoSecrets(app.takeLog(), 'the log');
        sent += batch;
      }
    } finally {
      await app.close();
    }
  }
  const shown = [...statuses].map(([status, times]) => `${status}: ${times}`).join(', ');
  return `${sent} forged in ${MODES.length} modes, 0 accepted, 0 answered 5xx; answered ${shown}`;
}

function headersWith(token: string, chance: Chance): HeaderLines {
  // What HTTP itself can't carry would be the client's error.
  const sendable = token.replace(/[^\t\x20-\x7e]/g, '?');
  const name = chance.is(0.1) ? 'X-Serverless-Authorization' : 'Authorization';
  return [[name, `Bearer ${sendable}`]];
}

/** Makes tokens that must not be accepted, each from one that would be or that is somebody else's. */
function forger(app: AbusedApp, chance: Chance): () => string {
  const { first, second } = app.issuer;
  const good: Parts[] = Array.from({ length: SIGNED }, () =>
    split(app.token({ jti: chance.next() })),
  );
  // Signed well, and each with something that is not allowed.
  const badly = Array.from({ length: SIGNED }, () =>
    split(first.sign(claimsWith(app, chance, true))),
  );
  const others = Array.from({ length: SIGNED }, () =>
    split(second.sign(app.claims(), chance.is(0.5) ? { kid: 'key-1' } : {})),
  );
  const odd = Array.from({ length: SIGNED }, () =>
    split(first.sign(app.claims(), { [chance.pick(REFUSED_FIELDS)]: 'x' })),
  );
  const kinds: (() => string)[] = [
    // A letter changed anywhere, left out, added or taken twice.
    () => letterChanged(join(chance.pick(good)), chance),
    () => cut(join(chance.pick(good)), chance),
    // Parts of one with parts of another.
    () => join(recombined(chance.pick(good), chance.pick([...badly, ...others]), chance)),
    // Claims or header changed, under the signature of the good one.
    () => {
      const [head, , signature] = chance.pick(good);
      return join([head, encode(claimsWith(app, chance)), signature]);
    },
    () => {
      const [, claims, signature] = chance.pick(good);
      return join([encode(headerWith(chance)), claims, signature]);
    },
    // Signed by somebody, or in another way.
    () => join(chance.pick(others)),
    () => join(chance.pick(badly)),
    () => join(chance.pick(odd)),
    () => {
      const text = `${encode({ ...headerWith(chance), alg: 'HS256' })}.${encode(app.claims())}`;
      const secret = chance.pick([first.publicPem, JSON.stringify(first.jwk), '', 'secret']);
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    },
    () => `${encode({ alg: chance.pick(['none', 'None', 'NONE', '']) })}.${encode(app.claims())}.`,
    // As Cloud Run would hand it on, if it were allowed, or if it were that.
    () => {
      const marker = letterChanged(MARKER, chance);
      return `${encode(headerWith(chance))}.${encode(app.claims())}.${marker}`;
    },
    () => `${encode(headerWith(chance))}.${encode(claimsWith(app, chance, true))}.${MARKER}`,
    () => garbage(chance),
  ];
  const acceptable = new Set(good.map(join));
  return () => {
    for (;;) {
      const token = chance.pick(kinds)();
      if (!acceptable.has(token.trim())) return token;
    }
  };
}

const REFUSED_FIELDS = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'typ', 'alg', 'kid'] as const;

function split(token: string): Parts {
  const [head = '', claims = '', signature = ''] = token.split('.');
  return [head, claims, signature];
}

function join(parts: Parts): string {
  return parts.join('.');
}

function letterChanged(text: string, chance: Chance): string {
  const at = chance.between(0, text.length - 1);
  const letter = [...LETTERS, '.', '=', '+', '/', ' ', '%'][chance.between(0, 69)] ?? 'A';
  switch (chance.between(0, 3)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + letter + text.slice(at);
    case 2:
      return text.slice(0, at) + (text[at] ?? '') + text.slice(at);
    default:
      return text.slice(0, at) + (text[at] === letter ? '~' : letter) + text.slice(at + 1);
  }
}

function cut(text: string, chance: Chance): string {
  const from = chance.between(0, 20);
  const to = chance.between(from, text.length - 1);
  return chance.is(0.5) ? text.slice(0, to) : text.slice(from + 1);
}

function recombined(one: Parts, other: Parts, chance: Chance): Parts {
  const from = chance.between(1, 6);
  return [0, 1, 2].map((at) => (from & (1 << at) ? one[at] : other[at]) ?? '') as Parts;
}

/** @param certainly whether something is not allowed in them, whoever signs */
function claimsWith(app: AbusedApp, chance: Chance, certainly = false): unknown {
  const claims: Record<string, unknown> = { ...app.claims() };
  const name = chance.pick(certainly ? CLAIMS.slice(0, 4) : CLAIMS);
  switch (chance.between(0, 3)) {
    case 0:
      return Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name));
    case 1: {
      const wrong = `${String(claims[name])}${chance.pick(['/', ' ', '.evil.io', '\u0430'])}`;
      return { ...claims, [name]: wrong };
    }
    case 2:
      return certainly ? { ...claims, email: 'other@example.com' } : chance.pick(ODD);
    default: {
      const value = chance.pick(ODD.filter((each) => each !== claims[name]));
      return { ...claims, [name]: value, ...(certainly ? { email_verified: 'true' } : {}) };
    }
  }
}

function headerWith(chance: Chance): Record<string, unknown> {
  const header: Record<string, unknown> = { alg: 'RS256', typ: 'JWT', kid: 'key-1' };
  for (let left = chance.between(1, 3); left > 0; left--) {
    header[chance.pick(HEADER_FIELDS)] = chance.pick(ODD);
  }
  return header;
}

function garbage(chance: Chance): string {
  const segment = () =>
    Array.from({ length: chance.between(0, 40) }, () => chance.pick([...LETTERS])).join('');
  return Array.from({ length: chance.between(0, 6) }, segment).join('.');
}
