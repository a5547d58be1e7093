/** A task that an enqueuing endpoint creates for our handlers is of its request's trace. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TestApp } from '../../support/test-app.js';

const TRACE = {
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'congo=t61rcWkgMzE',
};
const OTHER = TRACE.traceparent.replace('4bf9', 'aaaa');

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
  await app.api.pauseQueue({ name: app.queueName() });
});
afterAll(() => app.close());

/** The trace headers of the task that the request makes. */
async function traced(path: string, body: object): Promise<Record<string, string>> {
  const sent = { 'content-type': 'application/json', ...TRACE };
  const { json, status } = await app.send('POST', path, body, sent);
  expect(status).toBe(202);
  const { name } = json as { name: string };
  const task = await app.api.getTask({ name, responseView: 'FULL' });
  const { headers = {} } = task.appEngineHttpRequest ?? task.httpRequest ?? {};
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^trace/i.test(name)));
}

test('it carries the headers of the request', async () => {
  expect(await traced('/add_task_app_engine', {})).toEqual(TRACE);
});

test('unless the caller names a trace for it', async () => {
  const headers = { Traceparent: OTHER };
  expect(await traced('/add_task_app_engine', { headers })).toEqual(headers);
});

test("somebody else's server is not told of it", async () => {
  expect(await traced('/add_task_external', { url: 'http://127.0.0.1:9000/' })).toEqual({});
});
