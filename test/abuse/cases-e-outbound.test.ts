/** Cases 68 to 75, and of 76 and 77 what no relay is needed for: URLs, addresses, redirects, headers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readSettings } from '../../src/config.js';
import { MINUTE } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { isPublicAddress } from '../../src/outbound/address-policy.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import { RawUpstream } from '../support/raw-upstream.js';
import { PUBLIC, TestNetwork } from '../support/test-network.js';
import { AbusedApp, AUDIENCE } from './abused-app.js';
import { assertNoSecrets, keepSecret } from './secrets.js';

const EXTERNAL = '/add_task_external';
const ALLOWED = 'https://api.example.com';
const INVALID = { statusCode: 400, code: 'INVALID_ARGUMENT', field: 'url' };
const DENIED = { statusCode: 403, code: 'PERMISSION_DENIED', field: 'url' };

/** On Google, where one origin is allowed; and on a laptop, where loopback is. */
let google: AbusedApp;
let laptop: AbusedApp;

beforeAll(async () => {
  google = await AbusedApp.start({ variables: { EXTERNAL_ORIGINS: ALLOWED } });
  laptop = await AbusedApp.start({ mode: 'local' });
  keepSecret(google.apiKey, 'the API key');
  keepSecret(laptop.apiKey, 'the API key');
});

afterAll(async () => {
  await google.close();
  await laptop.close();
});

afterEach(() => {
  for (const app of [google, laptop]) {
    expect(app.handled).toEqual([]);
    assertNoSecrets(app.takeLog(), 'the log');
  }
});

function enqueue(app: AbusedApp, url: string) {
  return app.send(EXTERNAL, app.producerCredentials(), JSON.stringify({ url }));
}

async function expectRefusal(app: AbusedApp, url: string, refusal: object) {
  const { json } = await enqueue(app, url);
  expect(json).toEqual({ ...refusal, message: expect.stringMatching(/^url: /) });
  expect(await app.tasks()).toEqual([]);
}

test('the allowed origin is taken, so that the rest is refused for what it is', async () => {
  const { status } = await enqueue(google, `${ALLOWED}/hook?a=b`);
  const tasks = await google.tasks();
  expect([status, tasks.map(({ httpRequest }) => httpRequest?.url)]).toEqual([
    202,
    [`${ALLOWED}/hook?a=b`],
  ]);
  await google.app.api.purgeQueue({ name: google.app.queueName() });
});

const LOOPBACK_SPELLINGS = [
  ...['2130706433', '0177.0.0.1', '0x7f.1', '127.1', '①②⑦.⓪.⓪.①', '%31%32%37.0.0.1', '0', '[::]'],
  ...['[::1]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]'],
  ...['[2002:7f00:1::]', '127.0.0.1', 'localhost', '0.0.0.0', '127.0.0.2'],
];

test.each(LOOPBACK_SPELLINGS)('68. %s, which is this machine', async (host) => {
  await expectRefusal(google, `http://${host}/`, DENIED);
  await expectRefusal(google, `https://${host}/`, DENIED);
});

describe('69.', () => {
  const names = [
    ...['169.254.169.254', '0xA9FEA9FE', '[fd00:ec2::254]', '[fd20:ce::254]', 'metadata'],
    ...['metadata.google.internal.', 'METADATA.GOOG', '169.254.169.254.nip.io'],
  ];

  test.each(names)('%s, where metadata are', async (host) => {
    await expectRefusal(google, `http://${host}/computeMetadata/v1/`, DENIED);
    await expectRefusal(laptop, `http://${host}/computeMetadata/v1/`, DENIED);
  });

  test.each(names)('%s, even where somebody allows it', (host) => {
    const EXTERNAL_ORIGINS = `https://${host}`;
    expect(() => readSettings({ EXTERNAL_ORIGINS })).toThrow(/^EXTERNAL_ORIGINS: expected /);
    expect(() => new OutboundPolicy({ rules: [{ origin: EXTERNAL_ORIGINS }] })).toThrow(
      'rules[0].origin: expected ',
    );
  });

  test('an allowed name that leads there', async () => {
    const { network, call } = await named();
    for (const address of ['169.254.169.254', 'fd20:ce::254', 'fd00:ec2::254']) {
      network.names = async () => [address];
      await expect(call()).rejects.toMatchObject({ failure: 'refused' });
    }
    expect(network.opened).toEqual([]);
  });
});

describe('70.', () => {
  const refused = [
    ...['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
    ...['198.18.0.1', '168.63.129.16', '240.0.0.1', '255.255.255.255'],
  ];
  const neighbours = ['100.63.255.254', '100.128.0.1', '172.15.255.255', '172.32.0.1', '11.0.0.1'];

  test.each(refused)('%s, in a URL and behind a name', async (address) => {
    await expectRefusal(google, `http://${address}/`, DENIED);
    await expectRefusal(laptop, `http://${address}:9000/`, DENIED);
    const { network, call } = await named();
    network.names = async () => [address];
    await expect(call()).rejects.toMatchObject({ failure: 'refused' });
    expect(network.opened).toEqual([]);
  });

  test.each(neighbours)('%s is public, and still has to be on the list', async (address) => {
    expect(isPublicAddress(address)).toBe(true);
    await expectRefusal(google, `https://${address}/`, DENIED);
    const { network, call } = await named();
    network.names = async () => [address];
    expect((await call()).status).toBe(200);
    expect(network.opened).toMatchObject([{ address }]);
  });
});

test.each<[string, string[][]]>([
  ['a private address', [['10.0.0.1']]],
  ['a public and a private one', [[PUBLIC, '127.0.0.1']]],
  ['first a public, then a private one', [[PUBLIC], ['127.0.0.1']]],
  ['our own', [['0.0.0.0']]],
])('71. a name that means %s is refused when it is called', async (_, answers) => {
  const { network, upstream, call } = await named();
  for (const addresses of answers) {
    network.names = async () => addresses;
    const isGood = addresses.every((address) => isPublicAddress(address));
    if (isGood) expect((await call()).status).toBe(200);
    else await expect(call()).rejects.toMatchObject({ failure: 'refused', sent: false });
  }
  expect(upstream.heads).toHaveLength(answers.length - 1);
});

describe('72.', () => {
  test.each<[string, object]>([
    ['https://api.example.com@evil.example', INVALID],
    ['https://evil.example#@api.example.com', INVALID],
    ['https://api.example.com\\@evil.example', INVALID],
    ['https://api.example.com.evil.io', DENIED],
    ['https://evilapi.example.com', DENIED],
    ['https://api.example.com.', DENIED],
    ['https://аpi.example.com', DENIED],
    ['https://api.example.com:8443', DENIED],
    ['http://api.example.com', DENIED],
    ['https://example.com', DENIED],
    ['https://x.api.example.com', DENIED],
  ])('%s is not the allowed origin', async (url, refusal) => {
    await expectRefusal(google, url, refusal);
  });

  test.each(['https://API.example.COM/', 'https://api.example.com:443/'])(
    '%s is, and goes out as it',
    async (url) => {
      expect((await enqueue(google, url)).status).toBe(202);
      const [task] = await google.tasks();
      expect(task?.httpRequest?.url).toBe(`${ALLOWED}/`);
      await google.app.api.purgeQueue({ name: google.app.queueName() });
    },
  );
});

test.each([
  ...['file:///etc/passwd', 'ftp://api.example.com/', 'gopher://api.example.com/', 'data:,x'],
  ...['javascript:alert(1)', '//api.example.com', '/path', '', 'api.example.com'],
  ...['https://api\t.example.com/', 'https://api.example.com/\r\nX: y', ' https://api.example.com'],
  ...['https:/api.example.com/', 'https:api.example.com', 'https://api.example.com/\0'],
])('73. %j is no URL that anything is sent to', async (url) => {
  await expectRefusal(google, url, INVALID);
  await expectRefusal(laptop, url, INVALID);
});

test('73. http: in production', async () => {
  await expectRefusal(google, 'http://api.example.com/', DENIED);
  const onGoogle = { TASKS_BACKEND: 'google', PROJECT_ID: 'p', HOST: '127.0.0.1' };
  const own = {
    SERVICE_URL: 'https://app.example.com',
    SERVICE_ACCOUNT: 'a@b',
    PRODUCER_AUTH: 'none',
  };
  for (const EXTERNAL_ORIGINS of ['http://api.example.com', 'http://127.0.0.1:9000']) {
    expect(() => readSettings({ ...onGoogle, ...own, EXTERNAL_ORIGINS })).toThrow(
      'EXTERNAL_ORIGINS: expected public https origins',
    );
  }
});

test.each<[string, string]>([
  ['302 to metadata', 'HTTP/1.1 302 X\r\nLocation: http://169.254.169.254/'],
  ['307 across origins', 'HTTP/1.1 307 X\r\nLocation: https://b.hooks.example.com/'],
  ['301 from https to http', 'HTTP/1.1 301 X\r\nLocation: http://api.example.com/'],
  ['308 to itself', 'HTTP/1.1 308 X\r\nLocation: /start'],
])('74. %s is a result, and not followed', async (_, head) => {
  const { network, upstream, call } = await named();
  upstream.answer = () => `${head}\r\nContent-Length: 0\r\n\r\n`;
  const { status } = await call('POST', 'payload');
  expect(status).toBe(Number(head.slice(9, 12)));
  expect([upstream.heads.length, network.opened.length, network.asked]).toEqual([1, 1, 1]);
});

describe('75. our own', () => {
  const spellings = LOOPBACK_SPELLINGS.filter((host) => !/64:ff9b|2002:|::ffff:0:/.test(host));

  test.each([...spellings, 'LOCALHOST', 'localhost.', 'a.localhost', '127.0.0.1.'])(
    'app and engine as %s',
    async (host) => {
      for (const address of [laptop.url, laptop.app.engineUrl]) {
        const { port } = new URL(address);
        await expectRefusal(laptop, `http://${host}:${port}/abuse/work`, DENIED);
        await expectRefusal(laptop, `http://${host}:0${port}/abuse/work`, DENIED);
      }
    },
  );

  test.each(['/abuse/work', ':443/abuse/work', ':8443/', './abuse/work'])(
    'handlers behind SERVICE_URL, as %s after its host',
    async (rest) => {
      await expectRefusal(google, `${AUDIENCE}${rest}`, DENIED);
    },
  );

  test.each(['http://localhost:4711', 'http://127.0.0.1:4711', 'http://[::1]:4711'])(
    'handlers at SERVICE_URL=%s, under its other names',
    async (SERVICE_URL) => {
      const app = await AbusedApp.start({ mode: 'local', variables: { SERVICE_URL } });
      try {
        for (const host of ['localhost', '127.0.0.1', '127.1', '[::1]', '0.0.0.0']) {
          await expectRefusal(app, `http://${host}:4711/abuse/work`, DENIED);
        }
        assertNoSecrets(app.takeLog(), 'the log');
      } finally {
        await app.close();
      }
    },
  );
});

describe('what a call carries', () => {
  const policy = new OutboundPolicy({ rules: [] });
  const rule = { origin: ALLOWED };

  test.each<[string, Record<string, string>]>([
    ['a line end in a name', { 'a\r\nb': '1' }],
    ['NUL in a name', { 'a\0': '1' }],
    ['a colon in a name', { 'a:b': '1' }],
    ['a blank in a name', { 'a b': '1' }],
    ['a line end in a value', { a: '1\r\nb: 2' }],
    ['NUL in a value', { a: '1\0' }],
    ['65 of them', Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`x-${at}`, '']))],
    ['17 KB', { a: 'a'.repeat(17 * 1024) }],
  ])('76. not %s', async (_, headers) => {
    expect(() => policy.headers(rule, headers)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'headers' }),
    );
    const { upstream, call } = await named();
    await expect(call('POST', 'payload', headers)).rejects.toMatchObject({ field: 'headers' });
    expect(upstream.connections).toBe(0);
  });

  test('77. nothing of the connection, of platforms, of sessions', async () => {
    const { upstream, call } = await named();
    await call('POST', undefined, {
      ...{ Connection: 'x-secret', 'X-Secret': '1', 'Keep-Alive': 'timeout=1', TE: 'trailers' },
      ...{ 'Proxy-Authorization': 'Basic eA==', Upgrade: 'h2c', Host: 'evil.example', Expect: '1' },
      ...{ 'Transfer-Encoding': 'chunked', 'Content-Length': '5', Trailer: 'x', Cookie: 'a=b' },
      ...{
        'Metadata-Flavor': 'Google',
        'X-Forwarded-For': '0.1.0.2',
        Forwarded: 'for=x',
        Via: '1',
      },
      ...{ 'X-Serverless-Authorization': 'Bearer x', 'X-AppEngine-QueueName': 'q', 'X-A': '1' },
    });
    expect(upstream.heads).toEqual([
      [
        'POST /start HTTP/1.1',
        'host: api.example.com',
        'connection: keep-alive',
        'x-a: 1',
        'accept-encoding: identity',
        'content-length: 0',
      ].join('\r\n'),
    ]);
  });
});

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Calls of the allowed origin over TLS, whose name means what the test says. */
async function named() {
  const answer = () => 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
  const upstream = await RawUpstream.listen(answer, { tls: true });
  const network = new TestNetwork(upstream.port);
  const policy = new OutboundPolicy({ rules: [{ origin: ALLOWED }] });
  const client = new OutboundClient(policy, new SystemClock(), network.options);
  ends.push(
    () => client.close(),
    () => upstream.close(),
  );
  const call = async (
    method: 'GET' | 'POST' = 'GET',
    body?: string,
    headers: Record<string, string> = {},
  ) => {
    const target = policy.permit(`${ALLOWED}/start`);
    const given = { method, headers, deadline: MINUTE, ...(body === undefined ? {} : { body }) };
    const response = await client.call(target, given);
    await response.body.toArray();
    return response;
  };
  return { upstream, network, call };
}
