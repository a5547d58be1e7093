/** URLs that mean another server than they look like, drawn by a grammar and then mutated. */
import type { Chance } from '../support/chance.js';

interface Ports {
  /** Of our own. */
  readonly closed: number;
  /** Of a server of this machine that may be called. */
  readonly open: number;
}

const SCHEMES = [
  ...['HTTP', 'hTTpS', 'ftp', 'file', 'gopher', 'ws', 'data', 'javascript', 'blob', 'about'],
  ...['ｈｔｔｐ', 'http\t', ' http', 'view-source:http', ''],
];
const AFTER_SCHEME = [':/', ':', ':///', ':\\\\', ':/\\', '//', ''];
const USERS = ['a@', 'a:b@', '@', ':@', 'api.example.com@', '%40'];

const NAMES = [
  ...[
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'ｌｏｃａｌｈｏｓｔ',
    'localhost.localdomain',
  ],
  ...[
    'metadata',
    'metadata.google.internal',
    'metadata.google.internal.',
    'METADATA.GOOG',
    'x.local',
  ],
  ...[
    '127.0.0.1.nip.io',
    '169.254.169.254.nip.io',
    'localtest.me',
    'instance-data',
    'evil.example',
  ],
];
const ALLOWED = [
  ...['api.example.com', 'a.hooks.example.com', 'port.example.com', 'path.example.com'],
  'b-1.hooks.example.com',
];
/** Ways to make a name that is allowed into one that isn't, or only looks so. */
const DISGUISES: readonly ((name: string, chance: Chance) => string)[] = [
  (name) => name.toUpperCase(),
  (name) => `${name}.`,
  (name) => `${name}..`,
  (name) => `.${name}`,
  (name) => `${name}.evil.example`,
  (name) => `evil${name}`,
  (name) => `x.${name}`,
  (name) => `*.${name}`,
  (name) => `${name}@127.0.0.1`,
  (name) => `${name}%40127.0.0.1`,
  (name) => `127.0.0.1@${name}`,
  (name) => `${name}#@127.0.0.1`,
  (name) => `127.0.0.1#@${name}`,
  (name) => `${name}\\@127.0.0.1`,
  (name) => `127.0.0.1\\@${name}`,
  (name) => `127.0.0.1/@${name}`,
  (name) => `127.0.0.1?@${name}`,
  (name) => `${name}:80@127.0.0.1`,
  (name) => name.replace('a', 'а'), // Cyrillic
  (name) => name.replaceAll('.', '。'),
  (name) => name.replace('e', '%65'),
  (name) => name.replace('.', '\t.'),
  (name) => name.replace('.', '\u00ad.'),
  (name) => name.replace('m', '\u200dm'),
  (name, chance) => name.slice(0, chance.between(0, name.length)),
];

/** Every way to write an address of this machine, or one that leads to it. */
function address(chance: Chance): string {
  const bytes = chance.pick([
    [127, 0, 0, 1],
    [127, 0, 0, 1],
    [127, 0, 0, 2],
    [0, 0, 0, 0],
    [169, 254, 169, 254],
    [10, 0, 0, 1],
  ]);
  const number = bytes.reduce((all, byte) => all * 256 + byte, 0);
  const dotted = bytes.join('.');
  const octal = (byte: number) => `0${chance.is(0.3) ? '00' : ''}${byte.toString(8)}`;
  const hex = (byte: number) => `0${chance.pick(['x', 'X'])}${byte.toString(16)}`;
  const any = (byte: number) => chance.pick([String, octal, hex])(byte);
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  const wide = (text: string) =>
    text.replace(/[0-9.]/g, (digit) =>
      digit === '.' ? '．' : '０１２３４５６７８９'.charAt(Number(digit)),
    );
  const ringed = (text: string) =>
    text.replace(/[0-9]/g, (digit) => '⓪①②③④⑤⑥⑦⑧⑨'.charAt(Number(digit)));
  const escaped = (text: string) =>
    text.replace(/./g, (part) => `%${part.charCodeAt(0).toString(16)}`);
  const words = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  return chance.pick([
    dotted,
    dotted,
    `${dotted}.`,
    String(number),
    `0x${number.toString(16)}`,
    `0${number.toString(8)}`,
    bytes.map(any).join('.'),
    `${any(a)}.${any(number % 2 ** 24)}`,
    `${any(a)}.${any(b)}.${any(number % 2 ** 16)}`,
    wide(dotted),
    ringed(dotted),
    escaped(dotted),
    '0',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[0000::0001]',
    '[::]',
    `[::ffff:${dotted}]`,
    `[::FFFF:${words}]`,
    `[::${dotted}]`,
    `[::ffff:0:${dotted}]`,
    `[64:ff9b::${words}]`,
    `[2002:${words}::]`,
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '[fe80::1%25lo]',
    '[::1%lo]',
    `[${dotted}]`,
    '::1',
  ]);
}

function host(chance: Chance): string {
  const kind = chance.next();
  if (kind < 0.4) return address(chance);
  if (kind < 0.55) return chance.pick(NAMES);
  const name = chance.pick(ALLOWED);
  return chance.is(0.4) ? name : chance.pick(DISGUISES)(name, chance);
}

function port(chance: Chance, { closed, open }: Ports): string {
  if (chance.is(0.75))
    return chance.pick(['', ':8443', `:${closed}`, `:${closed}`, `:${open}`, `:${open}`]);
  return chance.pick([
    ...[':443', ':', ':1', ':65536', ':-1', ':0x50', ':８０', `:0${closed}`, `:000${closed}`],
    ...[`:${closed} `, `:${open + 65_536}`, `:${closed + 65_536}`],
  ]);
}

const PATHS = [
  ...[
    '',
    '/',
    '/',
    '/v1',
    '/v1/a',
    '/v1/../a',
    '/v1/%2e%2e/a',
    '/v1/..%2fa',
    '/v1/%252e%252e%252fa',
  ],
  ...[
    '/v10',
    '/V1/a',
    '//v1',
    '/v1//a',
    '/v1/..;/a',
    '/v1\\..\\a',
    '/v1/%5c..',
    '/a b',
    '/\t',
    '/%00',
  ],
  ...[
    '?a=b',
    '/?a=/../',
    '#x',
    '/#',
    '/\r\nX: y',
    '/v1?a#b',
    '/@127.0.0.1',
    '/a:b@c',
    '/ü',
    '/%zz',
  ],
  `/${'a'.repeat(2100)}`,
];

const NASTY = [
  ...['\t', '\n', '\r', '\0', ' ', '\x7f', '\\', '/', '@', '#', '?', ':', '%', '.', '[', ']', '*'],
  ...[
    '。',
    '．',
    '\u200b',
    '\u00ad',
    '\ufeff',
    '\u2028',
    'ß',
    'ı',
    'K',
    '\ud800',
    '%2e',
    '%40',
    '%2f',
    '%00',
  ],
];

/** Mostly plain in all parts but one or two, so that what is odd is what decides. */
export function fuzzedUrl(chance: Chance, ports: Ports): string {
  const url =
    (chance.is(0.8) ? chance.pick(['http', 'https']) : chance.pick(SCHEMES)) +
    (chance.is(0.9) ? '://' : chance.pick(AFTER_SCHEME)) +
    (chance.is(0.92) ? '' : chance.pick(USERS)) +
    host(chance) +
    port(chance, ports) +
    (chance.is(0.6) ? chance.pick(['', '/', '/v1/a']) : chance.pick(PATHS));
  return chance.is(0.3) ? mutated(url, chance) : url;
}

function mutated(url: string, chance: Chance): string {
  let text = url;
  for (let left = chance.between(1, 3); left > 0; left--) {
    const at = chance.between(0, text.length);
    const rest = text.slice(at);
    text =
      text.slice(0, at) +
      chance.pick([
        () => chance.pick(NASTY) + rest,
        () => rest.slice(1),
        () => rest.slice(0, 1) + rest,
        () => rest.slice(1, 2) + rest.slice(0, 1) + rest.slice(2),
        () => rest.slice(0, 1).toUpperCase() + rest.slice(1),
        () => `%${(rest.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}${rest.slice(1)}`,
      ])();
  }
  return text;
}
