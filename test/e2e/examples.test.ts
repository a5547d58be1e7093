/** The examples, installed from the packed package as a user would, built by tsc and run. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Output, startApp } from '../support/app-process.js';
import { GoogleServer, METADATA_VARIABLES } from '../support/google-server.js';
import { installPackedPackage } from '../support/packed-package.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'examples');
const run = promisify(execFile);

let folder: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  folder = await installPackedPackage('examples');
  cpSync(EXAMPLES, join(folder, 'examples'), { recursive: true });
}, 120_000);

afterEach(async () => {
  for (const child of started.splice(0)) {
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await ended;
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Running {
  readonly url: string;
  /** Resolves once a line matches. */
  readonly line: (pattern: RegExp) => Promise<string>;
}

async function start(
  example: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Running> {
  const child = spawn(process.execPath, args, {
    cwd: join(folder, 'examples', example),
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
  });
  started.push(child);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines: string[] = [];
  const looks = new Set<() => void>();
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    for (const look of looks) look();
  });
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = lines.find((text) => pattern.test(text));
        if (found !== undefined) resolve(found);
      };
      looks.add(look);
      look();
      child.once('close', () =>
        reject(
          new Error(`No line ${String(pattern)} of ${example}: ${lines.join('\n')} ${errors}`),
        ),
      );
    });
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await line(/on http:\/\/127/)) ?? [];
  return { url, line };
}

async function build(example: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const cwd = join(folder, 'examples', example);
  const { stdout } = await run(process.execPath, [tsc], { cwd }).catch((error: unknown) => {
    throw new Error(`${example} doesn't compile: ${(error as { stdout: string }).stdout}`);
  });
  expect(stdout).toBe('');
}

const embedded = (example: string) =>
  start(example, ['dist/main.js'], { PORT: '0', ENGINE_PORT: '0' });

async function post(url: string, body: unknown): Promise<number> {
  const { status } = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return status;
}

test('basic', async () => {
  await build('basic');
  const app = await embedded('basic');
  expect(await post(`${app.url}/emails`, { to: 'a@example.com', subject: 'Hello' })).toBe(202);
  await app.line(/To a@example\.com: Hello \(attempt 1\)/);
  expect(await post(`${app.url}/emails`, { to: 'nobody', subject: 'Hello' })).toBe(400);
  expect(await post(`${app.url}/tasks/send-email`, {})).toBe(401);
}, 60_000);

test('restaurant', async () => {
  await build('restaurant');
  const app = await embedded('restaurant');
  const recipe = { ingredients: ['Pav', 'Bhaji'] };
  expect(await post(`${app.url}/orders/Taj`, recipe)).toBe(202);
  await app.line(/Taj cooks Pav and Bhaji/);
  expect(await post(`${app.url}/orders/Caf%C3%A9/in/1ms`, recipe)).toBe(202);
  await app.line(/Café cooks Pav and Bhaji/);
}, 60_000);

test('multi-queue', async () => {
  await build('multi-queue');
  const app = await embedded('multi-queue');
  expect(await post(`${app.url}/newsletters`, { to: ['a@x.org', 'b@x.org'] })).toBe(202);
  expect(await post(`${app.url}/codes`, { to: 'c@x.org' })).toBe(202);
  await Promise.all([/Newsletter to a@/, /Newsletter to b@/, /Code to c@/].map(app.line));
}, 60_000);

test('api-and-worker', async () => {
  await build('api-and-worker');
  const cli = join(folder, 'node_modules', 'nest-cloud-tasks', 'dist', 'cli', 'main.js');
  const flags = ['--port', '0', '--memory', '--queues', 'queues.yaml'];
  const engine = await start('api-and-worker', [cli, 'engine', ...flags], {});
  await engine.line(/Queue reports created/);
  const env = { PORT: '0', CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host };
  const worker = await start('api-and-worker', ['dist/main.js'], env);
  const api = await start('api-and-worker', ['dist/main.js'], { ...env, SERVICE_URL: worker.url });
  expect(await post(`${api.url}/reports`, { title: 'October' })).toBe(202);
  await worker.line(/Made October in process \d+/);
  expect(await post(`${worker.url}/tasks/make`, { title: 'forged' })).toBe(401);
}, 60_000);

test('client', async () => {
  await build('client');
  const google = await GoogleServer.start();
  // As if the metadata server were an issuer of its own: Google's tokens nobody here can make.
  google.issuer = google.url;
  const audience = '123-abc.apps.googleusercontent.com';
  const app = await startApp({
    DATA_DIR: ':memory:',
    PRODUCER_AUTH: 'oidc',
    PRODUCER_AUDIENCE: audience,
    PRODUCER_ACCOUNTS: google.self,
    PRODUCER_ISSUER: google.url,
  });
  const ask = async (TARGET_AUDIENCE: string) => {
    const env = { ...METADATA_VARIABLES(google.url), TARGET_URL: app.url, TARGET_AUDIENCE };
    const cwd = join(folder, 'examples', 'client');
    const child = spawn(process.execPath, ['dist/main.js', 'from the client'], {
      cwd,
      env: { PATH: process.env['PATH'], ...env },
    });
    const output = new Output(child.stdout);
    const errors = new Output(child.stderr);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, lines: [...output.lines, ...errors.lines] };
  };
  try {
    const made = await ask(audience);
    expect(made.code).toBe(0);
    expect(made.lines[0]).toBe('202 {');
    await app.stdout.line(/Received task with payload: from the client/);
    const refused = await ask('https://somebody-else.example.com');
    expect(refused.code).toBe(1);
    expect(refused.lines.join('\n')).toContain('"code": "UNAUTHENTICATED"');
    for (const token of google.minted.values()) {
      expect([...made.lines, ...refused.lines, ...app.lines].join('\n')).not.toContain(token);
    }
  } finally {
    await app.kill('SIGTERM');
    await google.close();
  }
}, 60_000);
