/** Each role serves its part of the app, and answers 404 for the rest before it asks who calls. */
import { afterEach, expect, test } from '@jest/globals';
import { readSettings } from '../../src/config.js';
import { TestApp } from '../support/test-app.js';

let app: TestApp | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

/**
 * What a stranger is told: 401 by a handler that is served, 202 by a producer on this machine. Where a
 * task's body would be taken in, who isn't verified is refused before that is asked.
 */
async function answers(app: TestApp): Promise<Record<string, number>> {
  const status = async (path: string) => (await app.send('POST', path, {})).status;
  return {
    producer: await status('/add_task_app_engine'),
    handler: await status('/tasks/example'),
    event: await status('/event-display'),
    relay: await status('/relay'),
    health: (await app.send('GET', '/healthz')).status,
    warmup: (await app.send('GET', '/_ah/warmup')).status,
  };
}

test.each([
  ['all', { producer: 202, handler: 401, event: 401, relay: 401, health: 200, warmup: 200 }],
  ['api', { producer: 202, handler: 404, event: 404, relay: 401, health: 200, warmup: 200 }],
  ['worker', { producer: 404, handler: 401, event: 401, relay: 401, health: 200, warmup: 200 }],
  ['relay', { producer: 404, handler: 404, event: 404, relay: 401, health: 200, warmup: 200 }],
])('role %s', async (role, expected) => {
  app = await TestApp.start({ ROLE: role });
  expect(await answers(app)).toEqual(expected);
});

test('what a role does not serve looks like what nobody serves', async () => {
  app = await TestApp.start({ ROLE: 'worker' });
  const hidden = await app.send('POST', '/add_task_app_engine?a=b', {});
  expect(hidden.json).toEqual({
    statusCode: 404,
    code: 'NOT_FOUND',
    message: 'Cannot POST /add_task_app_engine?a=b',
  });
});

test.each(['worker', 'relay'])('role %s needs no PRODUCER_AUTH, where the API does', (role) => {
  const deployed = {
    TASKS_BACKEND: 'google',
    CLOUD_TASKS_EMULATOR_HOST: '127.0.0.1:1',
    PROJECT_ID: 'my-project',
    SERVICE_URL: 'https://app.example.com',
    SERVICE_ACCOUNT: 'tasks@my-project.iam.gserviceaccount.com',
  };
  expect(readSettings({ ...deployed, ROLE: role })).toMatchObject({
    role,
    producer: { kind: 'nobody' },
  });
  expect(() => readSettings({ ...deployed, ROLE: 'api' })).toThrow(/^PRODUCER_AUTH: expected/);
});

test('a task that came to the wrong process is tried again, not given up', async () => {
  app = await TestApp.start({ ROLE: 'api' });
  const mail = { to: 'ada@example.com', subject: 'Hello', body: 'World' };
  expect((await app.send('POST', '/emails', mail)).status).toBe(202);
  await app.logged(/role 'api' handles no such task/);
  const parent = app.queueName('email-queue-dead-letter');
  expect((await app.api.listTasks({ parent })).tasks).toEqual([]);
  expect(await app.tasks('email-queue')).toHaveLength(1);
});
