/** Cases 58 to 67: what a task is asked to be. Each is refused naming its field, and enqueues nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import { TaskProducer } from '../../src/modules/tasks/calls/task-producer.js';
import { Task, TaskController } from '../../src/modules/tasks/task-decorators.js';
import { closeApps, startApp } from '../support/tasks-app.js';
import type { Answer } from '../support/test-app.js';
import { AbusedApp } from './abused-app.js';
import { assertNoSecrets, keepSecret } from './secrets.js';

const APP_ENGINE = '/add_task_app_engine';
const EXTERNAL = '/add_task_external';
const TARGET = 'https://api.example.com/hooks';

let app: AbusedApp;

beforeAll(async () => {
  app = await AbusedApp.start({ variables: { EXTERNAL_ORIGINS: 'https://api.example.com' } });
  keepSecret(app.apiKey, 'the API key');
});

afterAll(() => app.close());

afterEach(async () => {
  assertNoSecrets(app.takeLog(), 'the log');
  await app.app.api.purgeQueue({ name: app.app.queueName() });
});

/** Asked for by somebody who may enqueue. */
const enqueue = (path: string, fields: object | string) =>
  app.send(
    path,
    app.producerCredentials(),
    typeof fields === 'string' ? fields : JSON.stringify(fields),
  );

async function expectRefusal(answer: Promise<Answer>, field: string | undefined, status = 400) {
  const { status: got, json } = await answer;
  const code = status === 403 ? 'PERMISSION_DENIED' : 'INVALID_ARGUMENT';
  expect({ got, json }).toEqual({
    got: status,
    json: {
      statusCode: status,
      code,
      message: expect.any(String),
      ...(field === undefined ? {} : { field }),
    },
  });
  expect(await app.tasks()).toEqual([]);
}

type Case = readonly [string, Record<string, unknown>, string];

const BOTH: Case[] = [
  ['58. countdown of -1', { countdown: -1 }, 'countdown'],
  ['58. countdown of 30', { countdown: 30 }, 'countdown'],
  ['58. countdown of "5"', { countdown: '5' }, 'countdown'],
  ['58. countdown of 1e308', { countdown: 1e308 }, 'countdown'],
  ['58. countdown of "-5s"', { countdown: '-5s' }, 'countdown'],
  ['58. countdown of "1.5s"', { countdown: '1.5s' }, 'countdown'],
  ['58. countdown of "NaN"', { countdown: 'NaN' }, 'countdown'],
  ['58. countdown of "Infinity"', { countdown: 'Infinitys' }, 'countdown'],
  ['58. countdown of null', { countdown: null }, 'countdown'],
  ['58. countdown of an array', { countdown: ['5s'] }, 'countdown'],
  ['58. countdown beyond 30 days', { countdown: '31d' }, 'countdown'],
  ['58. countdown of 999999999999999d', { countdown: '999999999999999d' }, 'countdown'],
  ['58. a number for scheduleTime', { scheduleTime: 1767225600 }, 'scheduleTime'],
  ['58. no date', { scheduleTime: 'tomorrow' }, 'scheduleTime'],
  ['58. 30 February', { scheduleTime: '2026-02-30T00:00:00Z' }, 'scheduleTime'],
  ['58. the year 275761', { scheduleTime: '+275761-01-01T00:00:00Z' }, 'scheduleTime'],
  ['58. the year 9999', { scheduleTime: '9999-12-31T23:59:59Z' }, 'scheduleTime'],
  ['58. both', { countdown: '1s', scheduleTime: '2026-01-01T00:00:00Z' }, 'scheduleTime'],
  ...['../x', 'a/b', 'q%2f', '', 'x'.repeat(101), 'schlänge', 'a_b', 'a b', '__proto__', 5].map(
    (queue): Case => [`59. queue ${String(queue).slice(0, 10)}`, { queue }, 'queue'],
  ),
  ...['a/b', 'a.b', 'a b', '', 'x'.repeat(501), 'ä', '../x', 'a%2fb', 'a\n', 7, null].map(
    (taskId): Case => [`60. taskId ${JSON.stringify(taskId).slice(0, 10)}`, { taskId }, 'taskId'],
  ),
  ...['CONNECT', 'TRACE', 'post', 'Get', 'FETCH', '', 'POST ', 1].map((method): Case => [
    `63. method ${method}`,
    { method },
    'method',
  ]),
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS'].map((method): Case => [
    `63. a body with ${method}`,
    { method, payload: '' },
    'payload',
  ]),
  ['64. dispatchDeadline of 0', { dispatchDeadline: '0s' }, 'dispatchDeadline'],
  ['64. dispatchDeadline of 14 s', { dispatchDeadline: '14s' }, 'dispatchDeadline'],
  ['64. dispatchDeadline of 14999 ms', { dispatchDeadline: '14999ms' }, 'dispatchDeadline'],
  ['64. dispatchDeadline of 600', { dispatchDeadline: 600 }, 'dispatchDeadline'],
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
  ].map((field): Case => [
    `66. ${field}`,
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
  ].map((name): Case => [
    `67. header ${JSON.stringify(name)}`,
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
  ].map((value): Case => [
    `67. a header of ${JSON.stringify(value)}`,
    { headers: { 'X-A': value } },
    'headers',
  ]),
  ['67. one header twice', { headers: { 'X-A': '1', 'x-a': '2' } }, 'headers'],
  ['67. 81 KB', { headers: { 'X-A': 'x'.repeat(81 * 1024) } }, 'headers'],
  [
    '67. 65 headers',
    { headers: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-${index}`, '1'])) },
    'headers',
  ],
  ['67. headers as a list', { headers: [['X-A', '1']] }, 'headers'],
  ['67. headers as a text', { headers: 'X-A: 1' }, 'headers'],
];

describe.each([
  [APP_ENGINE, { service: 'other' }],
  [EXTERNAL, { url: TARGET }],
])('POST %s', (path, required) => {
  test.each(BOTH)('%s', async (_, fields, field) => {
    await expectRefusal(enqueue(path, { ...required, ...fields }), field);
  });

  test.each(['NaN', 'Infinity', '-Infinity', '5s'])(
    '58. countdown of the bare %s',
    async (bare) => {
      await expectRefusal(enqueue(path, `{"countdown":${bare}}`), undefined);
    },
  );

  // As Cloud Tasks has it.
  test('58. a scheduleTime that has passed is now', async () => {
    const { status, json } = await enqueue(path, {
      ...required,
      scheduleTime: '2020-01-01T00:00:00Z',
    });
    expect({ status, json }).toMatchObject({ status: 202, json: { name: expect.any(String) } });
    const [task] = await app.tasks();
    expect(task?.scheduleTime).toBeGreaterThanOrEqual(task?.createTime ?? Infinity);
  });

  test('59. a queue that is not of this app', async () => {
    await expectRefusal(enqueue(path, { ...required, queue: 'other' }), 'queue', 403);
  });

  test('60. an id that is in use, or was', async () => {
    const taken = { ...required, taskId: `once-${path.slice(1)}` };
    expect((await enqueue(path, taken)).status).toBe(202);
    const again = async () => {
      const { status, json } = await enqueue(path, { ...taken, payload: 'another' });
      expect({ status, json }).toMatchObject({
        status: 409,
        json: { statusCode: 409, code: 'ALREADY_EXISTS', field: 'taskId' },
      });
    };
    await again();
    const [task, ...more] = await app.tasks();
    expect(more).toEqual([]);
    await app.app.api.deleteTask({ name: task?.name ?? '' });
    await again();
  });

  test('65. a task over the limit, before the backend is asked', async () => {
    const payload = 'x'.repeat(1_048_569 - 1000);
    await expectRefusal(enqueue(path, { ...required, payload }), 'payload', 413);
  });
});

const PATHS: Case[] = [
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
    '/tasks/../../admin',
    '/add_task_external',
    '/add_task_app_engine',
    '/DO_external_task/',
    5,
  ].map((relativeUri): Case => [
    `62. ${JSON.stringify(relativeUri).slice(0, 25)}`,
    { relativeUri },
    'relativeUri',
  ]),
  ...['A', 'a.b', 'a/b', '-a', 'a-', '', 'x'.repeat(64), 'evil.example/', 3].flatMap((id) =>
    ['service', 'version', 'instance'].map((part): Case => [
      `62. ${part} ${String(id).slice(0, 10)}`,
      { [part]: id },
      part,
    ]),
  ),
  ['63. PATCH with a body', { method: 'PATCH', payload: 1 }, 'payload'],
  ['64. dispatchDeadline beyond 24 h 15 s', { dispatchDeadline: '86416s' }, 'dispatchDeadline'],
  ['66. a URL, which is the other endpoint’s', { url: TARGET }, 'url'],
];

test.each(PATHS)(`POST ${APP_ENGINE}, %s`, async (_, fields, field) => {
  await expectRefusal(enqueue(APP_ENGINE, { service: 'other', ...fields }), field);
});

const URLS: Case[] = [
  ['62. no url', {}, 'url'],
  ['62. a number for a url', { url: 5 }, 'url'],
  ['62. a url of too many characters', { url: `${TARGET}/${'a'.repeat(2083)}` }, 'url'],
  [
    '64. dispatchDeadline beyond 30 min',
    { url: TARGET, dispatchDeadline: '1801s' },
    'dispatchDeadline',
  ],
  ['66. a path, which is the other endpoint’s', { url: TARGET, relativeUri: '/x' }, 'relativeUri'],
  ['67. the queue’s own User-Agent', { url: TARGET, headers: { 'User-Agent': 'x' } }, 'headers'],
];

test.each(URLS)(`POST ${EXTERNAL}, %s`, async (_, fields, field) => {
  await expectRefusal(enqueue(EXTERNAL, fields), field);
});

// The endpoints know no types: a handler is a path. In code it may be named.
describe('61. a type', () => {
  @TaskController('named')
  class Named {
    @Task('known')
    known(@Body() _: unknown): void {
      return;
    }
  }
  let producer: TaskProducer;
  beforeAll(async () => {
    const { app } = await startApp({ controllers: [Named] });
    producer = app.get(TaskProducer);
  });
  afterAll(closeApps);

  test.each([
    '../../admin',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'a/b',
    '',
    'x'.repeat(10_000),
    '\u001b[31m',
  ])('61. %j is no handler', async (type) => {
    const refused = await producer.enqueue(type, 'x').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'type' });
    const { message } = refused as Error;
    expect(message.length).toBeLessThan(1000);
    expect(message).not.toContain('\u001b');
  });

  test.each(['type', 'taskType', 'handler'])('61. %s is no field', async (field) => {
    await expectRefusal(enqueue(APP_ENGINE, { service: 'other', [field]: 'known' }), field);
  });
});
