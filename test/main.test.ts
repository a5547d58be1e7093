/** The process itself, as it is built: how it starts, why it doesn't, and how it ends. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import type { AppProcess } from './support/app-process.js';
import { startApp } from './support/app-process.js';
import { Loopback } from './support/loopback.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

// Whole processes start and end here, maybe on a busy machine.
jest.setTimeout(30_000);

let root: string;
/** Of an app that has run once. */
let dataDir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'main-'));
  dataDir = join(root, 'data');
  await (await startApp({ DATA_DIR: dataDir })).kill('SIGTERM');
});

afterAll(() => rmSync(root, { recursive: true }));

interface Failed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function failed(env: Readonly<Record<string, string>>): Promise<Failed> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], PORT: '0', ENGINE_PORT: '0', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** A copy of the folder of an app that has run, with something wrong. */
function spoiled(name: string, spoil: (folder: string) => void): string {
  const folder = join(root, name);
  cpSync(dataDir, folder, { recursive: true });
  spoil(folder);
  return folder;
}

describe('a start that fails says on one line what is wrong and how to mend it', () => {
  const cases: [string, () => Record<string, string>, RegExp][] = [
    [
      'a wrong setting',
      () => ({ PORT: '80a' }),
      /^PORT: expected a port from 0 to 65535, got '80a'$/,
    ],
    [
      'a misspelt setting',
      () => ({ PROJECT: 'x' }),
      /^PROJECT is not a setting, did you mean PROJECT_ID\?$/,
    ],
    [
      'nobody checked',
      () => ({ HOST: '0.0.0.0' }),
      /^PRODUCER_AUTH: expected api-key, oidc or iap, since whoever reaches 0\.0\.0\.0 could enqueue/,
    ],
    [
      'a folder that can’t be made',
      () => ({ DATA_DIR: '/proc/nope' }),
      /^can't write \/proc\/nope\/.*\): let this user .* choose another by DATA_DIR$/,
    ],
    [
      'a file for a folder',
      () => {
        writeFileSync(join(root, 'file'), '');
        return { DATA_DIR: join(root, 'file') };
      },
      /^expected a folder for the data, but .*file is a file: choose another by DATA_DIR$/,
    ],
    [
      'a corrupt database',
      () => ({
        DATA_DIR: spoiled('corrupt', (folder) =>
          writeFileSync(join(folder, 'tasks.sqlite'), 'x'.repeat(10_000)),
        ),
      }),
      /^The task database .* is damaged or not a database .*: restore a copy, or keep what is sound/,
    ],
    [
      'a newer database',
      () => ({
        DATA_DIR: spoiled('newer', (folder) => {
          const db = new DatabaseSync(join(folder, 'tasks.sqlite'));
          db.exec('PRAGMA user_version = 999');
          db.close();
        }),
      }),
      /^The task database .* newer nest-cloud-tasks .*: update the package/,
    ],
    [
      'a secret that is none',
      () => ({
        DATA_DIR: spoiled('secret', (folder) => writeFileSync(join(folder, 'engine-secret'), 'x')),
      }),
      /^.*engine-secret doesn't hold the engine's secret: delete it/,
    ],
  ];

  test.each(cases)('%s', async (_, env, message) => {
    const { code, stdout, stderr } = await failed(env());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^nest-cloud-tasks: [^\n]+\n$/);
    expect(stderr.replace('nest-cloud-tasks: ', '').trimEnd()).toMatch(message);
  });

  test.each(['PORT', 'ENGINE_PORT'])('%s in use', async (name) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stdout, stderr } = await failed({ [name]: String(port) });
    other.close();
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `nest-cloud-tasks: port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another by ${name}\n`,
    });
  });

  test('a secret is not shown', async () => {
    const { stderr } = await failed({ ENGINE_SECRET: 'hunter2' });
    expect(stderr).toContain('ENGINE_SECRET');
    expect(stderr).not.toContain('hunter2');
  });
});

describe('a run', () => {
  const loopback = new Loopback();
  const running: AppProcess[] = [];

  async function start(): Promise<AppProcess> {
    const app = await startApp({ DATA_DIR: dataDir });
    running.push(app);
    return app;
  }

  afterEach(async () => {
    for (const app of running.splice(0)) app.child.kill('SIGKILL');
    await loopback.close();
  });

  /** A target that answers when it is told to. */
  async function target() {
    const arrived = Promise.withResolvers<ServerResponse>();
    const url = await loopback.http((incoming, response) => {
      incoming.resume();
      arrived.resolve(response);
    });
    return { url, arrived: arrived.promise };
  }

  async function post(app: AppProcess, path: string, body: object): Promise<unknown> {
    const { body: answer } = await request(`${app.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return answer.json();
  }

  async function enqueue(app: AppProcess, path: string, body: object): Promise<void> {
    expect(await post(app, path, body)).toMatchObject({ queue: 'default' });
  }

  test('logs one JSON line each, and invites to what works as pasted', async () => {
    const app = await start();
    const commands = [await app.stderr.line('Hello'), await app.stderr.line('event-display')];
    for (const command of commands) {
      const curl = spawn('sh', ['-c', `${command} --silent --fail --output /dev/null`]);
      expect(await once(curl, 'exit')).toEqual([0, null]);
    }
    expect(await app.kill('SIGTERM')).toBe(0);
    const lines = app.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) {
      expect(line).toMatchObject({
        severity: expect.any(String),
        time: expect.any(String),
        message: expect.any(String),
      });
    }
  });

  test('ends on SIGTERM with code 0 once the attempt in flight is settled, so that it is not made again', async () => {
    const app = await start();
    const { url, arrived } = await target();
    await enqueue(app, '/add_task_external', { url });
    const response = await arrived;
    const ended = app.kill('SIGTERM');
    for (;;) {
      const { statusCode, body } = await request(`${app.url}/readyz`);
      await body.dump();
      if (statusCode === 503) break;
    }
    response.end();
    expect(await ended).toBe(0);

    const again = await start();
    const next = await target();
    await enqueue(again, '/add_task_external', { url: next.url });
    (await next.arrived).end();
    expect(again.lines.join('\n')).not.toContain('Attempt 2');
    expect(await again.kill('SIGINT')).toBe(0);
  });

  test('ends at once on a second signal', async () => {
    const app = await start();
    const { url, arrived } = await target();
    await enqueue(app, '/add_task_external', { url });
    await arrived;
    const ended = app.kill('SIGTERM');
    await app.stdout.line('Stopping on SIGTERM');
    app.child.kill('SIGTERM');
    expect(await ended).toBe(1);
  });

  test('does the same by Google’s client, with the engine of another process for Google', async () => {
    const app = await start();
    const [, engine = ''] = /the engine on (http:\S+),/.exec(app.lines.join('\n')) ?? [];
    const other = await startApp({
      ENGINE_PORT: '',
      CLOUD_TASKS_EMULATOR_HOST: new URL(engine).host,
      OIDC_ISSUER: engine,
      HOST: '127.0.0.1',
      PRODUCER_AUTH: 'none',
      PROJECT_ID: 'local',
      SERVICE_URL: app.url,
      SERVICE_ACCOUNT: 'tasks@local',
    });
    running.push(other);
    const { url, arrived } = await target();
    // Handlers of its own take tasks with a token alone, which App Engine's have not.
    const service = 'default';
    const twice = { service, taskId: `twice-${new URL(url).port}`, countdown: '1h' };
    await enqueue(other, '/add_task_app_engine', twice);
    expect(await post(other, '/add_task_app_engine', twice)).toMatchObject({
      statusCode: 409,
      code: 'ALREADY_EXISTS',
      field: 'taskId',
    });
    expect(await post(other, '/add_task_app_engine', { service, queue: 'nope' })).toMatchObject({
      statusCode: 403,
      code: 'PERMISSION_DENIED',
      field: 'queue',
    });
    // Nothing is allowed elsewhere unless it is named.
    expect(await post(other, '/add_task_external', { url })).toMatchObject({ statusCode: 403 });
    await enqueue(app, '/add_task_external', { url });
    (await arrived).end();
    expect((await request(`${other.url}/readyz`)).statusCode).toBe(200);
    expect(await other.kill('SIGTERM')).toBe(0);
  });
});

test('the folder is for this user alone', () => {
  expect(readFileSync(join(dataDir, 'engine-secret'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
});
