/** Cases 1 to 12: headers that pretend to be a queue's, or to be somewhere else. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuthMode } from '../../src/modules/auth/auth-options.js';
import { Task, TaskController, TaskInfo } from '../../src/modules/tasks/task-decorators.js';
import { TaskContext } from '../../src/modules/tasks/task-context.js';
import { closeApps, startApp } from '../support/tasks-app.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, ACCOUNT, AUDIENCE, TASK_ROUTES } from './abused-app.js';
import { expectRefused, expectUntouched } from './refusals.js';

const QUEUE = ['X-AppEngine-QueueName', 'default'] as const;
const TASK = ['X-AppEngine-TaskName', 'task-1'] as const;

/** All that a task of either kind has. */
const FULL_SET: HeaderLines = ['AppEngine', 'CloudTasks'].flatMap((kind) =>
  Object.entries({
    QueueName: 'default',
    TaskName: 'task-1',
    TaskRetryCount: '0',
    TaskExecutionCount: '0',
    TaskETA: '1767225600.0',
  }).map(([name, value]) => [`X-${kind}-${name}`, value] as const),
);

const apps = new Map<AuthMode, AbusedApp>();
const appIn = (mode: AuthMode): AbusedApp => {
  const app = apps.get(mode);
  if (!app) throw new Error(`No app runs in mode ${mode}.`);
  return app;
};

beforeAll(async () => {
  for (const mode of ['appengine', 'oidc', 'cloud-run-iam', 'local'] as const) {
    apps.set(mode, await AbusedApp.start({ mode }));
  }
});
afterAll(async () => {
  for (const app of apps.values()) await app.close();
});
afterEach(() => {
  for (const app of apps.values()) {
    app.takeLog();
    app.handled.length = 0;
    app.reached.length = 0;
  }
});

describe.each(TASK_ROUTES)('%s', (path) => {
  test.each<[string, 401 | 403, HeaderLines]>([
    ['1. no queue', 401, [TASK]],
    ['1. neither', 401, []],
    ['2. X-CloudTasks-QueueName alone', 401, [['X-CloudTasks-QueueName', 'default']]],
    ['4. a queue that is not in the list', 403, [['X-AppEngine-QueueName', 'other-queue'], TASK]],
    ['5. cron', 403, [['X-AppEngine-QueueName', '__cron'], TASK]],
    ['6. twice', 401, [QUEUE, QUEUE, TASK]],
    ['6. a task twice', 401, [QUEUE, TASK, TASK]],
    ['6. two in one', 401, [['X-AppEngine-QueueName', 'a, default'], TASK]],
    [
      '7. underscores',
      401,
      [
        ['X_AppEngine_QueueName', 'default'],
        ['X_AppEngine_TaskName', 'task-1'],
      ],
    ],
    ['7. one more hyphen', 401, [['X-Appengine-Queue-Name', 'default'], TASK]],
  ])('AE mode, %s: %i', async (_, status, headers) => {
    const app = appIn('appengine');
    await expectRefused(app, app.send(path, headers), status);
  });

  test.each(['oidc', 'cloud-run-iam', 'local'] as const)(
    '3. mode %s, all headers of both kinds, and no token',
    async (mode) => {
      const app = appIn(mode);
      await expectRefused(app, app.send(path, FULL_SET));
    },
  );
});

test('7. AE mode, a space before the colon, a folded line', async () => {
  const app = appIn('appengine');
  for (const line of ['X-AppEngine-QueueName : default', 'X-AppEngine-QueueName:\r\n default']) {
    const answer = await app.raw(request('/abuse/work', [line, 'X-AppEngine-TaskName: task-1']));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expectUntouched(app);
  }
});

describe('8. AE mode off App Engine standard', () => {
  test.each([
    ['nowhere', { GAE_ENV: '' }],
    ['on App Engine flexible', { GAE_ENV: 'flex' }],
    ['on Cloud Run', { GAE_ENV: 'standard', K_SERVICE: 'app' }],
  ])('%s: the app does not start', async (_, variables) => {
    const starting = AbusedApp.start({ mode: 'appengine', variables });
    await expect(starting).rejects.toMatchObject({ setting: 'AUTH_MODE' });
  });
});

describe('10. what only looks like Cloud Tasks', () => {
  test.each<[string, HeaderLines]>([
    ['its agent', [['User-Agent', 'Google-Cloud-Tasks']]],
    ['an address of App Engine', [['X-Forwarded-For', '0.1.0.2']]],
    ['the same as App Engine says it', [['X-Appengine-User-Ip', '0.1.0.2'], QUEUE, TASK]],
    [
      'a forwarded host',
      [
        ['X-Forwarded-Host', '127.0.0.1'],
        ['Forwarded', 'for=127.0.0.1'],
      ],
    ],
  ])('%s', async (_, headers) => {
    for (const mode of ['oidc', 'cloud-run-iam', 'local'] as const) {
      const app = appIn(mode);
      await expectRefused(app, app.send('/abuse/work', headers));
    }
  });
});

test('11. headers that name another method or path change nothing', async () => {
  const app = appIn('appengine');
  const elsewhere: HeaderLines = [
    ['X-HTTP-Method-Override', 'POST'],
    ['X-Method-Override', 'POST'],
    ['X-Original-URL', '/abuse/work'],
    ['X-Rewrite-URL', '/abuse/work'],
  ];
  const found = await app.send('/', [QUEUE, TASK, ...elsewhere], '', 'GET');
  expect(found.status).toBe(200);
  expect(app.reached).toEqual(['HomeController.home']);
  app.reached.length = 0;
  const none = await app.send('/nowhere', elsewhere);
  expect(none.status).toBe(404);
  expectUntouched(app);
  await expectRefused(app, app.send('/abuse/work', elsewhere));
});

describe('12. 2,500 headers, and the one that counts last', () => {
  test.each<[string, (index: number) => string]>([
    ['that fit into what Node reads', () => 'a:'],
    ['that do not', (index) => `x-filler-${index}: ${'x'.repeat(20)}`],
  ])('%s', async (_, filler) => {
    const app = appIn('oidc');
    const [credential] = app.credentials();
    const line = credential?.join(': ') ?? '';
    const fillers = Array.from({ length: 2500 }, (_, index) => filler(index));
    // Where a whole request is too much, the server may hang up before it was sent.
    const answer = await app.raw(request('/abuse/work', [...fillers, line]));
    expect(answer).toMatch(/^HTTP\/1\.1 (?:401|431) /);
    expectUntouched(app);
    expect(app.log).not.toContain(line.slice(-40));
  });
});

// From here on the log is another app's.

const GOOGLE = {
  backend: 'google',
  emulatorHost: '127.0.0.1:1',
  project: 'demo',
  serviceUrl: AUDIENCE,
  serviceAccount: ACCOUNT,
} as const;

test('8. AE mode off App Engine standard: an app that uses the library does not start either', async () => {
  const starting = startApp({ controllers: [] }, { ...GOOGLE, auth: { mode: 'appengine' } });
  await expect(starting).rejects.toMatchObject({ field: 'auth.mode' });
  await closeApps();
});

describe('9. a retry count that is none', () => {
  const counts: number[] = [];

  @TaskController('counting', { queue: 'default' })
  class Counting {
    @Task('count')
    count(@TaskInfo() { retryCount }: TaskContext): void {
      counts.push(retryCount);
    }
  }
  afterAll(closeApps);

  test.each<[string, string[]]>([
    ['negative', ['-1']],
    ['with an exponent', ['1e9']],
    ['a word', ['abc']],
    ['twice', ['1', '1']],
    ['empty', ['']],
    ['too large', ['99999999999']],
    ['a fraction', ['1.5']],
  ])('%s: it counts as the first attempt, and the log says so', async (_, values) => {
    process.env['GAE_ENV'] = 'standard';
    const { url, log } = await startApp({ controllers: [Counting] }, GOOGLE);
    delete process.env['GAE_ENV'];
    counts.length = 0;
    const headers = [QUEUE, TASK, ...values.map((v) => ['X-AppEngine-TaskRetryCount', v] as const)];
    expect(await statusOf(`${url}/counting/count`, headers)).toBe(200);
    expect(counts).toEqual([0]);
    expect(log.text).toContain(`The retry count of task task-1 of queue default is '`);
    await closeApps();
  });
});

function request(path: string, lines: readonly string[]): string {
  const head = [`POST ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...lines];
  return `${head.join('\r\n')}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
}

async function statusOf(url: string, headers: HeaderLines): Promise<number> {
  const { request: send } = await import('undici');
  const { statusCode, body } = await send(url, { method: 'POST', headers: headers.flat() });
  await body.dump();
  return statusCode;
}
