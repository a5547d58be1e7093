/** Which queues callers may enqueue to, and which tasks no handler of this app would ever take. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningEngine } from '../../../src/host/running-engine.js';
import { startEngine } from '../../../src/host/start-engine.js';
import { TestApp } from '../../support/test-app.js';

let app: TestApp;
afterEach(() => app.close());

async function add(body: object, endpoint = '/add_task_external') {
  const { status, json } = await app.send('POST', endpoint, {
    url: 'http://127.0.0.1:9/',
    ...body,
  });
  return { status, json };
}

const denied = (message: RegExp) => ({
  status: 403,
  json: {
    statusCode: 403,
    code: 'PERMISSION_DENIED',
    field: 'queue',
    message: expect.stringMatching(message) as unknown,
  },
});

describe('embedded', () => {
  test('any that there is, since all are this app’s; of one that there isn’t, 404', async () => {
    app = await TestApp.start();
    const name = app.queueName('mail');
    await app.api.createQueue({
      parent: app.queueName('x').replace('/queues/x', ''),
      queue: { name },
    });
    await app.api.pauseQueue({ name });
    expect(await add({ queue: 'mail' })).toMatchObject({ status: 202 });
    expect(await add({ queue: 'nothing' })).toMatchObject({
      status: 404,
      json: { code: 'NOT_FOUND', field: 'queue' },
    });
  });

  test('with ALLOWED_QUEUES those alone, the status of tasks included', async () => {
    app = await TestApp.start({ ALLOWED_QUEUES: 'default' });
    expect(await add({ queue: 'mail' })).toMatchObject(
      denied(/^queue: mail is not one of this app/),
    );
    expect((await app.send('GET', '/task_status/mail/1')).status).toBe(403);
    expect((await app.send('GET', '/task_status/default/1')).status).toBe(404);
  });

  test('never one that keeps dead letters', async () => {
    app = await TestApp.start();
    expect(await add({ queue: 'default-dead-letter' })).toMatchObject(denied(/keeps dead letters/));
    expect(await app.tasks('default-dead-letter')).toEqual([]);
  });
});

describe('with the code that runs on Google', () => {
  const folder = mkdtempSync(join(tmpdir(), 'open-queues-'));
  const parent = 'projects/my-project/locations/us-central1';
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine({ dataDir: ':memory:', port: 0 });
    for (const id of ['default', 'mail', 'of-another-team']) {
      await engine.api.createQueue({ parent, queue: { name: `${parent}/queues/${id}` } });
    }
  });
  afterAll(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });

  function start(variables: Record<string, string> = {}): Promise<TestApp> {
    return TestApp.start({
      CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host,
      PROJECT_ID: 'my-project',
      SERVICE_URL: 'http://127.0.0.1:9',
      SERVICE_ACCOUNT: 'tasks@my-project.iam.gserviceaccount.com',
      HOST: '127.0.0.1',
      PRODUCER_AUTH: 'none',
      EXTERNAL_ORIGINS: 'https://api.example.com',
      ENGINE_PORT: '',
      DATA_DIR: '',
      ...variables,
    });
  }
  const EXTERNAL = { url: 'https://api.example.com/' };

  test('those that the settings, the queues file and handlers name, not all of the project', async () => {
    const QUEUES_FILE = join(folder, 'queues.yaml');
    writeFileSync(QUEUES_FILE, 'queues: { mail: }\n');
    app = await start({ QUEUES_FILE });
    expect(await add(EXTERNAL)).toMatchObject({ status: 202 });
    expect(await add({ ...EXTERNAL, queue: 'mail' })).toMatchObject({ status: 202 });
    expect(await add({ ...EXTERNAL, queue: 'of-another-team' })).toMatchObject(
      denied(/ALLOWED_QUEUES/),
    );
    const { tasks } = await engine.api.listTasks({ parent: `${parent}/queues/of-another-team` });
    expect(tasks).toEqual([]);
  });

  test('App Engine tasks for handlers that take tokens alone are refused, with what to do instead', async () => {
    app = await start();
    const endpoint = '/add_task_app_engine';
    const { status, json } = await app.send('POST', endpoint, { payload: 1 });
    expect({ status, json }).toEqual({
      status: 412,
      json: {
        statusCode: 412,
        code: 'FAILED_PRECONDITION',
        field: 'service',
        message:
          "service: handlers of this app take only tasks with a token, AUTH_MODE being 'oidc', which App Engine tasks have not. Enqueue for them by .delay() or by their own endpoints, such as /emails; for an App Engine service name it, such as 'default'.",
      },
    });
    const named = await app.send('POST', endpoint, { payload: 1, service: 'default' });
    expect(named.status).toBe(202);
  });
});
