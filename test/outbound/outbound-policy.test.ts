import { describe, expect, test } from '@jest/globals';
import type { OutboundPolicyOptions } from '../../src/outbound/outbound-policy.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';

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
