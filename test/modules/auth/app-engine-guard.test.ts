/** On App Engine: the headers that its front end keeps for itself let a task in, and nothing else. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { startEngine } from '../../../src/host/start-engine.js';
import type { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import type { TestApp } from '../../support/tasks-app.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';
import { ACCOUNT, AUDIENCE, TestIssuer } from '../../support/test-issuer.js';

let calls: { body: unknown; task: TaskContext }[] = [];
let called = Promise.withResolvers<unknown>();

@TaskController('tasks', { queue: 'mail' })
class Handlers {
  @Task('work')
  work(@Body() body: unknown, @TaskInfo() task: TaskContext): void {
    calls.push({ body, task });
    called.resolve(task.taskId);
  }
}

const parts = { controllers: [Handlers], features: [] };
/** Nobody is there; nothing is enqueued here. */
const GOOGLE = {
  backend: 'google' as const,
  emulatorHost: '127.0.0.1:1',
  project: 'demo',
  serviceUrl: AUDIENCE,
  serviceAccount: ACCOUNT,
};

type Headers = Readonly<Record<string, string | readonly string[]>>;

const GOOD: Headers = {
  'X-AppEngine-QueueName': 'mail',
  'X-AppEngine-TaskName': '8471',
  'X-AppEngine-TaskRetryCount': '2',
};

/** One request with exactly these headers, repeated ones too. */
function post(url: string, headers: Headers): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      let text = '';
      response
        .on('data', (chunk: Buffer) => (text += chunk.toString()))
        .on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
    request.setHeader('Content-Type', 'application/json');
    request.end('{"made":"up"}');
  });
}

/** The status of a request whose header lines are sent as they stand. */
function statusOfRaw(port: string, ...lines: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1').once('error', reject);
    socket.once('data', (data: Buffer) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1]));
      socket.destroy();
    });
    const head = ['POST /tasks/work HTTP/1.1', 'Host: x', 'Content-Length: 0', ...lines];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
  });
}

beforeEach(() => {
  calls = [];
  called = Promise.withResolvers();
});
afterEach(async () => {
  delete process.env['GAE_ENV'];
  delete process.env['K_SERVICE'];
  await closeApps();
});

describe('on App Engine standard', () => {
  let server: TestApp;
  let url: string;

  beforeEach(async () => {
    process.env['GAE_ENV'] = 'standard';
    server = await startApp(parts, GOOGLE);
    url = `${server.url}/tasks/work`;
  });

  test('lets a task of a handler’s queue in, with its context', async () => {
    expect((await post(url, GOOD)).status).toBe(200);
    expect(calls).toMatchObject([
      { body: { made: 'up' }, task: { queue: 'mail', taskId: '8471', retryCount: 2 } },
    ]);
  });

  test('lets one of the default queue in, which handlers use that name none', async () => {
    expect((await post(url, { ...GOOD, 'X-AppEngine-QueueName': 'default' })).status).toBe(200);
  });

  const { 'X-AppEngine-QueueName': queue, 'X-AppEngine-TaskName': task } = GOOD;
  const cases: [name: string, status: number, headers: Headers][] = [
    ['1: no header', 401, {}],
    ['1: no queue', 401, { 'X-AppEngine-TaskName': task ?? '' }],
    ['no task', 401, { 'X-AppEngine-QueueName': queue ?? '' }],
    ['an empty task', 401, { ...GOOD, 'X-AppEngine-TaskName': '' }],
    ['a task that is no id', 401, { ...GOOD, 'X-AppEngine-TaskName': 'a/b' }],
    ['a task twice', 401, { ...GOOD, 'X-AppEngine-TaskName': ['1', '2'] }],
    ['2: X-CloudTasks-QueueName alone', 401, { 'X-CloudTasks-QueueName': 'mail' }],
    [
      '2: a full set of X-CloudTasks-*',
      401,
      { 'X-CloudTasks-QueueName': 'mail', 'X-CloudTasks-TaskName': '1' },
    ],
    ['4: a queue of others', 403, { ...GOOD, 'X-AppEngine-QueueName': 'other-queue' }],
    ['4: the name in upper case', 403, { ...GOOD, 'X-AppEngine-QueueName': 'MAIL' }],
    ['5: cron', 403, { ...GOOD, 'X-AppEngine-QueueName': '__cron' }],
    ['5: cron as it calls', 401, { 'X-AppEngine-QueueName': '__cron', 'X-Appengine-Cron': 'true' }],
    ['6: twice', 401, { ...GOOD, 'X-AppEngine-QueueName': ['mail', 'mail'] }],
    ['6: two in one', 401, { ...GOOD, 'X-AppEngine-QueueName': 'a, mail' }],
    ['6: an empty one', 401, { ...GOOD, 'X-AppEngine-QueueName': '' }],
    [
      '7: underscores',
      401,
      { X_AppEngine_QueueName: 'mail', 'X-AppEngine-TaskName': '1', X_AppEngine_TaskName: '1' },
    ],
    ['7: a look-alike', 401, { 'X-Appengine-Queue-Name': 'mail', 'X-AppEngine-TaskName': '1' }],
    [
      '10: what tasks have besides',
      401,
      {
        'User-Agent': 'AppEngine-Google; (+http://code.google.com/appengine)',
        'X-Forwarded-For': '0.1.0.2',
        'X-Appengine-User-Ip': '0.1.0.2',
      },
    ],
  ];
  test.each(cases)('%s: %i', async (_, status, headers) => {
    const answer = await post(url, headers);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain('queue');
    expect(calls).toEqual([]);
    expect(server.log.text).toMatch(/Refused POST \/tasks\/work: /);
  });

  test('7: a space before the colon, a folded line', async () => {
    const { port } = new URL(server.url);
    const good = 'X-AppEngine-TaskName: 1';
    expect(await statusOfRaw(port, good, 'X-AppEngine-QueueName : mail')).toBe(400);
    expect(await statusOfRaw(port, good, 'X-AppEngine-QueueName:', ' mail')).toBe(400);
    expect(calls).toEqual([]);
  });

  test('9: odd counts are unknown', async () => {
    for (const count of ['-1', '1e9', 'abc', ['1', '2']]) {
      await post(url, { ...GOOD, 'X-AppEngine-TaskRetryCount': count });
    }
    expect(calls.map(({ task: { retryCount } }) => retryCount)).toEqual([0, 0, 0, 0]);
  });

  test('11: no header leads to another route or method', async () => {
    const answer = await post(`${server.url}/elsewhere`, {
      'X-Original-URL': '/tasks/work',
      'X-Rewrite-URL': '/tasks/work',
      'X-HTTP-Method-Override': 'POST',
      ...GOOD,
    });
    expect(answer.status).toBe(404);
    expect(calls).toEqual([]);
  });

  test('a good token is no way in, since tasks of this mode have none', async () => {
    const issuer = await TestIssuer.start();
    const token = issuer.first.sign(issuer.claims(Math.floor(Date.now() / 1000)));
    expect((await post(url, { Authorization: `Bearer ${token}` })).status).toBe(401);
    await issuer.close();
  });
});

test('.delay() makes App Engine tasks there, which come back with nothing but headers', async () => {
  process.env['GAE_ENV'] = 'standard';
  const engine = await startEngine({ dataDir: ':memory:', port: 0 });
  const parent = 'projects/demo/locations/us-central1';
  await engine.api.createQueue({ parent, queue: { name: `${parent}/queues/mail` } });
  const { app, url } = await startApp(
    { controllers: [Handlers] },
    { ...GOOGLE, emulatorHost: engine.url },
  );
  await engine.dispatch({ default: url });
  const { work } = app.get<Tasks<Handlers>>(tasksToken(Handlers));
  const { taskId } = await work.delay({ by: 'gRPC' });
  await called.promise;
  expect(calls).toMatchObject([{ body: { by: 'gRPC' }, task: { queue: 'mail', taskId } }]);
  await expect(work.options({ target: 'http' }).delay({})).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    field: 'target',
  });
  await closeApps();
  await engine.close();
});

test('lets in tasks of the queues that are named, and of no other', async () => {
  process.env['GAE_ENV'] = 'standard';
  const { url } = await startApp(parts, { ...GOOGLE, auth: { queues: ['a', 'b'] } });
  const status = async (queue: string) =>
    (await post(`${url}/tasks/work`, { ...GOOD, 'X-AppEngine-QueueName': queue })).status;
  expect(await status('a')).toBe(200);
  expect(await status('b')).toBe(200);
  expect(await status('mail')).toBe(403);
});

test('4: other modes look at the queue too, where queues are named', async () => {
  const issuer = await TestIssuer.start();
  const auth = { issuer: issuer.url, queues: ['mail'] };
  const { url } = await startApp(parts, { ...GOOGLE, auth });
  const token = issuer.first.sign(issuer.claims(Math.floor(Date.now() / 1000)));
  const status = async (queue?: string | string[], kind = 'CloudTasks') =>
    (
      await post(`${url}/tasks/work`, {
        Authorization: `Bearer ${token}`,
        ...(queue === undefined ? {} : { [`X-${kind}-QueueName`]: queue }),
      })
    ).status;
  expect(await status('mail')).toBe(200);
  expect(await status('other')).toBe(403);
  expect(await status()).toBe(403);
  expect(await status(['mail', 'mail'])).toBe(403);
  // Of no meaning off App Engine.
  expect(await status('mail', 'AppEngine')).toBe(403);
  expect(calls).toHaveLength(1);
  await issuer.close();
});

describe('8: does not start anywhere else', () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ['on no platform', {}],
    ['on App Engine flexible', { GAE_ENV: 'flex' }],
    ['on Cloud Run', { K_SERVICE: 'app' }],
    ['on Cloud Run that says it is App Engine', { K_SERVICE: 'app', GAE_ENV: 'standard' }],
  ])('%s', async (_, variables) => {
    Object.assign(process.env, variables);
    const options = { ...GOOGLE, auth: { mode: 'appengine' as const } };
    await expect(startApp(parts, options)).rejects.toMatchObject({ field: 'auth.mode' });
  });

  test('with the embedded engine', async () => {
    process.env['GAE_ENV'] = 'standard';
    const options = { ...EMBEDDED, auth: { mode: 'appengine' as const } };
    await expect(startApp(parts, options)).rejects.toMatchObject({ field: 'auth.mode' });
  });
});
