/** Which URLs may be called: by the default, by rules, and never our own. */
import { describe, expect, test } from '@jest/globals';
import type { OutboundPolicyOptions } from '../../src/outbound/outbound-policy.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import type { OutboundRule } from '../../src/outbound/outbound-rule.js';

const OWN = ['http://127.0.0.1:8080', 'http://127.0.0.1:8123', 'https://app.example.com'];

const LOOPBACK = policyOf({ rules: [], loopback: 'any' });

const LISTED = policyOf({
  rules: [
    { origin: 'https://api.example.com', audience: 'https://audience.example' },
    { origin: 'https://plain.example.com' },
  ],
});

function policyOf(options: OutboundPolicyOptions): OutboundPolicy {
  return new OutboundPolicy({ own: OWN, ...options });
}

function refusal(url: string, policy: OutboundPolicy): unknown {
  try {
    policy.permit(url);
  } catch (error) {
    expect(error).toMatchObject({ name: 'CloudTasksError', field: 'url' });
    return (error as { code: unknown }).code;
  }
  throw new Error(`accepted ${url}`);
}

describe('loopback', () => {
  test.each([
    ['http://localhost:9000/a?b=c', 'http://localhost:9000/a?b=c', 'http://localhost:9000'],
    ['http://127.0.0.1:9000', 'http://127.0.0.1:9000/', 'http://127.0.0.1:9000'],
    ['http://127.9.8.7:9000/', 'http://127.9.8.7:9000/', 'http://127.9.8.7:9000'],
    ['https://[::1]:9000/', 'https://[::1]:9000/', 'https://[::1]:9000'],
    ['http://LOCALHOST/', 'http://localhost/', 'http://localhost'],
  ])('allows %s with a token for its origin', (url, sent, audience) => {
    const permitted = LOOPBACK.permit(url);
    expect(permitted.url.href).toBe(sent);
    expect(permitted.rule).toEqual({ origin: audience, audience });
  });

  // Case 75: a task with our token at our own handlers would pass for one of ours.
  test.each(
    [8080, 8123].flatMap((port) =>
      [
        'localhost',
        'LocalHost',
        'localhost.',
        'a.localhost',
        '127.0.0.1',
        '127.0.0.1.',
        '127.1',
        '127.0.0.2',
        '2130706433',
        '0177.0.0.1',
        '0x7f.1',
        '0x7f000001',
        '①②⑦.⓪.⓪.①',
        'ｌｏｃａｌｈｏｓｔ',
        '%31%32%37.0.0.1',
        '[::1]',
        '[0:0:0:0:0:0:0:1]',
        '[::ffff:127.0.0.1]',
        '[::ffff:7f00:1]',
        '[::127.0.0.1]',
        '0.0.0.0',
        '0',
        '[::]',
      ].map((host) => `http://${host}:${port}/tasks/example`),
    ),
  )('refuses our own %s', (url) => {
    expect(refusal(url, LOOPBACK)).toBe('PERMISSION_DENIED');
    expect(refusal(url.replace(/:(\d+)\//, ':0$1/'), LOOPBACK)).toBe('PERMISSION_DENIED');
  });

  test('knows the port that a scheme stands for', () => {
    const own = ['http://127.0.0.1', 'https://127.0.0.1:443'];
    const policy = policyOf({ rules: [], loopback: 'any', own });
    for (const url of ['http://localhost/', 'http://localhost:80/', 'https://localhost/']) {
      expect(refusal(url, policy)).toBe('PERMISSION_DENIED');
    }
  });

  // Cases 68 to 70.
  test.each([
    'http://example.com/',
    'http://10.0.0.1/',
    'http://169.254.169.254/',
    'http://metadata.google.internal/',
    'http://0.0.0.0:9000/',
    'http://[::]:9000/',
    'http://[::ffff:127.0.0.1]:9000/',
    'http://localhost.:9000/',
    'http://localhost.evil.example/',
    'http://127.0.0.1.evil.example/',
    'http://127.0.0.1.nip.io/',
    'http://128.0.0.1/',
    'http://[fd00:ec2::254]/',
    'http://[64:ff9b::7f00:1]:9000/',
  ])('refuses %s, which is not this machine', (url) => {
    expect(refusal(url, LOOPBACK)).toBe('PERMISSION_DENIED');
  });
});

describe('a list', () => {
  test('attaches a token only where an audience is given', () => {
    const { url, rule } = LISTED.permit('https://api.example.com/x');
    expect([url.href, rule.audience]).toEqual([
      'https://api.example.com/x',
      'https://audience.example',
    ]);
    const plain = LISTED.permit('https://plain.example.com:443');
    expect([plain.url.href, plain.rule.audience]).toEqual([
      'https://plain.example.com/',
      undefined,
    ]);
  });

  // Case 72: only the exact origin passes.
  test.each([
    'https://api.example.com.evil.io/',
    'https://evilapi.example.com/',
    'https://api.example.com./',
    'https://api.example.com:8443/',
    'http://api.example.com/',
    'https://xn--pi-7ka.example.com/',
    'https://аpi.example.com/',
    'https://app.example.com/',
    'https://127.0.0.1/',
    'http://localhost:9000/',
  ])('refuses %s', (url) => {
    expect(refusal(url, LISTED)).toBe('PERMISSION_DENIED');
  });

  test('folds the case of a host name', () => {
    expect(LISTED.permit('https://API.Example.COM/').url.href).toBe('https://api.example.com/');
  });
});

// Cases 72 and 73.
test.each([
  '',
  'localhost:9000',
  '/path',
  '//localhost:9000/',
  'http:/localhost:9000/',
  'http:localhost:9000',
  'http:///localhost:9000/',
  'file:///etc/passwd',
  'ftp://localhost/',
  'gopher://localhost/',
  'data:,x',
  'javascript:alert(1)',
  'ws://localhost/',
  'https://api.example.com@evil.example/',
  'http://user:pass@localhost:9000/',
  'http://@localhost:9000/',
  'http://localhost:9000/#x',
  'https://evil.example#@api.example.com',
  'https://api.example.com\\@evil.example/',
  'http:\\\\localhost:9000/',
  'http://localhost:9000/a b',
  'http://localhost:9000\\a',
  'http://localhost:9000/a\\b',
  'https://api.example.com/?a\\b',
  'http://local\thost:9000/',
  'http://localhost:9000/\r\nX: y',
  'http://localhost:9000/\u0000',
  'http://localhost:9000/\u007f',
  'http://localhost:99999/',
  'http://[::1/',
  'http://1.2.3.4.5/',
  'http://exa mple/',
  `http://localhost:9000/${'a'.repeat(2083)}`,
])('no policy lets %j pass', (url) => {
  expect(refusal(url, LOOPBACK)).toBe('INVALID_ARGUMENT');
  expect(refusal(url, LISTED)).toBe('INVALID_ARGUMENT');
});

describe('rules', () => {
  const policy = policyOf({
    rules: [
      { origin: 'https://*.hooks.example.com', timeout: 1_000_000 },
      { origin: 'https://vip.hooks.example.com', pathPrefix: '/v1', timeout: 2_000_000 },
      { origin: 'https://vip.hooks.example.com', pathPrefix: '/v1/jobs/', timeout: 3_000_000 },
      { origin: 'https://port.example.com:8443' },
      { origin: 'http://localhost:9000' },
    ],
    loopback: 'by-rule',
    ownAudiences: ['https://ours.example'],
  });

  test.each([
    ['https://a.hooks.example.com/x', 1],
    ['https://A-1.HOOKS.example.com', 1],
    ['https://vip.hooks.example.com/', 1],
    ['https://vip.hooks.example.com/v1', 2],
    ['https://vip.hooks.example.com/v1/', 2],
    ['https://vip.hooks.example.com/v1?x=/../', 2],
    ['https://vip.hooks.example.com/v10', 1],
    ['https://vip.hooks.example.com/v1/jobs', 3],
    ['https://vip.hooks.example.com/v1/jobs/%41?b', 3],
    ['https://vip.hooks.example.com/v1/jobsx', 2],
  ])('%s is for the closest: %s', (url, seconds) => {
    expect(policy.permit(url).rule.timeout).toBe(seconds * 1_000_000);
  });

  test.each([
    'https://hooks.example.com/',
    'https://a.b.hooks.example.com/',
    'https://.hooks.example.com/',
    'https://a.hooks.example.com:8443/',
    'https://a.hooks.example.com./',
    'https://ahooks.example.com/',
    'https://a.hooks.example.com.evil.example/',
    'https://*.hooks.example.com/',
    'http://a.hooks.example.com/',
    'https://port.example.com/',
    'http://port.example.com:8443/',
    'http://localhost:9001/',
    'http://127.0.0.1:9000/',
    'http://a.localhost:9000/',
  ])('nothing allows %s', (url) => {
    expect(refusal(url, policy)).toBe('PERMISSION_DENIED');
  });

  const below = policyOf({ rules: [{ origin: 'https://api.example.com', pathPrefix: '/v1' }] });
  test.each([
    '/',
    '/V1/x',
    '/v10',
    '/v1x/../v2',
    '/v1/../admin',
    '/v1/%2e%2e/admin',
    '/v1/..%2fadmin',
    '/v1/%2e%2e%2fadmin',
    '/v1/%252e%252e%252fadmin',
    '/v1/x/..;/..;/admin',
    '/v1/..;a=b/admin',
    '/v1/.%2fx',
    '/v1/..%5cadmin',
    '/v1/%5c..%5cadmin',
    '/v1/%00',
    '/v1/%0d%0ax',
    '/%76%31/x',
    '/v1%2fx/../../admin',
    '//v1/x',
  ])('only what is below a prefix, however it is read: not %s', (path) => {
    expect(refusal(`https://api.example.com${path}`, below)).toBe('PERMISSION_DENIED');
  });

  test('says that it is the path', () => {
    expect(() => below.permit('https://api.example.com/x')).toThrow(
      'url: no outbound rule allows https://api.example.com with this path',
    );
  });

  test('errors name the field that is asked about', () => {
    expect(() => below.permit('x', 'callbackUrl')).toThrow(
      expect.objectContaining({ field: 'callbackUrl', code: 'INVALID_ARGUMENT' }),
    );
    expect(() => below.permit('https://x.example', 'callbackUrl')).toThrow(
      expect.objectContaining({ field: 'callbackUrl', code: 'PERMISSION_DENIED' }),
    );
  });

  const OF = 'https://api.example.com';
  test.each<[field: string, rule: OutboundRule]>([
    ...[
      'api.example.com',
      'https://api.example.com/',
      'https://api.example.com/x',
      'https://API.example.com',
      'https://api.example.com:443',
      'https://api.example.com.',
      'https://u@api.example.com',
      'https://api..example.com',
      'https://api.example.com\n',
      'https://bücher.example',
      'ftp://api.example.com',
      'http://api.example.com',
      'https://metadata',
      'https://x.internal',
      'https://metadata.google.internal',
      'https://metadata.goog',
      'https://a.localhost',
      'https://printer.local',
      'https://169.254.169.254',
      'https://8.8.8.8',
      'https://[2003::1]',
      'https://169.254.169.254.nip.io',
      'https://a.1',
      'https://*',
      'https://*.com',
      'https://*.example.com',
      'https://*.x.internal.internal',
      'https://a.*.b.example.com',
      'https://*.*.b.example.com',
      'https://a*.b.example.com',
      'https://*.a.run.app',
      'https://*.us-central1.run.app',
      'https://*.uc.r.appspot.com',
      'https://*.eu.cloudfunctions.net',
      'https://*.127.0.0.1',
    ].map((origin): [string, OutboundRule] => ['origin', { origin }]),
    ...['v1', '/v1/../x', '/v1//x', '/%76', '/v1 ', '/v1?x', '/v1#x', '/v1\\', '//x'].map(
      (pathPrefix): [string, OutboundRule] => ['pathPrefix', { origin: OF, pathPrefix }],
    ),
    ['audience', { origin: OF, audience: '' }],
    ['audience', { origin: OF, audience: 'a b' }],
    ['audience', { origin: OF, audience: 'https://ours.example' }],
    ['audience', { origin: OF, audience: 'https://app.example.com' }],
    ['audience', { origin: OF, audience: 'http://localhost:8080/x' }],
    ['audience', { origin: 'https://*.hooks.example.com', audience: 'https://hooks.example.com' }],
    ['serviceAccount', { origin: OF, serviceAccount: 'me' }],
    ['headers', { origin: OF, headers: ['Host'] }],
    ['headers', { origin: OF, headers: ['Authorization'] }],
    ['headers', { origin: OF, headers: ['Cookie', 'x-goog-a\r\n'] }],
    ['allowCallerAuth', { origin: OF, audience: 'https://a.example', allowCallerAuth: true }],
    ['timeout', { origin: OF, timeout: 999_999 }],
    ['timeout', { origin: OF, timeout: 86_400_000_001 }],
    ['timeout', { origin: OF, timeout: NaN }],
    ['concurrency', { origin: OF, concurrency: 0 }],
    ['concurrency', { origin: OF, concurrency: 1.5 }],
    ['concurrency', { origin: OF, concurrency: 1801 }],
    ['permanent', { origin: OF, permanent: [299] }],
    ['transient', { origin: OF, transient: [600] }],
    ['transient', { origin: OF, permanent: [409], transient: [404, 409] }],
  ])('%s is refused: %j', (field, rule) => {
    const options = { loopback: 'by-rule', ownAudiences: ['https://ours.example'] } as const;
    expect(() => policyOf({ ...options, rules: [{ origin: 'https://x.example' }, rule] })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: `rules[1].${field}` }),
    );
  });

  test('loopback is named only where calls may stay here', () => {
    const rules = [{ origin: 'http://127.0.0.1:9000' }];
    expect(() => policyOf({ rules, loopback: 'by-rule' })).not.toThrow();
    expect(() => policyOf({ rules, loopback: 'any' })).not.toThrow();
    expect(() => policyOf({ rules })).toThrow(
      'rules[0].origin: expected an origin outside of this',
    );
  });
});

describe('our own addresses', () => {
  test('are told apart by the port, which a scheme may stand for', () => {
    const own = ['http://127.0.0.1', 'http://127.0.0.1:443'];
    const [plain, secure] = own.map((address) =>
      policyOf({ rules: [], loopback: 'any', own: [address] }),
    ) as [OutboundPolicy, OutboundPolicy];
    expect(plain.permit('https://localhost/').url.protocol).toBe('https:');
    expect(refusal('http://localhost/', plain)).toBe('PERMISSION_DENIED');
    expect(secure.permit('http://localhost/').url.protocol).toBe('http:');
    expect(refusal('https://localhost/', secure)).toBe('PERMISSION_DENIED');
  });

  test.each([
    'https://app.example.com:8443/',
    'https://APP.example.com./',
    'http://app.example.com/',
  ])('a host of ours is ours on every port: %s', (url) => {
    const rules = [{ origin: 'https://app.example.com:8443' }];
    expect(() => policyOf({ rules }).permit(url)).toThrow("this app's own address");
  });

  // SERVICE_URL says one spelling, the caller another.
  test.each([
    ['http://localhost:8080', 'http://127.0.0.1:8080/'],
    ['http://localhost:8080', 'http://[::1]:8080/'],
    ['http://127.0.0.1:8080', 'http://localhost:8080/'],
    ['http://0.0.0.0:8080', 'http://localhost:8080/'],
    ['http://[::1]:8080', 'http://localhost:8080/'],
  ])('%s is ours, so %s is', (own, url) => {
    const policy = policyOf({ rules: [], loopback: 'any', own: [] });
    expect(policy.permit(url).rule.audience).toBe(new URL(url).origin);
    policy.addOwn(own);
    expect(refusal(url, policy)).toBe('PERMISSION_DENIED');
  });

  test('a token that would open one is not sent, also where its address came later', () => {
    const rules = [{ origin: 'http://127.0.0.1:9000', audience: 'http://127.0.0.1:7000' }];
    const policy = policyOf({ rules, loopback: 'by-rule' });
    expect(policy.permit('http://127.0.0.1:9000/').rule).toBe(rules[0]);
    policy.addOwn('http://localhost:7000');
    expect(refusal('http://127.0.0.1:9000/', policy)).toBe('PERMISSION_DENIED');
  });
});
