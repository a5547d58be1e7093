/** What enqueuing answers, and what becomes of the fields in the task. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Task } from '../../../src/engine/cloud-tasks-api.js';
import { HOUR, MINUTE, SECOND } from '../../../src/engine/time.js';
import { parseInstant } from '../../../src/modules/producer/instant-text.js';
import { TestApp } from '../../support/test-app.js';

const APP_ENGINE = '/add_task_app_engine';
const EXTERNAL = '/add_task_external';
const URL_9000 = 'http://127.0.0.1:9000/a?b=c';

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
  await app.api.pauseQueue({ name: app.queueName() });
});

beforeEach(() => app.api.purgeQueue({ name: app.queueName() }));

afterAll(() => app.close());

interface Enqueued {
  readonly name: string;
  readonly scheduleTime: string;
  readonly createTime: string;
}

async function enqueue(
  path: string,
  body: string | object,
): Promise<{ task: Task; answer: Enqueued }> {
  const { status, json } = await app.send('POST', path, body);
  expect({ status, json }).toMatchObject({ status: 202 });
  const answer = json as Enqueued;
  return { answer, task: await app.api.getTask({ name: answer.name, responseView: 'FULL' }) };
}

async function body(path: string, text: string): Promise<string | undefined> {
  const { task } = await enqueue(path, text);
  const bytes = (task.httpRequest ?? task.appEngineHttpRequest)?.body;
  return bytes && Buffer.from(bytes).toString('utf8');
}

describe('the answer', () => {
  test('of an App Engine task', async () => {
    const { answer, task } = await enqueue(APP_ENGINE, {});
    expect(answer).toEqual({
      name: expect.stringMatching(
        /^projects\/local\/locations\/us-central1\/queues\/default\/tasks\/\d+$/,
      ),
      queue: 'default',
      scheduleTime: expect.any(String),
      createTime: expect.stringMatching(/^[\d-]{10}T[\d:]{8}Z$/),
      target: { type: 'app-engine', relativeUri: '/tasks/example', method: 'POST' },
    });
    expect(parseInstant(answer.scheduleTime)).toBe(task.scheduleTime);
    expect(parseInstant(answer.createTime)).toBe(task.createTime);
  });

  test('of an external task, under both names of the endpoint', async () => {
    for (const path of [EXTERNAL, '/do_external_task']) {
      const { answer } = await enqueue(path, { url: URL_9000, taskId: `t-${path.length}` });
      expect(answer).toMatchObject({
        name: app.queueName() + `/tasks/t-${path.length}`,
        target: { type: 'http', url: URL_9000, method: 'POST' },
      });
    }
  });

  test('case 60: of an id that was used is 409', async () => {
    await enqueue(APP_ENGINE, { taskId: 'once' });
    const { status, json } = await app.send('POST', APP_ENGINE, { taskId: 'once' });
    expect({ status, json }).toMatchObject({
      status: 409,
      json: { statusCode: 409, code: 'ALREADY_EXISTS', field: 'taskId' },
    });
  });
});

describe('the task', () => {
  test('carries everything that was asked for App Engine', async () => {
    const { task } = await enqueue(APP_ENGINE, {
      payload: { a: [1, 2] },
      relativeUri: '/a/b?c=d',
      service: 'worker',
      version: 'v1',
      instance: '0',
      taskId: 'all_of-it',
      dispatchDeadline: '24h',
      method: 'PUT',
      headers: { 'X-Request-Id': '42' },
    });
    expect(task).toMatchObject({
      name: `${app.queueName()}/tasks/all_of-it`,
      dispatchDeadline: 24 * HOUR,
      appEngineHttpRequest: {
        httpMethod: 'PUT',
        relativeUri: '/a/b?c=d',
        appEngineRouting: { service: 'worker', version: 'v1', instance: '0' },
        headers: {
          'X-Request-Id': '42',
          'Content-Type': 'application/json',
          // For the handler's own deadline; believed of verified requests only.
          'X-Tasks-Deadline': '86400000',
        },
      },
    });
  });

  test('carries everything that was asked for a URL, and a token for its origin', async () => {
    const { task } = await enqueue(EXTERNAL, {
      url: URL_9000,
      payload: 'text',
      dispatchDeadline: '30m',
      method: 'PATCH',
      headers: { 'content-type': 'text/csv' },
    });
    expect(task).toMatchObject({ dispatchDeadline: 30 * MINUTE });
    expect(task.httpRequest).toEqual({
      url: URL_9000,
      httpMethod: 'PATCH',
      headers: { 'content-type': 'text/csv', 'User-Agent': 'Google-Cloud-Tasks' },
      body: new TextEncoder().encode('text'),
      oidcToken: { serviceAccountEmail: 'tasks@local', audience: 'http://127.0.0.1:9000' },
    });
  });

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
    'may be a %s without a payload',
    async (method) => {
      const { task } = await enqueue(EXTERNAL, { url: URL_9000, method });
      expect(task.httpRequest).toMatchObject({ httpMethod: method });
      expect(task.httpRequest?.body).toBeUndefined();
    },
  );

  test.each([
    ['1500ms', 1.5 * SECOND],
    ['30s', 30 * SECOND],
    ['10m', 10 * MINUTE],
    ['24h', 24 * HOUR],
    ['30d', 720 * HOUR],
  ])('waits for a countdown of %s', async (countdown, duration) => {
    const before = Date.now() * 1000;
    const { task } = await enqueue(APP_ENGINE, { countdown });
    expect(task.scheduleTime).toBeGreaterThanOrEqual(before + duration);
    expect(task.scheduleTime).toBeLessThanOrEqual(Date.now() * 1000 + 1000 + duration);
  });

  test('waits for a scheduleTime, to the microsecond; one that has passed is now', async () => {
    const second = new Date(Date.now() + 86_400_000).toISOString().slice(0, 19);
    const { answer } = await enqueue(APP_ENGINE, { scheduleTime: `${second}.123456789Z` });
    expect(answer.scheduleTime).toBe(`${second}.123456Z`);
    const before = Date.now() * 1000;
    const { task } = await enqueue(APP_ENGINE, { scheduleTime: '1970-01-01T00:00:00Z' });
    expect(task.scheduleTime).toBeGreaterThanOrEqual(before);
  });

  test('takes what the limits just allow', async () => {
    const { task } = await enqueue(EXTERNAL, {
      url: URL_9000,
      taskId: 'x'.repeat(500),
      dispatchDeadline: '15s',
      headers: Object.fromEntries(
        Array.from({ length: 64 }, (_, index) => [`x-${index}`, 'y'.repeat(1000)]),
      ),
      payload: 'x'.repeat(900_000),
    });
    expect(task.httpRequest?.body).toHaveLength(900_000);
  });
});

describe('the payload', () => {
  test.each([
    ['a big number', '12345678901234567890.0010e+999'],
    [
      'the order and odd names of keys',
      '{"z":1,"a":2,"10":3,"9":4,"__proto__":{"x":1},"constructor":{"prototype":1},"a":5}',
    ],
    ['white space and escapes', '[ 1 ,\n\t"\\u00e9\\/\\ud800" ]'],
    ['null', 'null'],
    ['false', 'false'],
    ['an empty object', '{}'],
  ])('travels as it came: %s', async (_, json) => {
    expect(await body(APP_ENGINE, `{ "payload" : ${json} }`)).toBe(json);
    expect(await body(EXTERNAL, `{"url":"${URL_9000}","payload":${json},"countdown":"1s"}`)).toBe(
      json,
    );
  });

  test('of a string is its text', async () => {
    const { task } = await enqueue(
      APP_ENGINE,
      '{"payload":"h\\u00e9llo \\"wörld\\"\\n\\u0000\\ud83d\\ude42"}',
    );
    expect(task.appEngineHttpRequest?.headers).toMatchObject({
      'Content-Type': 'text/plain; charset=utf-8',
    });
    expect(Buffer.from(task.appEngineHttpRequest?.body ?? []).toString()).toBe(
      'héllo "wörld"\n\0🙂',
    );
  });

  test('that is absent is no body', async () => {
    const { task } = await enqueue(EXTERNAL, { url: URL_9000 });
    expect(task.httpRequest?.body).toBeUndefined();
    expect(task.httpRequest?.headers).toEqual({ 'User-Agent': 'Google-Cloud-Tasks' });
  });

  test('is never changed, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ depthSize: 'medium' }), fc.nat(4), async (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        const sent = typeof value === 'string' ? value : json;
        // No body at all is all that is left of no text.
        expect((await body(APP_ENGINE, `{"payload":${json}}`)) ?? '').toBe(sent);
      }),
      { numRuns: 50 },
    );
  });
});
