/** Cases 45 to 57: bodies, on every route that enqueues and on routes that take tasks. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Body, ValidationPipe } from '@nestjs/common';
import { IsEmail } from 'class-validator';
import { gzipSync } from 'node:zlib';
import { Outcomes } from '../../src/modules/dead-letters/outcomes.js';
import type { EndedAttempt } from '../../src/modules/dead-letters/outcomes.js';
import { MAX_BODY_BYTES } from '../../src/modules/producer/request-body.js';
import { Task, TaskController, tasksToken } from '../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../support/tasks-app.js';
import type { Answer } from '../support/test-app.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, AUDIENCE } from './abused-app.js';
import { assertNoSecrets, keepSecret } from './secrets.js';

const ENQUEUING = ['/add_task_app_engine', '/add_task_external', '/do_external_task'];
const WORK = '/abuse/work';
const MOST_OF_A_TASK = 1024 * 1024;
const INVALID = { code: 'INVALID_ARGUMENT' };
const CLOSE = 'Connection: close';
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

let app: AbusedApp;

beforeAll(async () => {
  app = await AbusedApp.start({
    variables: { EXTERNAL_ORIGINS: 'https://api.example.com' },
  });
  keepSecret(app.apiKey, 'the API key');
  const parent = app.app.queueName().replace(/\/queues\/.*/, '');
  const name = app.app.queueName('default-dead-letter');
  await app.app.api.createQueue({ parent, queue: { name } });
  await app.app.api.pauseQueue({ name });
});

afterAll(() => app.close());

afterEach(async () => {
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  app.handled.length = 0;
  assertNoSecrets(app.takeLog(), 'the log');
  for (const queue of ['default', 'default-dead-letter']) {
    await app.app.api.purgeQueue({ name: app.app.queueName(queue) });
  }
});

/** Sent by somebody who may enqueue. */
const enqueue = (path: string, body: string | Uint8Array, headers: HeaderLines = [JSON_TYPE]) =>
  app.send(path, [...app.producerCredentials(), ...headers], body);

async function expectRefusal(answer: Promise<Answer>, status: number, rest: object = {}) {
  const { status: got, json } = await answer;
  expect({ got, json }).toEqual({
    got: status,
    json: { statusCode: status, message: expect.any(String), ...INVALID, ...rest },
  });
  expect(await app.tasks()).toEqual([]);
}

let tasksMade = 0;

/** Sent as a task that the queue has, to a handler unless a path says otherwise. */
async function deliver(
  body: string | Uint8Array,
  headers: HeaderLines = [JSON_TYPE],
  path: string = WORK,
): Promise<Answer> {
  const id = `task-${++tasksMade}`;
  const parent = app.app.queueName();
  const task = { name: `${parent}/tasks/${id}`, httpRequest: { url: `${AUDIENCE}${path}` } };
  await app.app.api.createTask({ parent, task });
  return app.send(path, [...app.credentials(), ...ofTask(id), ...headers], body);
}

function ofTask(id: string): HeaderLines {
  return [
    ['X-CloudTasks-QueueName', 'default'],
    ['X-CloudTasks-TaskName', id],
  ];
}

/** Acknowledged, since to try again is in vain, and kept for a person to look at. */
async function expectParked(answer: Promise<Answer>, reason = 'unreadable'): Promise<void> {
  const { status, json } = await answer;
  expect({ status, json }).toEqual({ status: 200, json: { outcome: 'dead-lettered' } });
  expect(app.handled).toEqual([]);
  expect(await app.tasks('default-dead-letter')).toHaveLength(1);
  expect(app.log).toContain(`after 1 attempt(s), ${reason}: `);
}

describe.each(ENQUEUING)('POST %s', (path) => {
  test('45. one byte over the limit, also without a length', async () => {
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, ' ');
    await expectRefusal(enqueue(path, body), 413);
    const chunk = `${body.length.toString(16)}\r\n${body.toString()}\r\n0\r\n\r\n`;
    const answer = await app.raw(`${headOf(path, ['Transfer-Encoding: chunked', CLOSE])}${chunk}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('45. a Content-Length that is too small', async () => {
    const answer = await app.raw(`${headOf(path, ['Content-Length: 5'])}{"payload":"longer"}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test.each([
    ['nothing', ''],
    ['what is cut off', '{"payload":1'],
    ['a trailing comma', '{"payload":1,}'],
    ['NaN', '{"payload":NaN}'],
    ['a comment', '{/* */"payload":1}'],
    ['two documents', '{} {}'],
    ['a text', '"payload"'],
    ['a number', '42'],
    ['null', 'null'],
    ['an array', '[{}]'],
    ['single quotes', "{'payload':1}"],
  ])('46. %s', async (_, body) => {
    await expectRefusal(enqueue(path, body), 400);
  });

  test.each([
    [''],
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x'],
    ['text/json'],
    ['application/jsonp'],
  ])('47. type %j', async (type) => {
    await expectRefusal(enqueue(path, '{}', [['Content-Type', type]]), 415);
  });

  test('47. no type, and two', async () => {
    const answer = await app.raw(`${headOf(path, ['Content-Length: 2', CLOSE], app, [])}{}`);
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
    await expectRefusal(enqueue(path, '{}', [JSON_TYPE, JSON_TYPE]), 415);
  });

  test.each([
    'latin1',
    'iso-8859-1',
    'utf-7',
    'utf-16',
    'utf-16le',
    'utf8',
    'unknown',
    '',
    'utf-8; charset=latin1',
  ])('48. charset %s', async (charset) => {
    const type = `application/json; charset=${charset}`;
    await expectRefusal(enqueue(path, '{}', [['Content-Type', type]]), 415);
  });

  test.each<[string, Uint8Array]>([
    ['invalid UTF-8', Buffer.from('{"payload":"\xff"}', 'latin1')],
    ['an overlong encoding', Buffer.from('{"payload":"\xc0\xaf"}', 'latin1')],
    ['an encoded surrogate', Buffer.from('{"payload":"\xed\xa0\x80"}', 'latin1')],
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['a byte order mark of UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
    ['a NUL in a string', Buffer.from('{"payload":"\0"}')],
    ['a NUL between', Buffer.from('{"payload":1\0}')],
  ])('49. %s', async (_, body) => {
    await expectRefusal(enqueue(path, body), 400);
  });

  test('49. a lone surrogate, which no text can hold', async () => {
    const body = `{${targetOf(path)}"payload":"\\ud800"}`;
    await expectRefusal(enqueue(path, body), 400, { field: 'payload' });
  });

  test.each([65, 100_000])('50. %d levels', async (levels) => {
    const nested = '['.repeat(levels - 1) + ']'.repeat(levels - 1);
    await expectRefusal(enqueue(path, `{"payload":${nested}}`), 400);
  });

  test('50. 64 levels are taken', async () => {
    const nested = '['.repeat(63) + ']'.repeat(63);
    const { status } = await enqueue(path, `{${targetOf(path)}"payload":${nested}}`);
    expect(status).toBe(202);
  });

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    '51. %s is no field of ours',
    async (name) => {
      await expectRefusal(enqueue(path, `{"${name}":{"polluted":true}}`), 400, { field: name });
    },
  );

  test.each(['__proto__', 'constructor', 'Prototype'])('51. %s is no header', async (name) => {
    const body = `{${targetOf(path)}"headers":{"${name}":"x"}}`;
    await expectRefusal(enqueue(path, body), 400, { field: 'headers' });
  });

  // The reference would have it refused. A payload is somebody else's: it goes on byte for byte,
  // and nothing here is made of it.
  test('51. in a payload such keys travel as they came', async () => {
    const payload =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":[{"__proto__":1}]}';
    const { status } = await enqueue(path, `{${targetOf(path)}"payload":${payload}}`);
    expect(status).toBe(202);
    expect(await sentBody()).toBe(payload);
  });

  test('52. 100,000 keys, a text and digits of a megabyte, as fields of ours', async () => {
    const keys = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]),
    );
    await expectRefusal(enqueue(path, JSON.stringify(keys)), 400, { field: 'k0' });
    const long = 'x'.repeat(1_000_000);
    const body = `{${targetOf(path)}"queue":"${long}"}`;
    await expectRefusal(enqueue(path, body), 400, { field: 'queue' });
    const digits = await enqueue(path, `{"taskId":${'9'.repeat(1_000_000)}}`);
    expect(digits.status).toBe(400);
    expect(digits.text.length).toBeLessThan(1000);
  });

  test('52. numbers of any size travel to the digit', async () => {
    const payload = `[9007199254740993,1e999,-0,1.10,${'7'.repeat(10_000)}]`;
    const { status } = await enqueue(path, `{${targetOf(path)}"payload":${payload}}`);
    expect(status).toBe(202);
    expect(await sentBody()).toBe(payload);
  });

  test.each(['gzip', 'br', 'deflate', 'identity', 'gzip, gzip', 'unknown'])(
    '53. Content-Encoding %s, whatever it holds',
    async (encoding) => {
      const headers = [JSON_TYPE, ['Content-Encoding', encoding]] as const;
      await expectRefusal(enqueue(path, gzipBomb(), headers), 415);
      await expectRefusal(enqueue(path, 'no gzip', headers), 415);
    },
  );
});

describe.each([ENQUEUING[0] ?? '', WORK, '/tasks/example'])('on the wire to %s', (path) => {
  test.each<[string, string[], string]>([
    [
      'a length and chunks',
      ['Content-Length: 2', 'Transfer-Encoding: chunked'],
      '2\r\n{}\r\n0\r\n\r\n',
    ],
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3'], '{}'],
    ['a length that is none', ['Content-Length: +2'], '{}'],
    ['an unknown coding', ['Transfer-Encoding: xchunked'], '{}'],
    ['a bad chunk size', ['Transfer-Encoding: chunked'], 'xyz\r\n{}\r\n0\r\n\r\n'],
    ['an overflow', ['Transfer-Encoding: chunked'], `${'f'.repeat(17)}\r\n{}\r\n0\r\n\r\n`],
    ['a long extension', ['Transfer-Encoding: chunked'], `2;${'x'.repeat(20_000)}\r\n{}\r\n`],
    ['a folded header', ['X-A: b\r\n c', 'Content-Length: 2'], '{}'],
    ['a bare carriage return', ['X-A: b\rX-C: d', 'Content-Length: 2'], '{}'],
    ['a bare line feed', ['X-A: b\nX-C: d', 'Content-Length: 2'], '{}'],
    ['a NUL', ['X-A: b\0', 'Content-Length: 2'], '{}'],
    ['a blank before the colon', ['Content-Length : 2'], '{}'],
  ])('54. %s', async (_, headers, body) => {
    const answer = await app.raw(`${headOf(path, headers)}${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|13) /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
    expect(answer.split('HTTP/1.1 ')).toHaveLength(2);
    expect(app.handled).toEqual([]);
    expect(await app.tasks()).toEqual([]);
  });
});

describe('of a verified task', () => {
  test('45. more than a task can hold', async () => {
    await expectParked(deliver(Buffer.alloc(MOST_OF_A_TASK + 1, ' ')));
  });

  test('45. more than a task can hold, to a handler that takes bytes', async () => {
    const body = Buffer.alloc(MOST_OF_A_TASK + 1, ' ');
    const { status, json } = await deliver(body, [JSON_TYPE], '/tasks/example');
    // It answers as it likes; no queue has a task of this size.
    expect({ status, json }).toMatchObject({ status: 413, json: { statusCode: 413 } });
    expect(app.log).not.toContain('Received task');
  });

  test.each(['{"a":', '{"a":1,}', '{"a":NaN}', '{/**/}', '{} {}', "{'a':1}"])(
    '46. %s',
    async (body) => {
      await expectParked(deliver(body));
    },
  );

  // A handler's argument may be any JSON.
  test.each([['null'], ['42'], ['"text"'], ['[]']])('46. %s is an argument', async (body) => {
    expect((await deliver(body)).status).toBe(200);
    expect(app.handled).toEqual([JSON.parse(body)]);
  });

  // Tasks of other makers may have any type: what isn't JSON arrives as what it is.
  test('47. another type is never taken for an empty object', async () => {
    const send = async (type: string) => {
      app.handled.length = 0;
      await deliver('{"a":1}', [['Content-Type', type]]);
      return app.handled;
    };
    expect(await send('text/plain')).toEqual(['{"a":1}']);
    expect(await send('application/octet-stream')).toEqual([Buffer.from('{"a":1}')]);
    expect(await send('')).toEqual([Buffer.from('{"a":1}')]);
    expect(await send('multipart/form-data; boundary=x')).toEqual([undefined]);
    expect(await send('application/x-www-form-urlencoded')).toEqual([undefined]);
  });

  test.each(['latin1', 'utf-7', 'utf-16', 'utf-32', 'unknown'])(
    '48. JSON in %s',
    async (charset) => {
      const type = `application/json; charset=${charset}`;
      await expectParked(deliver('{}', [['Content-Type', type]]));
    },
  );

  test.each([
    ['invalid UTF-8', Buffer.from('{"a":"\xff"}', 'latin1')],
    ['an overlong encoding', Buffer.from('{"a":"\xc0\xaf"}', 'latin1')],
    ['an encoded surrogate', Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1')],
    ['a NUL', Buffer.from('{"a":"\0"}')],
  ])('49. %s', async (_, body) => {
    await expectParked(deliver(body));
  });

  test.each(['text/plain', 'text/csv; charset=UTF-8'])('49. invalid UTF-8 in %s', async (type) => {
    await expectParked(deliver(Buffer.from('caf\xe9', 'latin1'), [['Content-Type', type]]));
  });

  test('49. text in another charset arrives as it was written', async () => {
    const type = 'text/plain; charset=iso-8859-1';
    const sent = deliver(Buffer.from('caf\xe9', 'latin1'), [['Content-Type', type]]);
    expect((await sent).status).toBe(200);
    expect(app.handled).toEqual(['café']);
  });

  test('49. a byte order mark is left out', async () => {
    expect((await deliver('\ufeff{"a":1}')).status).toBe(200);
    expect(app.handled).toEqual([{ a: 1 }]);
  });

  test.each([101, 100_000, 500_000])('50. %d levels', async (levels) => {
    await expectParked(deliver('['.repeat(levels) + ']'.repeat(levels)));
  });

  test('50. 100 levels are an argument, brackets in strings none', async () => {
    const nested = '[{"a":'.repeat(50) + '1' + '}]'.repeat(50);
    expect((await deliver(nested)).status).toBe(200);
    const text = JSON.stringify({ a: '\\"[{'.repeat(1000) });
    expect((await deliver(text)).status).toBe(200);
    expect(app.handled).toEqual([JSON.parse(nested), JSON.parse(text)]);
  });

  test('51. keys that pollute do not', async () => {
    const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    expect((await deliver(body)).status).toBe(200);
    expect(app.handled).toEqual([JSON.parse(body)]);
  });

  test('53. gzip that holds more than a task can', async () => {
    await expectParked(deliver(gzipBomb(), [JSON_TYPE, ['Content-Encoding', 'gzip']]));
  });

  test.each(['gzip', 'br', 'gzip, gzip', 'unknown'])('53. what is no %s', async (encoding) => {
    await expectParked(deliver('{}', [JSON_TYPE, ['Content-Encoding', encoding]]));
  });

  test('57. a path that no handler has is not found until that was tried often enough', async () => {
    const at = (retries: number) =>
      deliver(
        '{"a":',
        [JSON_TYPE, ['X-CloudTasks-TaskRetryCount', String(retries)]],
        '/abuse/other',
      );
    expect((await at(0)).status).toBe(404);
    expect(await app.tasks('default-dead-letter')).toEqual([]);
    expect(await at(99)).toMatchObject({ status: 200, json: { outcome: 'dead-lettered' } });
    expect(await app.tasks('default-dead-letter')).toHaveLength(1);
  });
});

describe('of whoever is not verified', () => {
  test.each([WORK, '/tasks/example', ...ENQUEUING])('no byte is read, at %s', async (path) => {
    for (const body of ['{"a":', '['.repeat(100_000), Buffer.alloc(3_000_000)]) {
      const { status, json } = await app.send(path, [], body);
      expect({ status, json }).toMatchObject({ status: 401, json: { code: 'UNAUTHENTICATED' } });
    }
    expect(app.handled).toEqual([]);
  });
});

describe('with little patience', () => {
  let hasty: AbusedApp;
  beforeAll(async () => {
    const limits = { requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 20 };
    hasty = await AbusedApp.start({ limits });
  });
  afterAll(() => hasty.close());

  test.each(
    [ENQUEUING[0] ?? '', WORK, '/tasks/example'].flatMap((path) => [
      [path, 'by its length', ['Content-Length: 200'], '{"pay'] as const,
      [path, 'by its chunks', ['Transfer-Encoding: chunked'], '20\r\n{"pay'] as const,
    ]),
  )('55. a body that stops half-way, to %s, %s', async (path, _, framing, body) => {
    const answer = await hasty.raw(`${headOf(path, framing, hasty)}${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(hasty.handled).toEqual([]);
    expect(await hasty.tasks()).toEqual([]);
    const log = hasty.takeLog();
    expect(log).not.toContain('Received task');
    assertNoSecrets(log, 'the log');
  });
});

class Mail {
  @IsEmail() to!: string;
}

test('56. a body that breaks the rules of its handler is parked, not tried for ever', async () => {
  const handled: unknown[] = [];
  @TaskController('mail')
  class MailTasks {
    @Task('send')
    send(@Body(new ValidationPipe()) mail: Mail): void {
      handled.push(mail);
    }
  }
  const { app } = await startApp({ controllers: [MailTasks] }, EMBEDDED);
  try {
    const ended = new Promise<EndedAttempt>((resolve) => app.get(Outcomes).listen(resolve));
    const { send } = app.get<Tasks<MailTasks>>(tasksToken(MailTasks), { strict: false });
    await send.options({ validate: false }).delay({ to: 'nobody' });
    expect(await ended).toMatchObject({ kind: 'dead-lettered', message: expect.any(String) });
    expect(handled).toEqual([]);
  } finally {
    await closeApps();
  }
});

/** Whose task it is to be: handlers of this app take none of App Engine's in this mode. */
const targetOf = (path: string) =>
  path === '/add_task_app_engine' ? '"service":"other",' : '"url":"https://api.example.com/",';

/** The body of the one task that was made. */
async function sentBody(): Promise<string> {
  const [task, ...more] = await app.tasks();
  expect(more).toEqual([]);
  const { body } = task?.httpRequest ?? task?.appEngineHttpRequest ?? {};
  return Buffer.from(body ?? []).toString();
}

/** A request to it by somebody who may call it, up to its body; as Latin-1, a byte each. */
function headOf(
  path: string,
  framing: readonly string[],
  to = app,
  type: readonly string[] = ['Content-Type: application/json'],
): string {
  const isProducer = ENQUEUING.includes(path);
  const who = isProducer ? to.producerCredentials() : [...to.credentials(path), ...ofTask('wire')];
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    ...who.map(([name, value]) => `${name}: ${value}`),
    ...type,
    ...framing,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

let bomb: Buffer | undefined;

/** 200 MB of blanks. */
function gzipBomb(): Buffer {
  return (bomb ??= gzipSync(Buffer.alloc(200_000_000, ' ')));
}
