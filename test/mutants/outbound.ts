/**
 * Mistakes that somebody could make in what decides about outbound calls: each is to be found by the
 * tests of `src/outbound` or by the abuse cases.
 */

import type { Mutant } from './mutant.js';

const POLICY = 'src/outbound/outbound-policy.ts';
const RULE = 'src/outbound/outbound-rule.ts';
const ADDRESS = 'src/outbound/address-policy.ts';
const CONNECTOR = 'src/outbound/pinned-connector.ts';
const HEADERS = 'src/outbound/outbound-headers.ts';
const CLIENT = 'src/outbound/outbound-client.ts';
const EXCHANGE = 'src/outbound/outbound-exchange.ts';
const NAMES = 'src/foundation/public-hosts.ts';
const OWN = 'src/foundation/own-address.ts';
const LISTS = 'src/foundation/header-rules.ts';

export const MUTANTS: readonly Mutant[] = [
  // Which URL.
  {
    file: POLICY,
    from: String.raw`/[\0-\x20\x7f\\]/.test(text)`,
    to: String.raw`/[\0-\x1f\x7f\\]/.test(text)`,
    why: 'a blank, which the parser drops at the ends',
  },
  {
    file: POLICY,
    from: String.raw`/[\0-\x20\x7f\\]/.test(text)`,
    to: String.raw`/[\0-\x20\x7f]/.test(text)`,
    why: 'a backslash, which the parser takes for a slash',
  },
  {
    file: POLICY,
    from: "if (authority.includes('@')) refuse('no user or password');",
    to: '',
    why: 'a user that looks like the host',
  },
  {
    file: POLICY,
    from: "if (text.includes('#')) refuse('no fragment');",
    to: '',
    why: 'a fragment',
  },
  {
    file: POLICY,
    from: '^https?:\\/\\/([^/?#]+)',
    to: '^https?:\\/?\\/?([^/?#]+)',
    why: 'a URL without its slashes, which parsers read each in its own way',
  },
  {
    file: POLICY,
    from: 'if (url.href.length > MOST_URL_LENGTH) {',
    to: 'if (url.href.length > MOST_URL_LENGTH * 2) {',
    why: 'a URL that Cloud Tasks refuses',
  },
  {
    file: POLICY,
    from: 'if (this.own.some((own) => isOwnAddress(url, own))) {',
    to: 'if (this.own.some((own) => url.origin === own.origin)) {',
    why: 'our own app under another spelling',
  },
  {
    file: POLICY,
    from: 'if (!isWildcard(rule)) return url.origin === rule.origin;',
    to: 'if (!isWildcard(rule)) return url.hostname === new URL(rule.origin).hostname;',
    why: 'another scheme or port',
  },
  {
    file: POLICY,
    from: 'if (!isWildcard(rule)) return url.origin === rule.origin;',
    to: 'if (!isWildcard(rule)) return url.origin.startsWith(rule.origin);',
    why: 'https://api.example.com.evil.example',
  },
  {
    file: POLICY,
    from: String.raw`(https:\/\/)[a-z0-9_-]+(\..+)$`,
    to: String.raw`(https:\/\/)[a-z0-9._-]+?(\.hooks.+)$`,
    why: 'several labels for a wildcard',
  },
  {
    file: POLICY,
    from: 'if (path !== prefix && !path.startsWith(`${prefix}/`)) return false;',
    to: 'if (!path.startsWith(prefix)) return false;',
    why: '/v10 below /v1',
  },
  {
    file: POLICY,
    from: ' && !hasDotSegments(plain);',
    to: ';',
    why: '/v1/..%2fadmin',
  },
  {
    file: POLICY,
    from: String.raw`!/[\0-\x1f\x7f\\]/.test(plain) && `,
    to: '',
    why: '/v1/..%5cadmin',
  },
  {
    file: POLICY,
    from: 'const plain = decodedFully(path);',
    to: 'const plain = decodeURIComponent(path);',
    why: '/v1/%252e%252e%252fadmin, which the second server decodes',
  },
  {
    file: POLICY,
    from: "this.loopback !== 'any' || !isLoopback(url.hostname)",
    to: "this.loopback !== 'any' && !isLoopback(url.hostname)",
    why: 'loopback in production',
  },
  {
    file: POLICY,
    from: 'rule.audience !== undefined && this.isOwnAudience(rule.audience)',
    to: 'rule.audience === undefined && this.loopback === undefined',
    why: 'a token for our own handlers, where their address came later',
  },
  {
    file: POLICY,
    from: 'Number(isWildcard(a)) - Number(isWildcard(b)) ||',
    to: 'Number(isWildcard(b)) - Number(isWildcard(a)) ||',
    why: 'the token of a wildcard in place of that of a host',
  },
  {
    file: POLICY,
    from: "(b.pathPrefix ?? '').length - (a.pathPrefix ?? '').length",
    to: "(a.pathPrefix ?? '').length - (b.pathPrefix ?? '').length",
    why: 'the token of the whole host in place of that of the path',
  },
  {
    file: OWN,
    from: 'return portOf(url) === portOf(own);',
    to: 'return url.port === own.port && url.host === own.host;',
    why: 'our own app by another name of this machine',
  },
  {
    file: OWN,
    from: String.raw`url.hostname.replace(/\.+$/, '')`,
    to: 'url.hostname',
    why: 'our own app with a dot behind its name',
  },
  {
    file: OWN,
    from: "url.port || (url.protocol === 'https:' ? '443' : '80')",
    to: 'url.port',
    why: 'our own app on the port of its scheme',
  },

  // Which rule.
  {
    file: RULE,
    from: "if (url.protocol !== 'https:') return 'https, but for loopback addresses';",
    to: '',
    why: 'http to the internet',
  },
  {
    file: RULE,
    from: "return loopback === 'refused' ? 'an origin outside of this machine' : undefined;",
    to: 'return undefined;',
    why: 'a rule for this machine in production',
  },
  {
    file: RULE,
    from: "suffix.split('.').length < 3",
    to: "suffix.split('.').length < 2",
    why: '*.example.com',
  },
  {
    file: RULE,
    from: "return hasOneOwner(suffix) ? undefined : 'no wildcard where anybody can have a name';",
    to: 'return undefined;',
    why: '*.a.run.app, where anybody can have a name',
  },
  {
    file: RULE,
    from: 'audience !== undefined && isOwnAudience(audience)',
    to: 'audience === undefined && isOwnAudience(String(audience))',
    why: 'a token for our own handlers to somebody else',
  },
  {
    file: RULE,
    from: '/^(?:cookie|x-goog-.+)$/i',
    to: '/^(?:cookie|x-.+|host)$/i',
    why: 'a rule that lets platform headers out',
  },
  {
    file: NAMES,
    from: ' && !isBelow(host, INSIDE)',
    to: '',
    why: 'metadata.google.internal on the list',
  },
  {
    file: NAMES,
    from: ' && !isBelow(host, WRITTEN_ADDRESS)',
    to: '',
    why: '169.254.169.254.nip.io on the list',
  },
  {
    file: NAMES,
    from: '(?=[^.]*[a-z])',
    to: '',
    why: 'a literal IPv4 address on the list',
  },

  // Which address.
  {
    file: ADDRESS,
    from: "'100.64.0.0/10'",
    to: "'100.64.0.0/11'",
    why: 'half of the carrier-grade NAT',
  },
  {
    file: ADDRESS,
    from: "'169.254.0.0/16'",
    to: "'169.254.0.0/17'",
    why: 'the metadata server',
  },
  {
    file: ADDRESS,
    from: "'172.16.0.0/12'",
    to: "'172.16.0.0/13'",
    why: 'half of a private range',
  },
  {
    file: ADDRESS,
    from: "  '168.63.129.16/32',",
    to: '',
    why: 'the host of Azure',
  },
  {
    file: ADDRESS,
    from: "range('2000::/3')",
    to: "range('::/0')",
    why: '::1, mapped and translated addresses, fd20:ce::254',
  },
  {
    file: ADDRESS,
    from: "range('2000::/3')",
    to: "range('2000::/2')",
    why: 'what is above 2000::/3',
  },
  {
    file: ADDRESS,
    from: "'2002::/16'",
    to: "'2003::/16'",
    why: '6to4 addresses of this machine',
  },
  {
    file: ADDRESS,
    from: "'2001::/23'",
    to: "'2001::/32'",
    why: 'ORCHID',
  },
  {
    file: ADDRESS,
    from: " || address.includes('%')",
    to: '',
    why: 'an address with a zone',
  },
  {
    file: ADDRESS,
    from: 'if (bytes.length !== range.bytes.length) return false;',
    to: '',
    why: 'an IPv6 address that begins like one of IPv4',
  },
  {
    file: ADDRESS,
    from: "if (group.includes('.')) return group.split('.').map(Number);",
    to: '',
    why: 'the IPv4 part of an IPv6 address, read as one number',
  },

  // Which connection.
  {
    file: CONNECTOR,
    from: 'if (!addresses.every(isAllowed)) {',
    to: 'if (!addresses.some(isAllowed)) {',
    why: 'a private address beside a public one',
  },
  {
    file: CONNECTOR,
    from: 'const pinned = { ...rest, hostname: address,',
    to: 'const pinned = { ...rest, hostname,',
    why: 'a second look-up after the judgement',
  },
  {
    file: CONNECTOR,
    from: '...(isNamed ? { servername: hostname } : {})',
    to: '',
    why: 'a certificate for whatever name',
  },
  {
    file: CONNECTOR,
    from: 'if (isIP(hostname) !== 0) return [hostname];',
    to: "if (isIP(hostname) !== 0) return ['8.8.8.8'];",
    why: 'a literal address that is judged as another',
  },
  {
    file: CONNECTOR,
    from: 'const staysHere = loopback && isLoopback(hostname);',
    to: 'const staysHere = loopback;',
    why: 'a public name that leads to this machine, on a laptop',
  },
  {
    file: CONNECTOR,
    from: 'const staysHere = loopback && isLoopback(hostname);',
    to: 'const staysHere = isLoopback(hostname);',
    why: 'this machine, in production',
  },
  {
    file: CONNECTOR,
    from: ' && !mine.some((own) => isSameAddress(own, address))',
    to: '',
    why: 'this machine by its public address',
  },
  {
    file: CLIENT,
    from: 'const target = this.policy.permit(url.href);',
    to: 'const target = { url, rule: { origin: url.origin } };',
    why: 'a target that was permitted once, or never',
  },
  {
    file: CLIENT,
    from: 'headersTimeout: 0,',
    to: 'headersTimeout: 0, connect: { allowH2: true },',
    why: "undici's own connector, which judges nothing",
  },
  {
    file: CLIENT,
    from: 'maxHeaderSize: MOST_HEAD_BYTES,',
    to: 'maxHeaderSize: MOST_HEAD_BYTES * 64,',
    why: 'a head of a megabyte',
  },

  // Which headers.
  {
    file: HEADERS,
    from: "names.has('authorization') && rule.allowCallerAuth !== true",
    to: "names.has('Authorization') && rule.allowCallerAuth !== true",
    why: 'a credential of the caller in lower case',
  },
  {
    file: HEADERS,
    from: '!ofConnection.has(name.toLowerCase()) &&',
    to: '',
    why: 'a header that Connection names',
  },
  {
    file: HEADERS,
    from: "(allowsHeader(rule, name) || !isReserved(name, 'outbound'))",
    to: "!isReserved(name, 'caller')",
    why: 'a compressed answer, and rules that are ignored',
  },
  {
    file: HEADERS,
    from: 'if (names.size > MOST_HEADERS)',
    to: 'if (names.size > MOST_HEADERS + 1)',
    why: 'the 65th header',
  },
  {
    file: HEADERS,
    from: 'bytes += name.length + value.length + 4;',
    to: 'bytes += value.length;',
    why: 'more than 16 KB, in names',
  },
  {
    file: HEADERS,
    from: "name === 'set-cookie' || ",
    to: '',
    why: "the upstream's session",
  },
  {
    file: HEADERS,
    from: "values.flatMap((value) => value.split(','))",
    to: 'values',
    why: 'the second header that Connection names',
  },
  {
    file: LISTS,
    from: "  'metadata|metadata-flavor|x-aws-.*',",
    to: "  'metadata|x-aws-.*',",
    why: 'what opens the metadata server',
  },
  {
    file: LISTS,
    from: "name.replaceAll('_', '-')",
    to: 'name',
    why: 'x_appengine_queuename',
  },
  {
    file: LISTS,
    from: "const OUTBOUND = ['accept-encoding|cookie|http2-settings'];",
    to: "const OUTBOUND = ['accept-encoding|http2-settings'];",
    why: "a caller's session",
  },
  {
    file: LISTS,
    from: String.raw`(?:[\x20-\x7e\t]*[\x21-\x7e])?`,
    to: String.raw`(?:[\x20-\x7e\t\r\n]*[\x21-\x7e])?`,
    why: 'a header inside of a value',
  },
  {
    file: CLIENT,
    from: "return sent.set('accept-encoding', 'identity');",
    to: 'return sent;',
    why: 'a compressed answer',
  },
  {
    file: CLIENT,
    from: "if (rule.audience === undefined) throw new TypeError('this rule attaches no token');",
    to: '',
    why: 'a token where the rule has none',
  },
  {
    file: CLIENT,
    from: "name.toLowerCase() !== 'authorization' && ",
    to: '',
    why: 'a credential that the rule does not know',
  },

  // How long.
  {
    file: EXCHANGE,
    from: "this.cut('deadline', 'not done in time')",
    to: 'undefined',
    why: 'a call without an end',
  },
  {
    file: EXCHANGE,
    from: 'if (this.waited > GRACE && isSlow) {',
    to: 'if (this.waited > GRACE * 100 && isSlow) {',
    why: 'a body that drips for hours',
  },
  {
    file: EXCHANGE,
    from: 'if (!this.wasPaused) this.waited += RATE_CHECK;',
    to: 'this.waited += RATE_CHECK;',
    why: 'the end of a call whose body we have not read yet',
  },
  {
    file: EXCHANGE,
    from: 'controller.pause();',
    to: '',
    why: 'a body that fills the memory',
  },
];
