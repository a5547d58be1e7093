/** The built app with the settings that it is deployed with, and what the platform sets besides. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { parse } from 'yaml';
import type { RunningEngine } from '../src/host/start-engine.js';
import { startEngine } from '../src/host/start-engine.js';
import { makeKey } from '../src/modules/producer/api-key.js';
import { writeKeyFile } from '../src/modules/producer/key-file.js';
import type { AppProcess } from './support/app-process.js';
import { startApp } from './support/app-process.js';

// Whole processes start and end here, maybe on a busy machine.
jest.setTimeout(30_000);

type Variables = Readonly<Record<string, string>>;

const folder = mkdtempSync(join(tmpdir(), 'platforms-'));
const file = join(folder, 'producer-keys.json');
let key: string;
let engine: RunningEngine;
let app: AppProcess;

beforeAll(() => {
  const made = makeKey({ client: 'me', external: false, rate: 600 }, new Date());
  key = made.key;
  writeKeyFile(file, new Map([[made.record.id, made.record]]));
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
  const parent = 'projects/my-project/locations/us-central1';
  for (const id of ['default', 'email-queue']) {
    await engine.api.createQueue({ parent, queue: { name: `${parent}/queues/${id}` } });
  }
});
afterEach(async () => {
  await app.kill('SIGTERM');
  await engine.close();
});

/** Cloud Tasks is an engine here, and keys are where this test has put them. */
async function start(
  deployed: Variables,
  platform: Variables,
  more: Variables = {},
): Promise<void> {
  const project = { YOUR_PROJECT: 'my-project', REGION_ID: 'uc' };
  const settings = Object.entries(deployed).map(([name, value]) => [
    name,
    value.replace(/YOUR_PROJECT|REGION_ID/g, (word) => project[word as keyof typeof project]),
  ]);
  app = await startApp({
    ...(Object.fromEntries(settings) as Variables),
    ...platform,
    ENGINE_PORT: '',
    CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host,
    PRODUCER_KEYS_FILE: file,
    ...more,
  });
  await engine.dispatch({ default: app.url });
}

async function post(path: string, headers: Variables = {}, body: object = {}) {
  const response = await request(`${app.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.statusCode, json: (await response.body.json()) as object };
}

/** Neither callers without a key nor tasks that somebody has made up. */
async function refusesStrangers(): Promise<void> {
  expect((await post('/add_task_app_engine')).status).toBe(401);
  expect((await post('/add_task_external')).status).toBe(401);
  expect((await post('/tasks/example')).status).toBe(401);
  const forged = { 'x-cloudtasks-queuename': 'default', 'x-cloudtasks-taskname': '1' };
  expect((await post('/tasks/example', forged)).status).toBe(401);
}

describe('App Engine standard', () => {
  const { env_variables: deployed } = parse(readFileSync('app.yaml', 'utf8')) as {
    env_variables: Variables;
  };

  test('starts with app.yaml, and carries a task from its caller to its handler', async () => {
    const platform = {
      GAE_ENV: 'standard',
      GAE_APPLICATION: 'uc~my-project',
      GAE_SERVICE: 'default',
      GAE_VERSION: 'v1',
      GAE_INSTANCE: 'x',
      GAE_RUNTIME: 'nodejs24',
      GOOGLE_CLOUD_PROJECT: 'my-project',
      NODE_ENV: 'production',
    };
    await start(deployed, platform);
    await refusesStrangers();
    const answer = await post(
      '/add_task_app_engine',
      { 'x-api-key': key },
      { payload: 'from afar' },
    );
    expect(answer).toMatchObject({ status: 202, json: { queue: 'default' } });
    expect(await app.stdout.line('from afar')).toContain('Received task with payload');
  });
});

describe('Cloud Run', () => {
  /** Those that the Dockerfile names. */
  const deployed = Object.fromEntries(
    [...readFileSync('Dockerfile', 'utf8').matchAll(/^# {3,}([A-Z_]+)=(\S+)$/gm)].map(
      ([, name, value]) => [name, value],
    ),
  ) as Variables;

  test('starts with what the Dockerfile names, and refuses strangers', async () => {
    expect(Object.keys(deployed)).toContain('PRODUCER_AUTH');
    const platform = {
      K_SERVICE: 'app',
      K_REVISION: 'app-00001',
      K_CONFIGURATION: 'app',
      NODE_ENV: 'production',
    };
    await start(deployed, platform, { OIDC_ISSUER: engine.issuer });
    await refusesStrangers();
    const spoofed = { 'x-appengine-queuename': 'default', 'x-appengine-taskname': '1' };
    expect((await post('/tasks/example', spoofed)).status).toBe(401);
    // No App Engine sends these, and no handler here would take one.
    expect((await post('/add_task_app_engine', { 'x-api-key': key })).status).toBe(412);
    const mail = { to: 'ada@example.com', subject: 'Hello', body: 'World' };
    expect(await post('/emails', { 'x-api-key': key }, mail)).toMatchObject({
      status: 202,
      json: { queue: 'email-queue', target: { type: 'http' } },
    });
  });
});
