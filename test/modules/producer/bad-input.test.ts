/** Sections C and D of the abuse cases, on the real app: every one a clear 4xx, nothing enqueued. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES } from '../../../src/modules/producer/request-body.js';
import { TestApp } from '../../support/test-app.js';

const APP_ENGINE = '/add_task_app_engine';
const EXTERNAL = '/add_task_external';
const URL_9000 = 'http://127.0.0.1:9000/';

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
  // What is enqueued stays where it can be counted.
  await app.api.pauseQueue({ name: app.queueName() });
});

afterAll(() => app.close());

async function expectNothing(): Promise<void> {
  expect(await app.tasks()).toEqual([]);
}

afterEach(expectNothing);

async function expectRefusal(
  answer: Promise<{ status: number; json: unknown }>,
  status: number,
  rest: object,
): Promise<void> {
  const { status: got, json } = await answer;
  expect({ got, json }).toEqual({
    got: status,
    json: { statusCode: status, message: expect.any(String), ...rest },
  });
}

const INVALID = { code: 'INVALID_ARGUMENT' };

describe.each([APP_ENGINE, EXTERNAL, '/do_external_task'])('POST %s, bodies', (path) => {
  test('case 45: one byte over the limit is 413, also without a length', async () => {
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, ' ');
    await expectRefusal(app.send('POST', path, body), 413, INVALID);
    expect(await chunked(path, body)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test.each([
    ['empty', ''],
    ['cut off', '{"payload":1'],
    ['a trailing comma', '{"payload":1,}'],
    ['NaN', '{"payload":NaN}'],
    ['a comment', '{/* */"payload":1}'],
    ['two documents', '{} {}'],
    ['a string', '"payload"'],
    ['a number', '42'],
    ['null', 'null'],
    ['an array', '[{}]'],
    ['single quotes', "{'payload':1}"],
  ])('case 46: %s', async (_, body) => {
    await expectRefusal(app.send('POST', path, body), 400, INVALID);
  });

  test.each([
    [{}],
    [{ 'content-type': '' }],
    [{ 'content-type': 'text/plain' }],
    [{ 'content-type': 'application/x-www-form-urlencoded' }],
    [{ 'content-type': 'multipart/form-data; boundary=x' }],
    [{ 'content-type': 'text/json' }],
    [{ 'content-type': 'application/jsonp' }],
  ])('case 47: %j is 415', async (headers) => {
    await expectRefusal(app.send('POST', path, '{}', headers), 415, INVALID);
  });

  test.each([
    'latin1',
    'iso-8859-1',
    'utf-7',
    'utf-16',
    'utf-16le',
    'unknown',
    '',
    'utf-8; charset=latin1',
  ])('case 48: charset %s is 415', async (charset) => {
    const headers = { 'content-type': `application/json; charset=${charset}` };
    await expectRefusal(app.send('POST', path, '{}', headers), 415, INVALID);
  });

  test.each<[string, Uint8Array]>([
    ['invalid UTF-8', Buffer.from('{"payload":"\xff"}', 'latin1')],
    ['an overlong encoding', Buffer.from('{"payload":"\xc0\xaf"}', 'latin1')],
    ['an encoded surrogate', Buffer.from('{"payload":"\xed\xa0\x80"}', 'latin1')],
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['a byte order mark of UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
    ['a NUL', Buffer.from('{"payload":"\0"}')],
    ['a NUL between', Buffer.from('{"payload":1\0}')],
  ])('case 49: %s', async (_, body) => {
    await expectRefusal(app.send('POST', path, body), 400, INVALID);
  });

  test.each([65, 100_000])('case 50: %d levels', async (levels) => {
    const nested = '['.repeat(levels - 1) + ']'.repeat(levels - 1);
    await expectRefusal(app.send('POST', path, `{"payload":${nested}}`), 400, INVALID);
  });

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'case 51: %s is no field of ours',
    async (name) => {
      const body = `{"${name}":{"polluted":true}}`;
      await expectRefusal(app.send('POST', path, body), 400, { ...INVALID, field: name });
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  test.each(['__proto__', 'constructor', 'Prototype'])('case 51: %s is no header', async (name) => {
    const body = `{"url":"${URL_9000}","headers":{"${name}":"x"}}`;
    const field = path === APP_ENGINE ? 'url' : 'headers';
    await expectRefusal(app.send('POST', path, body), 400, { ...INVALID, field });
  });

  test('case 52: 100,000 keys, a string, digits of a megabyte, as our own field', async () => {
    const keys = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]),
    );
    await expectRefusal(app.send('POST', path, keys), 400, { ...INVALID, field: 'k0' });
    const long = 'x'.repeat(1_000_000);
    await expectRefusal(app.send('POST', path, `{"queue":"${long}","url":"${URL_9000}"}`), 400, {
      ...INVALID,
      field: path === APP_ENGINE ? 'url' : 'queue',
    });
    const digits = '9'.repeat(1_000_000);
    const { status, text } = await app.send('POST', path, `{"taskId":${digits}}`);
    expect(status).toBe(400);
    expect(text.length).toBeLessThan(1000);
  });

  test.each(['gzip', 'br', 'deflate', 'identity', 'gzip, gzip', 'unknown'])(
    'case 53: Content-Encoding %s is 415, whatever it holds',
    async (encoding) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      const bomb = gzipSync(Buffer.alloc(10_000_000, ' '));
      await expectRefusal(app.send('POST', path, bomb, headers), 415, INVALID);
      await expectRefusal(app.send('POST', path, 'no gzip', headers), 415, INVALID);
    },
  );

  test('our own fields come once, however they are spelt', async () => {
    const body = '{"queue":"a","que\\u0075e":"b"}';
    await expectRefusal(app.send('POST', path, body), 400, { ...INVALID, field: 'queue' });
  });

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])(
    '%s is 405',
    async (method) => {
      const { status, headers, text } = await app.send(method, path);
      expect([status, headers['allow']]).toEqual([405, 'POST']);
      if (method !== 'HEAD') {
        expect(JSON.parse(text)).toEqual({
          statusCode: 405,
          code: 'UNIMPLEMENTED',
          message: `This path allows POST, got ${method}.`,
        });
      }
    },
  );
});

describe('framing', () => {
  test('case 45: a Content-Length that is too small', async () => {
    const head = `POST ${APP_ENGINE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const answer = await exchange(`${head}Content-Length: 5\r\n\r\n{"payload":"longer"}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  const head = `POST ${APP_ENGINE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
  test.each([
    [
      'both a length and chunks',
      `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['an unknown coding', `${head}Transfer-Encoding: xchunked\r\n\r\n{}`],
    ['a bad chunk size', `${head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n`],
    [
      'an overflowing chunk size',
      `${head}Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'a long chunk extension',
      `${head}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    ],
    ['a folded header', `${head}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}`],
    ['a bare line feed', `${head.replaceAll('\r\n', '\n')}Content-Length: 2\n\n{}`],
    ['a bare carriage return', `${head}X-A: b\rX-C: d\r\nContent-Length: 2\r\n\r\n{}`],
    ['a NUL in a header', `${head}X-A: b\0\r\nContent-Length: 2\r\n\r\n{}`],
  ])('case 54: %s', async (_, text) => {
    expect(await exchange(text)).toMatch(/^HTTP\/1\.1 4(00|13) /);
  });

  test('case 12: too many headers, the last ones dropped by the parser', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => `a${index}: b\r\n`).join('');
    expect(await exchange(`${head}${many}Content-Length: 2\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 431 /);
    const hundred = many.split('\r\n').slice(0, 98).join('\r\n');
    expect(await exchange(`${head}${hundred}\r\nContent-Length: 2\r\n\r\n{}`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  test('case 92: odd request lines', async () => {
    for (const line of [
      'OPTIONS * HTTP/1.1',
      'GET //add_task_external HTTP/1.1',
      'GET http://localhost/x HTTP/1.1',
      'PRI * HTTP/2.0',
      'GET /%zz HTTP/1.1',
      'GET /%ff HTTP/1.1',
      '\x16\x03\x01\x02',
    ]) {
      expect(await exchange(`${line}\r\nHost: localhost\r\n\r\n`)).toMatch(
        /^(HTTP\/1\.1 4\d\d |$)/,
      );
    }
  });

  test('a page of another name is no program of this machine', async () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evil.example:8080',
      '',
    ]) {
      const answer = await exchange(
        `POST ${APP_ENGINE} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
      expect(answer).toContain('"code":"PERMISSION_DENIED"');
    }
  });
});

describe('case 55: a body that stops half-way', () => {
  test('is 408 in time, and no handler runs', async () => {
    const impatient = await TestApp.start(
      {},
      { requestTimeout: 50, headersTimeout: 50, connectionsCheckingInterval: 10 },
    );
    try {
      const { port } = new URL(impatient.url);
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        `POST ${APP_ENGINE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"pay`,
      );
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(socket, 'close');
      expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 408 /);
      expect(await impatient.tasks()).toEqual([]);
    } finally {
      await impatient.close();
    }
  });
});

const BOTH: [string, Record<string, unknown>, string][] = [
  ['case 58: countdown of -1', { countdown: -1 }, 'countdown'],
  ['case 58: countdown of 30', { countdown: 30 }, 'countdown'],
  ['case 58: countdown of "5"', { countdown: '5' }, 'countdown'],
  ['case 58: countdown of 1e308', { countdown: 1e308 }, 'countdown'],
  ['case 58: countdown of "-5s"', { countdown: '-5s' }, 'countdown'],
  ['case 58: countdown of "1.5s"', { countdown: '1.5s' }, 'countdown'],
  ['case 58: countdown of "NaN"', { countdown: 'NaN' }, 'countdown'],
  ['case 58: countdown of "Infinity"', { countdown: 'Infinitys' }, 'countdown'],
  ['case 58: countdown of null', { countdown: null }, 'countdown'],
  ['case 58: countdown of an array', { countdown: ['5s'] }, 'countdown'],
  ['case 58: countdown beyond 30 days', { countdown: '31d' }, 'countdown'],
  ['case 58: countdown of 999999999999999d', { countdown: '999999999999999d' }, 'countdown'],
  ['case 58: a number for scheduleTime', { scheduleTime: 1767225600 }, 'scheduleTime'],
  ['case 58: no date', { scheduleTime: 'tomorrow' }, 'scheduleTime'],
  ['case 58: 30 February', { scheduleTime: '2026-02-30T00:00:00Z' }, 'scheduleTime'],
  ['case 58: the year 275761', { scheduleTime: '+275761-01-01T00:00:00Z' }, 'scheduleTime'],
  ['case 58: the year 9999', { scheduleTime: '9999-12-31T23:59:59Z' }, 'scheduleTime'],
  ['case 58: both', { countdown: '1s', scheduleTime: '2026-01-01T00:00:00Z' }, 'scheduleTime'],
  ...['../x', 'a/b', 'q%2f', '', 'x'.repeat(101), 'schlänge', 'a_b', 'a b', '__proto__', 5].map(
    (queue): [string, Record<string, unknown>, string] => [
      `case 59: queue ${String(queue).slice(0, 10)}`,
      { queue },
      'queue',
    ],
  ),
  ...['a/b', 'a.b', 'a b', '', 'x'.repeat(501), 'ä', '../x', 'a%2fb', 'a\n', 7, null].map(
    (taskId): [string, Record<string, unknown>, string] => [
      `case 60: taskId ${JSON.stringify(taskId).slice(0, 10)}`,
      { taskId },
      'taskId',
    ],
  ),
  ...['CONNECT', 'TRACE', 'post', 'Get', 'FETCH', '', 'POST ', 1].map(
    (method): [string, Record<string, unknown>, string] => [
      `case 63: method ${method}`,
      { method },
      'method',
    ],
  ),
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS'].map(
    (method): [string, Record<string, unknown>, string] => [
      `case 63: a body with ${method}`,
      { method, payload: '' },
      'payload',
    ],
  ),
  ['case 64: dispatchDeadline of 0', { dispatchDeadline: '0s' }, 'dispatchDeadline'],
  ['case 64: dispatchDeadline of 14 s', { dispatchDeadline: '14s' }, 'dispatchDeadline'],
  ['case 64: dispatchDeadline of 14999 ms', { dispatchDeadline: '14999ms' }, 'dispatchDeadline'],
  ['case 64: dispatchDeadline of 600', { dispatchDeadline: 600 }, 'dispatchDeadline'],
  ['case 49: a lone surrogate, which no text can hold', { payload: '\ud800' }, 'payload'],
  ...[
    'oidcToken',
    'oauthToken',
    'audience',
    'scope',
    'serviceAccountEmail',
    'target',
    'body',
    'name',
    'options',
    'paylod',
  ].map((field): [string, Record<string, unknown>, string] => [
    `case 66: ${field}`,
    { [field]: { serviceAccountEmail: 'a@b', audience: 'x' } },
    field,
  ]),
  ...[
    'Host',
    'host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Proxy-Authorization',
    'X-AppEngine-QueueName',
    'x-appengine-taskname',
    'X-Google-Foo',
    'X-Goog-Iap-Jwt-Assertion',
    'X-CloudTasks-QueueName',
    'X_CloudTasks_QueueName',
    'X-CloudScheduler',
    'Authorization',
    'authorization',
    'X-Serverless-Authorization',
    'Cookie',
    'Forwarded',
    'X-Forwarded-For',
    'Via',
    'Metadata-Flavor',
    'X-Engine-Signature',
    'X-Tasks-Deadline',
    'a b',
    'a:b',
    'a\r\nb',
    '',
    'ä',
  ].map((name): [string, Record<string, unknown>, string] => [
    `case 67: header ${JSON.stringify(name)}`,
    { headers: { [name]: 'x' } },
    'headers',
  ]),
  ...[
    'a\r\nb',
    'a\nX: y',
    '\0',
    '\u007f',
    ' padded ',
    'héllo',
    '\ud83d\ude42',
    5,
    null,
    ['a'],
    { a: 'b' },
  ].map((value): [string, Record<string, unknown>, string] => [
    `case 67: a header of ${JSON.stringify(value)}`,
    { headers: { 'X-A': value } },
    'headers',
  ]),
  ['case 67: one header twice', { headers: { 'X-A': '1', 'x-a': '2' } }, 'headers'],
  ['case 67: 81 KB', { headers: { 'X-A': 'x'.repeat(81 * 1024) } }, 'headers'],
  [
    'case 67: 65 headers',
    { headers: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-${index}`, '1'])) },
    'headers',
  ],
  ['case 67: headers as a list', { headers: [['X-A', '1']] }, 'headers'],
  ['case 67: headers as a text', { headers: 'X-A: 1' }, 'headers'],
];

describe('task options of both targets', () => {
  test.each(BOTH)('%s', async (_, fields, field) => {
    await expectRefusal(app.send('POST', APP_ENGINE, fields), 400, { ...INVALID, field });
    await expectRefusal(app.send('POST', EXTERNAL, { url: URL_9000, ...fields }), 400, {
      ...INVALID,
      field,
    });
  });

  test('case 59: a queue that is not there', async () => {
    const rest = { code: 'NOT_FOUND', field: 'queue' };
    await expectRefusal(app.send('POST', APP_ENGINE, { queue: 'other' }), 404, rest);
    await expectRefusal(app.send('POST', EXTERNAL, { queue: 'other', url: URL_9000 }), 404, rest);
  });

  test('case 65: a task over the limit, before the backend is asked', async () => {
    const payload = 'x'.repeat(1_048_569 - 1000);
    const rest = { ...INVALID, field: 'payload' };
    await expectRefusal(app.send('POST', APP_ENGINE, { payload }), 413, rest);
    await expectRefusal(app.send('POST', EXTERNAL, { payload, url: URL_9000 }), 413, rest);
  });

  test('says what was expected, what came, and what was meant', async () => {
    const message = async (fields: object) =>
      ((await app.send('POST', APP_ENGINE, fields)).json as { message: string }).message;
    expect(await message({ countdown: 30 })).toBe(
      "countdown: expected a number with its unit, got 30; write '30s' or '30m'.",
    );
    expect(await message({ paylod: 1 })).toBe("Unknown field 'paylod'; did you mean 'payload'?");
    expect(await message({ task_id: 1 })).toBe("Unknown field 'task_id'; did you mean 'taskId'?");
    expect(await message({ foo: 1 })).toMatch(/^Unknown field 'foo'; known are relativeUri, /);
    expect(await message({ queue: 'a/\u001b[31m' })).toBe(
      "queue: expected a queue id of 1 to 100 letters, digits and hyphens, got 'a/\\u001b[31m'.",
    );
    expect(await message({ method: 'get' })).toBe(
      "method: expected one of POST, GET, HEAD, PUT, DELETE, PATCH, OPTIONS, got 'get'.",
    );
  });
});

describe('App Engine tasks', () => {
  test.each<[string, object, string]>([
    ...[
      '',
      'x',
      '//evil.com',
      '/\\evil',
      '/%2e%2e/',
      '/a/../b',
      '/a b',
      '/a\r\nb',
      `/${'a'.repeat(2083)}`,
      '/_ah/stop',
      '/%5fah/stop',
      '/a#b',
      '/add_task_external',
      '/add_task_app_engine',
      '/DO_external_task/',
      5,
    ].map((relativeUri): [string, object, string] => [
      `case 62: ${JSON.stringify(relativeUri).slice(0, 25)}`,
      { relativeUri },
      'relativeUri',
    ]),
    ...['A', 'a.b', 'a/b', '-a', 'a-', '', 'x'.repeat(64), 'evil.example/', 3].flatMap(
      (id): [string, object, string][] =>
        ['service', 'version', 'instance'].map((part) => [
          `${part} ${String(id).slice(0, 10)}`,
          { [part]: id },
          part,
        ]),
    ),
    ['case 63: PATCH with a body', { method: 'PATCH', payload: 1 }, 'payload'],
    ['case 64: beyond 24 h 15 s', { dispatchDeadline: '86416s' }, 'dispatchDeadline'],
    ['a field of the other endpoint', { url: URL_9000 }, 'url'],
  ])('%s', async (_, fields, field) => {
    await expectRefusal(app.send('POST', APP_ENGINE, fields), 400, { ...INVALID, field });
  });
});

describe('external tasks', () => {
  test.each<[string, object, string]>([
    ['no url', {}, 'url'],
    ['url of a number', { url: 5 }, 'url'],
    ['case 73: another scheme', { url: 'file:///etc/passwd' }, 'url'],
    ['case 73: a tab inside', { url: 'http://127.0.0.1:9000/\ta' }, 'url'],
    ['case 64: beyond 30 min', { url: URL_9000, dispatchDeadline: '1801s' }, 'dispatchDeadline'],
    ['case 67: User-Agent', { url: URL_9000, headers: { 'User-Agent': 'x' } }, 'headers'],
    ['a field of the other endpoint', { url: URL_9000, relativeUri: '/x' }, 'relativeUri'],
  ])('%s', async (_, fields, field) => {
    await expectRefusal(app.send('POST', EXTERNAL, fields), 400, { ...INVALID, field });
  });

  test('case 75: our own addresses, and others that are not this machine', async () => {
    const appPort = new URL(app.url).port;
    const enginePort = new URL(app.engineUrl).port;
    const denied = { code: 'PERMISSION_DENIED', field: 'url' };
    for (const port of [appPort, enginePort]) {
      for (const host of [
        '127.0.0.1',
        'localhost',
        '[::1]',
        '2130706433',
        '0x7f.1',
        '127.1',
        '0.0.0.0',
        '[::ffff:127.0.0.1]',
        'ｌｏｃａｌｈｏｓｔ',
      ]) {
        await expectRefusal(
          app.send('POST', EXTERNAL, { url: `http://${host}:${port}/tasks/example` }),
          403,
          denied,
        );
      }
    }
    for (const url of ['https://example.com/', 'http://169.254.169.254/', 'http://10.0.0.1/']) {
      await expectRefusal(app.send('POST', EXTERNAL, { url }), 403, denied);
    }
  });
});

test('nothing that is sent gives a 5xx', async () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.string().map((text) => Buffer.from(text)),
    fc
      .dictionary(
        fc.oneof(
          fc.constantFrom(
            'queue',
            'taskId',
            'countdown',
            'scheduleTime',
            'dispatchDeadline',
            'method',
            'headers',
            'relativeUri',
            'service',
            'url',
          ),
          fc.string(),
        ),
        fc.oneof(fc.jsonValue(), fc.string(), fc.webUrl()),
      )
      // Whatever else it is, it is never a task: nothing may be left enqueued.
      .map((fields) => Buffer.from(JSON.stringify({ ...fields, extra: 1 }))),
  );
  await fc.assert(
    fc.asyncProperty(anything, fc.constantFrom(APP_ENGINE, EXTERNAL), async (body, path) => {
      const { status, json } = await app.send('POST', path, body);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(json).toMatchObject({ statusCode: status, code: 'INVALID_ARGUMENT' });
    }),
    { numRuns: 300 },
  );
});

/** A request of our own making, and what comes back until the connection ends. */
async function exchange(text: string): Promise<string> {
  const { port } = new URL(app.url);
  const socket = connect(Number(port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    // An answer, whole as far as these tests look.
    if (Buffer.concat(chunks).includes('\r\n\r\n')) socket.end();
  });
  socket.on('error', () => socket.destroy());
  socket.write(Buffer.from(text, 'latin1'));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

function chunked(path: string, body: Buffer): Promise<string> {
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return exchange(`${head}${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\n\r\n`);
}
