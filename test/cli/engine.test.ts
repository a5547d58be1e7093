/** The engine's command line, as it is built: flags, log, clients, and how it ends. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { request } from 'undici';
import { connectGoogle } from '../../src/host/connect-google.js';
import type { EngineProcess } from '../support/engine-process.js';
import { runCli, startEngineProcess } from '../support/engine-process.js';
import { Loopback } from '../support/loopback.js';

const LOCATION = 'projects/local/locations/us-central1';
const QUEUE = `${LOCATION}/queues/mail`;

const loopback = new Loopback();
const started: EngineProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((engine) => engine.end()));
  await loopback.close();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true });
});

async function start(...flags: string[]): Promise<EngineProcess> {
  const engine = await startEngineProcess(...flags);
  started.push(engine);
  return engine;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'cli-'));
  folders.push(path);
  return path;
}

function queuesFile(content: string): string {
  const path = join(folder(), 'queues.yaml');
  writeFileSync(path, content);
  return path;
}

async function withClient<T>(
  { port }: EngineProcess,
  use: (api: Awaited<ReturnType<typeof connectGoogle>>) => Promise<T>,
): Promise<T> {
  const api = await connectGoogle({ emulatorHost: `127.0.0.1:${port}` });
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

test('makes the queues of a file, sends their tasks, and says both', async () => {
  const target = await loopback.http((request, response) => {
    response.writeHead(request.url === '/fails' ? 500 : 204).end();
  });
  const engine = await start('--queues', queuesFile('queues: { mail: { maxAttempts: 1 } }'));
  expect(engine.lines[0]).toMatch(
    /^\d\d:\d\d:\d\d Cloud Tasks engine on .*, keeping nothing\. Ctrl-C ends it\.$/,
  );
  await engine.line(/Queue mail created\.$/);
  await withClient(engine, async (api) => {
    await api.createTask({
      parent: QUEUE,
      task: { name: `${QUEUE}/tasks/a`, httpRequest: { url: `${target}/` } },
    });
    await api.createTask({
      parent: QUEUE,
      task: { name: `${QUEUE}/tasks/b`, httpRequest: { url: `${target}/fails` } },
    });
  });
  await engine.line(/Attempt 1 of mail\/tasks\/a answered 204 after \d+ ms$/);
  await engine.line(/Attempt 1 of mail\/tasks\/b answered 500 after \d+ ms; given up$/);
});

test('writes JSON where a machine reads it', async () => {
  const target = await loopback.http((_, response) => response.writeHead(503).end());
  const engine = await start('--log', 'json', '--queues', queuesFile('queues: { mail: }'));
  await withClient(engine, async (api) => {
    await api.createTask({
      parent: QUEUE,
      task: { name: `${QUEUE}/tasks/a`, httpRequest: { url: target } },
    });
  });
  const line = JSON.parse(await engine.line(/Attempt 1 of/)) as unknown;
  expect(line).toEqual({
    severity: 'WARNING',
    time: expect.any(String),
    message: expect.stringContaining('Attempt 1 of mail/tasks/a answered 503 after'),
    queue: 'mail',
    task: 'a',
    dispatchCount: 1,
    durationMs: expect.any(Number),
    result: 'response',
    status: 503,
    retryTime: expect.any(String),
  });
});

test('sends App Engine tasks to the named services, and tokens of the named issuer', async () => {
  const paths: string[] = [];
  let token = '';
  const worker = await loopback.http((request, response) => {
    paths.push(request.url ?? '');
    token ||= request.headers.authorization ?? '';
    response.end();
  });
  const engine = await start(
    ...['--app-engine-host', `default=http://127.0.0.1:1,worker=${worker}`],
    ...['--issuer', 'http://engine:8123', '--queues', queuesFile('queues: { mail: }')],
  );
  await withClient(engine, async (api) => {
    await api.createTask({
      parent: QUEUE,
      task: {
        appEngineHttpRequest: { relativeUri: '/x', appEngineRouting: { service: 'worker' } },
      },
    });
    await engine.line(/answered 200/);
    const oidcToken = { serviceAccountEmail: 'a@b' };
    await api.createTask({
      parent: QUEUE,
      task: { name: `${QUEUE}/tasks/t`, httpRequest: { url: `${worker}/y`, oidcToken } },
    });
  });
  await engine.line(/tasks\/t answered 200/);
  expect(paths).toEqual(['/x', '/y']);
  const claims = JSON.parse(
    Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
  ) as unknown;
  expect(claims).toMatchObject({ iss: 'http://engine:8123', email: 'a@b' });
});

test('sends a token over http to loopback and where it is told; --strict to nobody', async () => {
  const oidcToken = { serviceAccountEmail: 'a@b' };
  const refused = async (engine: EngineProcess, url: string) =>
    withClient(engine, async (api) => {
      await api.updateQueue({ queue: { name: QUEUE } });
      await api.pauseQueue({ name: QUEUE });
      const created = api.createTask({ parent: QUEUE, task: { httpRequest: { url, oidcToken } } });
      return created.then(
        () => false,
        (error: unknown) => (error as { code: string }).code === 'INVALID_ARGUMENT',
      );
    });
  const trusting = await start(
    '--trust-http-origin',
    'http://app:8080',
    '--trust-http-origin',
    'http://b',
  );
  expect(await refused(trusting, 'http://app:8080/x')).toBe(false);
  expect(await refused(trusting, 'http://b/')).toBe(false);
  expect(await refused(trusting, 'http://app:8081/x')).toBe(true);
  expect(await refused(trusting, 'http://127.0.0.1:9/')).toBe(false);
  const strict = await start('--strict');
  expect(await refused(strict, 'http://127.0.0.1:9/')).toBe(true);
});

test('frees the name of a finished task when it is told to', async () => {
  const target = await loopback.http((_, response) => response.end());
  const engine = await start('--tombstone-ttl', '0s', '--queues', queuesFile('queues: { mail: }'));
  await withClient(engine, async (api) => {
    const task = { name: `${QUEUE}/tasks/a`, httpRequest: { url: target } };
    await api.createTask({ parent: QUEUE, task });
    await engine.line(/tasks\/a answered 200/);
    await api.createTask({ parent: QUEUE, task });
  });
});

describe('the end', () => {
  test('waits for what is in flight, and is orderly', async () => {
    let finish = () => {};
    const arrived = new Promise<void>((resolve) => {
      void loopback
        .http((_, response) => {
          finish = () => response.end();
          resolve();
        })
        .then(async (url) => {
          const engine = await start('--queues', queuesFile('queues: { mail: }'));
          await withClient(engine, (api) =>
            api.createTask({ parent: QUEUE, task: { httpRequest: { url } } }),
          );
        });
    });
    await arrived;
    const [engine] = started.splice(0);
    const ended = engine?.end();
    await engine?.line(
      /Ending on SIGTERM: attempts in flight get up to 8 s, another signal ends it at once\.$/,
    );
    finish();
    expect(await ended).toBe(0);
    expect(engine?.lines.at(-1)).toMatch(/ Ended\.$/);
    expect(engine?.lines.join('\n')).toMatch(/Attempt 1 of .* answered 200/);
  });

  test('is at once when it is asked for twice', async () => {
    let engine: EngineProcess | undefined;
    await new Promise<void>((resolve) => {
      // Never answered.
      void loopback
        .http(() => resolve())
        .then(async (url) => {
          engine = await start('--queues', queuesFile('queues: { mail: }'));
          await withClient(engine, (api) =>
            api.createTask({ parent: QUEUE, task: { httpRequest: { url } } }),
          );
        });
    });
    started.length = 0;
    const exited = once(engine?.child ?? process, 'exit');
    engine?.child.kill('SIGTERM');
    await engine?.line(/Ending on SIGTERM/);
    engine?.child.kill('SIGINT');
    expect(await exited).toEqual([1, null]);
  });
});

describe('refuses on one line, before anything is made', () => {
  test.each<[string[], RegExp]>([
    [
      ['--host', '0.0.0.0'],
      /^nest-cloud-tasks: --host 0\.0\.0\.0 lets whoever reaches this machine .*: add --allow-remote if that is meant\n$/,
    ],
    [['--queues', '/nowhere.yaml'], /^nest-cloud-tasks: \/nowhere\.yaml: there is no such file\n$/],
    [
      ['--port', '65536'],
      /^error: option '--port <number>' argument '65536' is invalid\. Expected a number from 0 to 65535\.\n$/,
    ],
    [
      ['--app-engine-host', 'x'],
      /argument 'x' is invalid\. Expected 'default=http:\/\/127\.0\.0\.1:8080', without a path\.\n$/,
    ],
    [['--app-engine-host', 'a=http://b/c'], /without a path\.\n$/],
    [['--trust-http-origin', 'https://a'], /Expected 'http:\/\/app:8080', without a path\.\n$/],
    [['--issuer', 'me'], /Expected an address such as 'http:\/\/engine:8123'\.\n$/],
    [['--tombstone-ttl', '10'], /Expected a duration such as '10s', '30m' or '24h'\.\n$/],
    [['--project', 'a/b'], /Expected a project id such as 'local'\.\n$/],
    [['--log', 'xml'], /Allowed choices are text, json\.\n$/],
    [['--print-client', 'perl'], /Allowed choices are node, python, go, java, gcloud\.\n$/],
    [
      ['--print-client', 'go', '--port', '0'],
      /^nest-cloud-tasks: --print-client needs the --port that the engine listens on\n$/,
    ],
    [
      ['--strict', '--trust-http-origin', 'http://a'],
      /^error: option '--strict' cannot be used with option '--trust-http-origin <origin>'\n$/,
    ],
    [['--prot', '1'], /^error: unknown option '--prot'\n\(Did you mean --port\?\)\n$/],
  ])('%j', async (flags, expected) => {
    const dataDir = join(folder(), 'data');
    const { code, stdout, stderr } = await runCli(['engine', '--data', dataDir, ...flags]);
    expect(stderr).toMatch(expected);
    expect({ code, stdout, made: existsSync(dataDir) }).toEqual({
      code: 1,
      stdout: '',
      made: false,
    });
  });

  test('a port that is taken', async () => {
    const { port } = await start();
    const { code, stderr } = await runCli(['engine', '--memory'], { ENGINE_PORT: String(port) });
    expect(stderr).toBe(
      `nest-cloud-tasks: port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another by ENGINE_PORT\n`,
    );
    expect(code).toBe(1);
  });
});

test('serves the test API when asked to, but never beyond loopback', async () => {
  const engine = await start('--test-api');
  const answer = await (await request(`${engine.url}/emulator/v1/clock`)).body.json();
  expect(answer).toMatchObject({ ahead: '0s' });
  const { code, stderr } = await runCli([
    ...['engine', '--memory', '--test-api', '--host', '0.0.0.0', '--allow-remote'],
  ]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      'nest-cloud-tasks: the test API lets whoever reaches it undo everything, so it is for loopback only: leave it out, or listen on 127.0.0.1 instead of 0.0.0.0\n',
  });
});

test('listens beyond loopback when that is meant', async () => {
  const engine = await start('--host', '0.0.0.0', '--allow-remote');
  expect(await withClient(engine, (api) => api.listQueues({ parent: LOCATION }))).toEqual({
    queues: [],
  });
});

describe('--print-client', () => {
  const lines = async (name: string, port: number) => {
    const { code, stdout, stderr } = await runCli([
      ...['engine', '--print-client', name, '--port', String(port)],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  test('node: the lines reach the engine', async () => {
    const engine = await start('--queues', queuesFile('queues: { mail: }'));
    const place = folder();
    symlinkSync(
      fileURLToPath(new URL('../../node_modules', import.meta.url)),
      join(place, 'node_modules'),
    );
    const program = join(place, 'program.mjs');
    writeFileSync(
      program,
      `${await lines('node', engine.port)}
const [queue] = await client.getQueue({ name: client.queuePath('local', 'us-central1', 'mail') });
console.log(queue.name);
await client.close();`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    expect(stdout).toBe(`${QUEUE}\n`);
  }, 30_000);

  test.each(['python', 'go', 'java', 'gcloud'])('%s: the lines name the port', async (name) => {
    expect(await lines(name, 9123)).toMatch(/127\.0\.0\.1(?::|", )9123/);
  });
});
