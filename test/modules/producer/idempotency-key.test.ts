/** A request that is sent again under its `Idempotency-Key` makes no second task. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CloudTasksError } from '../../../src/engine/errors.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { TestApp } from '../../support/test-app.js';

let app: TestApp;
let keys = 0;

beforeAll(async () => {
  app = await TestApp.start();
  await app.api.pauseQueue({ name: app.queueName() });
});
afterAll(() => app.close());

const URL_HERE = 'http://127.0.0.1:9/hook';
const nextKey = () => `order ${keys++} {"}`;

function enqueue(key: string, body: object | string, path = '/add_task_app_engine') {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  return app.send('POST', path, typeof body === 'string' ? body : JSON.stringify(body), headers);
}

test('the same request again gets the first one’s answer, and there is one task', async () => {
  const key = nextKey();
  const before = (await app.tasks()).length;
  const first = await enqueue(key, { payload: { n: 1 } });
  expect(first.status).toBe(202);
  for (let again = 0; again < 3; again++) {
    expect(await enqueue(key, { payload: { n: 1 } })).toMatchObject({
      status: 202,
      json: first.json,
    });
  }
  expect(await app.tasks()).toHaveLength(before + 1);
});

test('also when the task has ended by then', async () => {
  const key = nextKey();
  const first = await enqueue(key, { url: URL_HERE }, '/add_task_external');
  await app.api.deleteTask({ name: (first.json as { name: string }).name });
  expect(await enqueue(key, { url: URL_HERE }, '/add_task_external')).toMatchObject({
    status: 202,
    json: first.json,
  });
});

test.each([
  ['another body', { payload: 2 }, '/add_task_app_engine'],
  ['the same in other words', '{ "payload": 1 }', '/add_task_app_engine'],
  ['another endpoint', { url: URL_HERE }, '/add_task_external'],
])('a key that was used is refused for %s', async (_name, body, path) => {
  const key = nextKey();
  await enqueue(key, { payload: 1 });
  const refused = await enqueue(key, body, path);
  expect(refused).toMatchObject({
    status: 409,
    json: { code: 'ALREADY_EXISTS', field: 'Idempotency-Key' },
  });
});

test('of many requests at once one makes a task; the others get its answer, or are told to wait', async () => {
  const key = nextKey();
  const before = (await app.tasks()).length;
  const answers = await Promise.all(Array.from({ length: 8 }, () => enqueue(key, { payload: 1 })));
  for (const { status, json } of answers) {
    if (status !== 202)
      expect({ status, json }).toMatchObject({ status: 409, json: { code: 'ABORTED' } });
  }
  expect(answers.some(({ status }) => status === 202)).toBe(true);
  expect(await app.tasks()).toHaveLength(before + 1);
});

test('a request that was refused may be sent again, mended, under its key', async () => {
  const key = nextKey();
  expect((await enqueue(key, { countdown: 30 })).status).toBe(400);
  expect((await enqueue(key, { countdown: '30s' })).status).toBe(202);
});

test('a crash after the create makes no second task', async () => {
  const key = nextKey();
  const before = (await app.tasks()).length;
  const { api } = app.app.get(QueueBackend);
  const create = api.createTask.bind(api);
  api.createTask = async (request) => {
    await create(request);
    throw new CloudTasksError('UNAVAILABLE', 'The answer was lost.');
  };
  expect((await enqueue(key, { payload: 1 })).status).toBe(503);
  api.createTask = create;
  const { status, json } = await enqueue(key, { payload: 1 });
  expect(status).toBe(202);
  const tasks = await app.tasks();
  expect(tasks).toHaveLength(before + 1);
  expect(tasks.map(({ name }) => name)).toContain((json as { name: string }).name);
});

test('nor when that task has ended by then', async () => {
  const key = nextKey();
  const { api } = app.app.get(QueueBackend);
  const create = api.createTask.bind(api);
  api.createTask = async (request) => {
    const { name } = await create(request);
    await api.deleteTask({ name });
    throw new CloudTasksError('UNAVAILABLE', 'The answer was lost.');
  };
  expect((await enqueue(key, { taskId: undefined })).status).toBe(503);
  api.createTask = create;
  const before = (await app.tasks()).length;
  expect(await enqueue(key, {})).toMatchObject({
    status: 202,
    json: { queue: 'default', target: { relativeUri: '/tasks/example' } },
  });
  expect(await app.tasks()).toHaveLength(before);
});

test('an id of the caller’s own that is taken is an error, as without a key', async () => {
  await enqueue(nextKey(), { taskId: 'mine' });
  expect(await enqueue(nextKey(), { taskId: 'mine' })).toMatchObject({
    status: 409,
    json: { code: 'ALREADY_EXISTS', field: 'taskId' },
  });
});

test.each(['', 'x'.repeat(256), 'ü'])('a key may not be %j', async (key) => {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  expect(await app.send('POST', '/add_task_app_engine', '{}', headers)).toMatchObject({
    status: 400,
    json: { code: 'INVALID_ARGUMENT', field: 'Idempotency-Key' },
  });
});
