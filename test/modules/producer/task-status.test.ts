/** `GET /task_status/:queue/:id`, from the create of a task to its end. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Loopback } from '../../support/loopback.js';
import { TestApp } from '../../support/test-app.js';

let app: TestApp;
const others = new Loopback();

beforeAll(async () => {
  app = await TestApp.start();
});
afterAll(async () => {
  await app.close();
  await others.close();
});

async function enqueue(body: object, path = '/add_task_app_engine'): Promise<string> {
  const { json } = await app.send('POST', path, body);
  return (json as { name: string }).name.split('/').at(-1) ?? '';
}

const status = async (id: string, queue = 'default') => {
  const { status: http, json } = await app.send('GET', `/task_status/${queue}/${id}`, '', {});
  return { http, ...(json as { state?: string }) };
};

test('a task that waits is scheduled', async () => {
  const id = await enqueue({ scheduleTime: '2026-12-01T00:00:00Z' });
  expect(await status(id)).toEqual({
    http: 200,
    state: 'scheduled',
    queue: 'default',
    taskId: id,
    attempts: 0,
    scheduleTime: '2026-12-01T00:00:00.000Z',
  });
});

test('a handler’s task that is done has succeeded', async () => {
  const id = await enqueue({ payload: 'marker' });
  let last = await status(id);
  // Each answer takes its time, and the task is done in the meantime.
  while (last.state !== 'succeeded') last = await status(id);
  expect(last).toEqual({
    http: 200,
    state: 'succeeded',
    queue: 'default',
    taskId: id,
    attempts: 1,
    endTime: expect.stringMatching(/^\d{4}-.*Z$/),
  });
});

test('a task is running while somebody else’s server takes its time, then failed', async () => {
  const arrived = Promise.withResolvers<ServerResponse>();
  const url = await others.http((_request: IncomingMessage, response) => arrived.resolve(response));
  const id = await enqueue({ url }, '/add_task_external');
  const response = await arrived.promise;
  expect(await status(id)).toMatchObject({ state: 'running', attempts: 1 });
  const failed = app.logged(new RegExp(`${id} answered 500`));
  response.writeHead(500).end();
  await failed;
  expect(await status(id)).toMatchObject({
    state: 'failed',
    attempts: 1,
    reason: 'INTERNAL(13): HTTP status code 500',
    scheduleTime: expect.any(String),
  });
});

test('a task that never was is not found', async () => {
  expect(await status('never-was')).toMatchObject({ http: 404, field: 'id' });
  expect(await status('never-was', 'no-queue')).toMatchObject({ http: 404 });
});

test.each([
  ['a_b', 'x', 'queue'],
  ['default', 'x.y', 'id'],
])('%s/%s is no name of a task', async (queue, id, field) => {
  const answer = await status(id, queue);
  expect(answer).toMatchObject({ http: 400, field });
});
