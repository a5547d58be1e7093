import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { googleCloudTasks } from '../../src/adapters/google-cloud-tasks.js';
import { toCloudTasksError } from '../../src/adapters/google-error.js';
import type { CloudTasksApi, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import type { EngineApi } from '../../src/engine/engine-api.js';
import { CloudTasksError } from '../../src/engine/errors.js';
import { DAY, HOUR } from '../../src/engine/time.js';
import type { EngineUnderTest } from '../support/engine-under-test.js';
import { engineUnderTest, httpTask, LOCATION, QUEUE } from '../support/engine-under-test.js';
import type { GrpcPort } from '../support/grpc-port.js';
import { grpcPort } from '../support/grpc-port.js';

let under: EngineUnderTest;
let port: GrpcPort;
let google: CloudTasksApi & { close(): Promise<void> };

beforeEach(async () => {
  under = await engineUnderTest({ target: () => 'hold' });
  port = await grpcPort(under.engine);
  google = await googleCloudTasks({ emulatorHost: port.url });
});

afterEach(async () => {
  await google.close();
  await port.close();
  under.engine.abandon();
});

/** An API that differs from the engine in some verbs, and the client to it. */
async function reopen(verbs: Partial<CloudTasksApi>): Promise<void> {
  await google.close();
  await port.close();
  const api = Object.create(under.engine) as EngineApi;
  port = await grpcPort(Object.assign(api, verbs));
  google = await googleCloudTasks({ emulatorHost: port.url });
}

describe('the address of an emulator', () => {
  test.each([
    '127.0.0.1:PORT',
    'http://127.0.0.1:PORT',
    'http://127.0.0.1:PORT/',
    'localhost:PORT',
  ])('may be %s', async (address) => {
    const emulatorHost = address.replace('PORT', new URL(port.url).port);
    const client = await googleCloudTasks({ emulatorHost });
    expect(await client.getQueue({ name: QUEUE })).toMatchObject({ name: QUEUE });
    await client.close();
  });

  test.each([
    '',
    'localhost',
    ':8123',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    'https://localhost:8123',
    'http://localhost:8123/v2',
    'http://user@localhost:8123',
    'localhost:8123?x',
    'local host:8123',
    '::1:8123',
  ])('is refused when it is %j', async (emulatorHost) => {
    await expect(googleCloudTasks({ emulatorHost })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'emulatorHost',
      message: expect.stringContaining(`127.0.0.1:8123, got '${emulatorHost}'`),
    });
  });
});

describe('a queue', () => {
  const name = `${LOCATION}/queues/beta`;

  test('may have by v2beta3 what v2 lacks, and is read back with it', async () => {
    const settings = {
      appEngineRoutingOverride: { service: 'worker' },
      httpTarget: { httpMethod: 'PUT' as const, uriOverride: { host: 'api.example.com' } },
      rateLimits: { maxDispatchesPerSecond: 3, maxBurstSize: 7, maxConcurrentDispatches: 2 },
      taskTtl: 20 * DAY,
      tombstoneTtl: 2 * HOUR,
    };
    const version = 'v2beta3';
    await google.createQueue({ parent: LOCATION, queue: { name, ...settings }, version });
    expect(await google.getQueue({ name, version })).toMatchObject({
      ...settings,
      state: 'RUNNING',
    });
    const byV2 = await google.getQueue({ name });
    expect(byV2.appEngineRoutingOverride).toMatchObject({ service: 'worker' });
    expect(byV2).not.toHaveProperty('httpTarget');
    const updated = await google.updateQueue({
      queue: { name, rateLimits: { maxBurstSize: 9 } },
      updateMask: ['appEngineRoutingOverride', 'rateLimits.maxBurstSize'],
      version,
    });
    expect(updated).toMatchObject({
      httpTarget: settings.httpTarget,
      rateLimits: { ...settings.rateLimits, maxBurstSize: 9 },
      taskTtl: 20 * DAY,
    });
    expect(updated).not.toHaveProperty('appEngineRoutingOverride');
    expect(await google.pauseQueue({ name })).toMatchObject({ state: 'PAUSED' });
    expect(await google.getQueue({ name, version })).toMatchObject({ state: 'PAUSED' });
  });
});

describe('a call', () => {
  test('has a deadline that production takes: the server refuses one above 30 s', async () => {
    const { name } = await google.createTask(httpTask());
    await google.getTask({ name });
    await google.runTask({ name });
    await google.listTasks({ parent: QUEUE });
    await google.updateQueue({ queue: { name: QUEUE } });
    await google.listQueues({ parent: LOCATION });
  });

  test('that creates a task is made once, whatever comes of it', async () => {
    let calls = 0;
    await reopen({
      createTask: () => {
        calls++;
        return Promise.reject(new CloudTasksError('UNAVAILABLE', 'not now'));
      },
    });
    await expect(google.createTask(httpTask())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'not now',
    });
    expect(calls).toBe(1);
  });

  test('that reads is made again while the service is away', async () => {
    let calls = 0;
    await reopen({
      getQueue: (request) =>
        ++calls < 3
          ? Promise.reject(new CloudTasksError('UNAVAILABLE', 'not now'))
          : under.engine.getQueue(request),
    });
    expect(await google.getQueue({ name: QUEUE })).toMatchObject({ name: QUEUE });
    expect(calls).toBe(3);
  });

  test('for a page is one call', async () => {
    let calls = 0;
    await reopen({
      listTasks: (request) => {
        calls++;
        return under.engine.listTasks(request);
      },
    });
    await google.pauseQueue({ name: QUEUE });
    for (let n = 0; n < 5; n++) await google.createTask(httpTask());
    const page = await google.listTasks({ parent: QUEUE, pageSize: 2 });
    expect(page.tasks).toHaveLength(2);
    expect(page.nextPageToken).toEqual(expect.any(String));
    expect(calls).toBe(1);
  });
});

describe('an error', () => {
  test('has the code, the text and the field of the server, and its cause', async () => {
    const task: TaskInput = { httpRequest: { url: 'ftp://example.com' } };
    const error: unknown = await google
      .createTask({ parent: QUEUE, task })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CloudTasksError);
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: "HttpTarget.url must start with 'http://' or 'https://'.",
      field: 'task.httpRequest.url',
      cause: { code: 3, metadata: expect.anything() },
    });
  });

  test('of our own conversion is one too, and nothing was sent', async () => {
    const task: TaskInput = { httpRequest: { url: 'https://a.example' }, scheduleTime: 0.5 };
    await expect(google.createTask({ parent: QUEUE, task })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'task.scheduleTime',
    });
  });

  test.each([
    [{ code: 5, details: 'gone', message: '5 NOT_FOUND: gone' }, 'NOT_FOUND', 'gone'],
    [{ code: 14, message: '14 UNAVAILABLE: x' }, 'UNAVAILABLE', '14 UNAVAILABLE: x'],
    [
      { code: 4, message: 'Total timeout : Previous errors : [{message: a}]' },
      'DEADLINE_EXCEEDED',
      'Total timeout',
    ],
    [{ code: 11, details: 'far' }, 'UNKNOWN', 'far'],
    [new TypeError('x is not a function'), 'UNKNOWN', 'x is not a function'],
    ['The client has already been closed.', 'CANCELLED', 'The client has already been closed.'],
    [undefined, 'UNKNOWN', 'The Cloud Tasks client failed.'],
  ])('is made of %p', (thrown, code, message) => {
    expect(toCloudTasksError(thrown)).toMatchObject({ code, message });
  });

  test("has its field from Google's details, in whatever case they are", () => {
    const statusDetails = [{}, { fieldViolations: [{ field: 'task.http_request.url' }] }];
    expect(toCloudTasksError({ code: 3, statusDetails }).field).toBe('task.httpRequest.url');
    expect(toCloudTasksError({ code: 3, statusDetails: [{}] }).field).toBeUndefined();
  });

  test('tells when nobody is there', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port: freePort } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const client = await googleCloudTasks({ emulatorHost: `127.0.0.1:${freePort}` });
    await expect(client.createTask(httpTask())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await client.close();
  });

  test('tells when the client is closed', async () => {
    const client = await googleCloudTasks({ emulatorHost: port.url });
    await client.close();
    await expect(client.getQueue({ name: QUEUE })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The Cloud Tasks client is closed.',
    });
  });
});

describe('in a process of its own', () => {
  /** Runs the program with no credentials to be found, and gives all that it printed. */
  async function run(program: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--import', './test/support/run-typescript.mjs', '--input-type=module', '--eval', program],
      {
        cwd: root,
        env: { PATH: process.env['PATH'], GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/key.json' },
      },
    );
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const [code] = (await once(child, 'close')) as [unknown];
    return { code, stdout, stderr };
  }
  const OPEN = `
    const { connectGoogle } = await import('./src/host/connect-google.ts');
  `;

  test('an emulator needs no credentials, and nothing is printed', async () => {
    const result = await run(`${OPEN}
      const api = await connectGoogle({ emulatorHost: '${port.url}' });
      console.log((await api.getQueue({ name: '${QUEUE}' })).state);
      await api.close();
    `);
    expect(result).toEqual({ code: 0, stdout: 'RUNNING\n', stderr: '' });
  });

  test('Google needs credentials, and their lack is one error', async () => {
    const result = await run(`${OPEN}
      await connectGoogle().catch((error) => console.log(error.code, error.message));
    `);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^UNAUTHENTICATED Google's client can't start: .*\/nowhere\/key/);
  });

  test("Google's packages are not loaded by the modules alone", async () => {
    const result = await run(`
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      await import('./src/host/connect-google.ts');
      await import('./src/adapters/grpc-server.ts');
      console.log(loaded.filter((url) => /google|grpc-js|protobuf/.test(url.replace(/.*\\/src\\//, ''))
        && url.includes('node_modules')).length);
    `);
    expect(result).toEqual({ code: 0, stdout: '0\n', stderr: '' });
  });
});
