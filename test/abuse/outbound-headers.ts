/**
 * Headers by chance, good ones, forbidden ones and malformed ones, given to calls whose upstream
 * takes them in as bytes: what arrives is what was given without what must not go out, and nothing
 * else, byte for byte.
 */
import { MINUTE } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import { Chance } from '../support/chance.js';
import { OK, RawUpstream } from '../support/raw-upstream.js';

export const size = 50_000;

const AT_ONCE = 16;

/** What must never arrive unless it is ours: section 2.4 of the threat model, by name. */
const STRIPPED = [
  ...[
    'connection',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
    'proxy-x',
    'te',
    'trailer',
  ],
  ...[
    'transfer-encoding',
    'upgrade',
    'host',
    'content-length',
    'expect',
    'cookie',
    'via',
    'forwarded',
  ],
  ...[
    'x-appengine-queuename',
    'x-appengine-user-ip',
    'x-google-a',
    'x-goog-b',
    'x-goog-iap-jwt-assertion',
  ],
  ...['x-cloudtasks-taskname', 'x-serverless-authorization', 'x-forwarded-for', 'x-forwarded-host'],
  ...[
    'metadata',
    'metadata-flavor',
    'x-aws-ec2-metadata-token',
    'x-aws-ec2-metadata-token-ttl-seconds',
  ],
  ...['x-tasks-uid', 'x-tasks-deadline', 'x-engine-signature', 'accept-encoding', 'http2-settings'],
  ...[
    'x_appengine_queuename',
    'metadata_flavor',
    'x_forwarded_for',
    '__proto__',
    'set-cookie',
    'x-real-ip',
  ],
];
const HARMLESS = [
  ...[
    'accept',
    'content-type',
    'user-agent',
    'x-request-id',
    'x-api-key',
    'idempotency-key',
    'etag',
  ],
  ...[
    'traceparent',
    'x-a',
    'x-b',
    'constructor',
    'x-hostx',
    'xhost',
    'x-cookie',
    'hosts',
    'te-x',
    'viaa',
  ],
];
const MALFORMED_NAMES = [
  '',
  'a b',
  'a:',
  'a\r\nx-in: 1',
  'a\n',
  'a\0',
  'ä',
  'x-a\t',
  '(x)',
  'a/b',
  '"a"',
];
const VALUES = [
  ...[
    '1',
    '',
    'a b',
    '"q"',
    'a, b; c=d',
    '*/*',
    'x'.repeat(200),
    '!~',
    'a\tb',
    '%0d%0ax-in:1',
    '\\r\\n',
  ],
];
const MALFORMED_VALUES = [
  ...[
    'a\r\nx-in: 1',
    'a\nx-in: 1',
    'a\rb',
    'a\0b',
    ' a',
    'a ',
    'ä',
    '\u010a',
    '\u560d\u560ax-in: 1',
    'a\x7f',
  ],
  ...['1\r\n\r\nGET /in HTTP/1.1\r\nhost: x\r\n', '\u2028', '\x0b'],
];
const TOKEN = 'head.payload.signature';

export async function run(count: number, seed: number): Promise<string> {
  const upstream = await RawUpstream.listen(OK);
  const origin = `http://127.0.0.1:${upstream.port}`;
  const rules = [
    { origin, pathPrefix: '/plain' },
    { origin, pathPrefix: '/token', audience: 'https://aud.example' },
    { origin, pathPrefix: '/theirs', allowCallerAuth: true, headers: ['Cookie', 'X-Goog-B'] },
  ];
  const policy = new OutboundPolicy({ rules, loopback: 'by-rule' });
  const client = new OutboundClient(policy, new SystemClock());
  const figures = { refused: 0, sent: 0 };
  let next = 0;
  const caller = async () => {
    for (let index = next++; index < count; index = next++) {
      const chance = new Chance(seed + index * 7919);
      const kind = chance.pick(['plain', 'token', 'theirs'] as const);
      const given = headers(chance);
      const expected = judge(given, kind);
      const path = `/${kind}/${index}`;
      const body = chance.is(0.5) ? 'payload' : undefined;
      const failed = await client
        .call(policy.permit(origin + path), {
          method: 'POST',
          headers: given,
          ...(kind === 'token' ? { idToken: TOKEN } : {}),
          ...(body === undefined ? {} : { body }),
          deadline: MINUTE,
        })
        .then(
          async ({ body }) => {
            await body.toArray();
          },
          (error: unknown) => error,
        );
      const what = `case ${index}, ${kind}: ${JSON.stringify(given)}`;
      const heads = take(upstream, path);
      if (expected === undefined) {
        const { code, field } = (failed ?? {}) as { code?: string; field?: string };
        const isRefused = code === 'INVALID_ARGUMENT' && field === 'headers' && heads.length === 0;
        if (!isRefused) throw new Error(`${what} was not refused`, { cause: failed });
        figures.refused++;
        continue;
      }
      if (failed !== undefined) throw new Error(what, { cause: failed });
      const wanted = [
        `POST ${path} HTTP/1.1`,
        `host: 127.0.0.1:${upstream.port}`,
        'connection: keep-alive',
        ...expected,
        ...(kind === 'token' ? [`authorization: Bearer ${TOKEN}`] : []),
        'accept-encoding: identity',
        `content-length: ${body === undefined ? 0 : body.length}`,
      ].join('\r\n');
      if (heads.length !== 1 || heads[0] !== wanted) {
        throw new Error(
          `${what} arrived as ${JSON.stringify(heads)}, not ${JSON.stringify(wanted)}`,
        );
      }
      figures.sent++;
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    if (upstream.heads.length > 0) throw new Error(`nobody asked for ${upstream.heads.join()}`);
    const { refused, sent } = figures;
    return `${count} sets: ${refused} refused, ${sent} arrived as allowed, 0 stripped or injected headers`;
  } finally {
    await client.close();
    await upstream.close();
  }
}

function take(upstream: RawUpstream, path: string): string[] {
  const mine = upstream.heads.filter((head) => head.startsWith(`POST ${path} `));
  for (const head of mine) upstream.heads.splice(upstream.heads.indexOf(head), 1);
  return mine;
}

function headers(chance: Chance): Record<string, string> {
  const given: [string, string][] = [];
  const most = chance.is(0.02) ? 70 : 8;
  for (let left = chance.between(0, most); left > 0; left--) {
    const name = chance.is(0.03)
      ? chance.pick(MALFORMED_NAMES)
      : chance.is(0.05)
        ? 'authorization'
        : chance.pick(chance.is(0.5) ? STRIPPED : most > 8 ? numbered(chance) : HARMLESS);
    const value =
      name === 'connection'
        ? chance.pick(['close', 'x-a', 'X-B , accept', 'keep-alive, idempotency-key', ',,'])
        : chance.pick(chance.is(0.03) ? MALFORMED_VALUES : VALUES);
    given.push([cased(name, chance), chance.is(0.002) ? 'v'.repeat(17_000) : value]);
  }
  return Object.fromEntries(given);
}

function numbered(chance: Chance): string[] {
  return [`x-${chance.between(0, 100_000)}`];
}

function cased(name: string, chance: Chance): string {
  const kind = chance.between(0, 2);
  if (kind === 0) return name;
  if (kind === 1) return name.toUpperCase();
  return name.replace(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** The lines that are to arrive, or nothing when the set is to be refused; by rules of its own. */
function judge(given: Record<string, string>, kind: 'plain' | 'token' | 'theirs') {
  const entries = Object.entries(given);
  const names = entries.map(([name]) => name.toLowerCase());
  const bytes = entries.reduce((all, [name, value]) => all + `${name}: ${value}\r\n`.length, 0);
  const isMalformed = entries.some(
    ([name, value]) =>
      [...MALFORMED_NAMES].some((bad) => bad.toLowerCase() === name.toLowerCase()) ||
      MALFORMED_VALUES.includes(value),
  );
  const isTooMuch = entries.length > 64 || bytes > 16_384;
  const isTwice = new Set(names).size < names.length;
  const isCredential = names.includes('authorization') && kind !== 'theirs';
  if (isMalformed || isTooMuch || isTwice || isCredential) return undefined;
  const connection = entries
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((part) => part.trim().toLowerCase()));
  const allowed = kind === 'theirs' ? ['cookie', 'x-goog-b'] : [];
  return entries
    .map(([name, value]) => ({ name: name.toLowerCase(), value }))
    .filter(({ name }) => !connection.includes(name))
    .filter(({ name }) => allowed.includes(name) || !STRIPPED.includes(name))
    .map(({ name, value }) => `${name}: ${value}`);
}
