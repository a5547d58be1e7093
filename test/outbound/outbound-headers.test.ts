/** Which of a caller's headers go out. */
import { describe, expect, test } from '@jest/globals';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import type { OutboundRule } from '../../src/outbound/outbound-rule.js';

const policy = new OutboundPolicy({ rules: [] });
const RULE: OutboundRule = { origin: 'https://api.example.com' };

function sent(headers: Record<string, string>, rule: Partial<OutboundRule> = {}) {
  return policy.headers({ ...RULE, ...rule }, headers);
}

function refusal(headers: Record<string, string>, rule: Partial<OutboundRule> = {}): string {
  try {
    sent(headers, rule);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'headers' });
    return (error as Error).message;
  }
  throw new Error(`accepted ${JSON.stringify(headers)}`);
}

// Case 77.
test.each([
  ...['Host', 'Content-Length', 'Expect', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'],
  ...[
    'Connection',
    'Keep-Alive',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Cookie',
    'HTTP2-Settings',
  ],
  ...['X-AppEngine-QueueName', 'X-Google-Internal', 'X-Goog-User-Project', 'X-CloudTasks-TaskName'],
  ...['X-Serverless-Authorization', 'X-Forwarded-For', 'Forwarded', 'Via', 'X-Real-IP'],
  ...[
    'Metadata',
    'Metadata-Flavor',
    'X-aws-ec2-metadata-token',
    'X-Tasks-Uid',
    'X-Engine-Signature',
  ],
  ...[
    'Accept-Encoding',
    'Set-Cookie',
    'Date',
    'x_appengine_queuename',
    'METADATA_FLAVOR',
    '__proto__',
  ],
])('%s stays here', (name) => {
  expect(
    sent(
      Object.fromEntries([
        [name, 'x'],
        ['X-A', '1'],
      ]),
    ),
  ).toEqual({ 'X-A': '1' });
});

test.each(['Accept', 'Content-Type', 'User-Agent', 'X-Api-Key', 'Idempotency-Key', 'traceparent'])(
  '%s goes out',
  (name) => expect(sent({ [name]: 'x' })).toEqual({ [name]: 'x' }),
);

test('what Connection names stays here, whatever it is', () => {
  const headers = {
    Connection: 'close, X-Secret ,accept',
    'x-secret': '1',
    Accept: '*/*',
    'X-A': '1',
  };
  expect(sent(headers)).toEqual({ 'X-A': '1' });
});

// Case 78.
test('Authorization is for the rule to allow, and not beside a token', () => {
  const headers = { authorization: 'Bearer x' };
  expect(refusal(headers)).toMatch(/^headers: 'Authorization' is not for the caller/);
  expect(refusal({ AUTHORIZATION: 'Bearer x' }, { audience: 'https://a.example' })).toMatch(
    'caller',
  );
  expect(sent(headers, { allowCallerAuth: true })).toEqual(headers);
  expect(refusal(headers, { headers: ['Authorization'] })).toMatch('caller');
});

test('what the rule names goes out as well', () => {
  const headers = { Cookie: 'a=b', 'X-Goog-Channel-Id': '1', 'X-Goog-Other': '2' };
  expect(sent(headers, { headers: ['cookie', 'x-goog-channel-id'] })).toEqual({
    Cookie: 'a=b',
    'X-Goog-Channel-Id': '1',
  });
});

// Case 76.
describe('refuses', () => {
  test.each(['', 'a b', 'a:', 'a\r\nb', 'a\0', 'ä', 'a\t', '(a)', 'a/b', 'a,b'])(
    'the name %j',
    (name) => {
      expect(refusal({ [name]: 'x' })).toMatch(/^headers: expected names of letters/);
    },
  );

  test.each([
    'a\r\nb: c',
    'a\nb',
    'a\rb',
    'a\0',
    'a\x7f',
    ' a',
    'a ',
    '\ta',
    'ä',
    '\u2028',
    'a\x1b[0m',
  ])('the value %j', (value) => {
    const message = refusal({ 'X-A': value });
    expect(message).toBe("headers: the value of 'X-A' must be visible ASCII without outer blanks.");
  });

  test('what is no text', () => {
    expect(refusal({ 'X-A': 1 as unknown as string })).toMatch('visible ASCII');
  });

  test('a name that comes twice', () => {
    expect(refusal({ 'X-A': '1', 'x-a': '2' })).toMatch("'x-a' comes twice");
  });

  test('more than 64', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));
    expect(Object.keys(sent(many(64)))).toHaveLength(64);
    expect(refusal(many(65))).toBe('headers: expected at most 64, got 65.');
  });

  test('more than 16 KB', () => {
    const large = (bytes: number) => ({ 'X-A': 'a'.repeat(bytes - 7) });
    expect(sent(large(16_384))).toEqual(large(16_384));
    expect(refusal(large(16_385))).toBe(
      'headers: expected at most 16384 bytes in total, got 16385.',
    );
  });

  test('under the name that the caller has for it', () => {
    expect(() => policy.headers(RULE, { 'a b': '' }, 'callback.headers')).toThrow(
      expect.objectContaining({ field: 'callback.headers' }),
    );
  });
});
