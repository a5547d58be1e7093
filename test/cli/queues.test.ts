/** `queues plan` and `queues apply` as processes, against a real engine over gRPC. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DAY } from '../../src/engine/time.js';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { CLI, runCli } from '../support/engine-process.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { workElsewhere } from '../support/elsewhere.js';

workElsewhere();

const LOCATION = 'projects/local/locations/us-central1';

const folder = mkdtempSync(join(tmpdir(), 'cli-queues-'));
afterAll(() => rmSync(folder, { recursive: true }));

let engine: RunningEngine;
beforeEach(async () => {
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
});
afterEach(() => engine.close());

function file(content: string, name = 'tasks.config.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function queue(id: string, location = LOCATION) {
  return engine.api.getQueue({ name: `${location}/queues/${id}` });
}

/** On the engine of this test; stdout by lines. */
async function queues(command: string, path: string, ...more: string[]) {
  const { port } = new URL(engine.url);
  const { code, stdout, stderr } = await runCli([
    ...['queues', command, '--file', path, '--port', port],
    ...more,
  ]);
  return { code, lines: stdout.trimEnd().split('\n').slice(1), stderr };
}

const FILE = `queues:
  mail: { maxDispatchesPerSecond: 5, minBackoff: 10s, taskTtl: 20d, httpTarget: { httpMethod: PUT } }
  sync:
`;

describe('plan and apply', () => {
  test('show what will be created, create it, and then have nothing to do', async () => {
    const path = file(FILE);
    const shown = [
      '+ mail              create',
      '    rateLimits.maxDispatchesPerSecond 5',
      '    retryConfig.maxAttempts -1',
      '    retryConfig.minBackoff 10s',
      '    httpTarget.httpMethod PUT',
      '    taskTtl 1728000s',
      '+ mail-dead-letter  create',
      '    state PAUSED',
      '+ sync              create',
      '    retryConfig.maxAttempts -1',
      '+ sync-dead-letter  create',
      '    state PAUSED',
      '4 to create.',
    ];
    expect(await queues('plan', path)).toEqual({ code: 2, lines: shown, stderr: '' });
    expect((await engine.api.listQueues({ parent: LOCATION })).queues).toEqual([]);
    expect(await queues('apply', path)).toEqual({
      code: 0,
      stderr: '',
      lines: [
        ...shown,
        'Queue mail created.',
        'Queue mail-dead-letter created, paused.',
        'Queue sync created.',
        'Queue sync-dead-letter created, paused.',
      ],
    });
    expect(await queue('mail')).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 5 },
      httpTarget: { httpMethod: 'PUT' },
      taskTtl: 20 * DAY,
      state: 'RUNNING',
    });
    expect((await queue('mail-dead-letter')).state).toBe('PAUSED');
    const unchanged = [
      '  mail              unchanged',
      '  mail-dead-letter  unchanged',
      '  sync              unchanged',
      '  sync-dead-letter  unchanged',
      '4 unchanged.',
    ];
    expect(await queues('plan', path)).toEqual({ code: 0, lines: unchanged, stderr: '' });
    expect(await queues('apply', path)).toEqual({ code: 0, lines: unchanged, stderr: '' });
  });

  test('update what was changed by hand, and leave a pause, which they show', async () => {
    const path = file(FILE);
    await queues('apply', path);
    await engine.api.updateQueue({
      queue: { name: `${LOCATION}/queues/mail`, rateLimits: { maxDispatchesPerSecond: 7 } },
      updateMask: ['rateLimits'],
    });
    await engine.api.pauseQueue({ name: `${LOCATION}/queues/sync` });
    await engine.api.resumeQueue({ name: `${LOCATION}/queues/sync-dead-letter` });
    const shown = [
      '~ mail              update',
      '    rateLimits.maxDispatchesPerSecond 7 -> 5',
      '  mail-dead-letter  unchanged',
      "! sync              drift: PAUSED, which the file doesn't say",
      '~ sync-dead-letter  update',
      '    state RUNNING -> PAUSED',
      '2 to update, 1 drifted, 1 unchanged.',
    ];
    expect(await queues('plan', path)).toEqual({ code: 2, lines: shown, stderr: '' });
    expect((await queues('apply', path)).lines).toEqual([
      ...shown,
      'Queue mail updated: rateLimits.maxDispatchesPerSecond 7 -> 5.',
      'Queue sync-dead-letter updated: state RUNNING -> PAUSED.',
    ]);
    expect((await queue('sync')).state).toBe('PAUSED');
    expect((await queues('plan', path)).code).toBe(0);
  });

  test('take queue.yaml, a module, a project and a location', async () => {
    const yaml = file('queue: [{ name: a, rate: 1/s, acl: [] }]', 'queue.yaml');
    expect((await queues('plan', yaml)).lines).toContain(
      'Not applied here: queue[0].acl (line 1).',
    );
    const module = file(
      'export const queues = { a: { retryConfig: { maxAttempts: 3 } } };',
      'q.mjs',
    );
    const { code, lines } = await queues('apply', module, '--project', 'p', '--location', 'here');
    expect({ code, note: lines.find((line) => line.startsWith('Note')) }).toEqual({
      code: 0,
      note: expect.stringMatching(/^Note: .* \(a\)\.$/),
    });
    expect((await queue('a', 'projects/p/locations/here')).retryConfig.maxAttempts).toBe(3);
  });

  test('take a server from CLOUD_TASKS_EMULATOR_HOST, with the project that Google needs', async () => {
    const env = {
      CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host,
      GOOGLE_CLOUD_PROJECT: 'mine',
      QUEUES_FILE: file('queues: { a: }'),
    };
    const { code, stdout } = await runCli(['queues', 'apply'], env);
    expect(code).toBe(0);
    expect(stdout).toContain(
      `in projects/mine/locations/us-central1, on the server at ${new URL(engine.url).host}:`,
    );
    expect(await queue('a', 'projects/mine/locations/us-central1')).toBeDefined();
  });

  test('find tasks.config.yaml in the working directory', async () => {
    file('queues: { a: }');
    const args = [CLI, 'queues', 'plan', '--port', new URL(engine.url).port];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
    expect(await once(child, 'close')).toEqual([2, null]);
  });

  test('end with 1 where a queue can’t be created yet, after the others', async () => {
    const path = file('queues: { a: , b: }');
    await queues('apply', path);
    await engine.api.deleteQueue({ name: `${LOCATION}/queues/a` });
    await engine.api.deleteQueue({ name: `${LOCATION}/queues/b-dead-letter` });
    const { code, lines } = await queues('apply', path);
    expect(code).toBe(1);
    expect(lines.filter((line) => line.includes("can't be created"))).toHaveLength(2);
  });
});

describe('what is wrong ends with 1 and one line', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    [
      'no file',
      ['--file', '/no/such.yaml'],
      {},
      /^nest-cloud-tasks: \/no\/such\.yaml: there is no such file\n$/,
    ],
    [
      'no default file',
      [],
      {},
      /^nest-cloud-tasks: there is no tasks\.config\.yaml here: name a file of queues by --file\n$/,
    ],
    [
      'nothing listens',
      ['--port', '1', '--file', 'FILE'],
      {},
      /^nest-cloud-tasks: nothing listens on 127\.0\.0\.1:1: start the app or npx nest-cloud-tasks engine, [^\n]+\n$/,
    ],
    [
      'no project on Google',
      ['--backend', 'google', '--file', 'FILE'],
      {},
      /^nest-cloud-tasks: --project is needed with --backend google\n$/,
    ],
    [
      'a misspelt field',
      ['--file', 'WRONG'],
      {},
      /:1: queues\.a\.maxAtempts: not a field here, did you mean maxAttempts\?\n$/,
    ],
    ['no such module', ['--file', '/no/such.js'], {}, /such\.js: it, or what it imports, is not/],
    ['a module without queues', ['--file', 'EMPTY'], {}, /expected an export queues, got other\n$/],
  ])('%s', async (_, flags, env, message) => {
    const files: Record<string, string> = {
      FILE: file('queues: { a: }'),
      WRONG: file('queues: { a: { maxAtempts: 1 } }', 'wrong.yaml'),
      EMPTY: file('export const other = 1;', 'empty.mjs'),
    };
    const { code, stdout, stderr } = await runCli(
      ['queues', 'plan', ...flags.map((flag) => files[flag] ?? flag)],
      env,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
