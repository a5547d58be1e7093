import { afterEach, describe, expect, test } from '@jest/globals';
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { Body } from '@nestjs/common';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudSchedulerApi } from '../../../src/engine/cloud-scheduler-api.js';
import type { ScheduleOptions } from '../../../src/foundation/schedule-plan.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { Schedule } from '../../../src/modules/schedules/schedule-decorator.js';
import { SchedulesModule } from '../../../src/modules/schedules/schedules.module.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { Task, TaskController, TaskInfo } from '../../../src/modules/tasks/task-decorators.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import type { TestApp } from '../../support/tasks-app.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

const LOCATION = 'projects/local/locations/us-central1';
const folder = mkdtempSync(join(tmpdir(), 'schedules-'));

afterEach(closeApps);
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A handler with this schedule, and what it was called with. */
function scheduled(schedule: string, options: ScheduleOptions = { name: 'nightly' }) {
  const runs: { body: unknown; task: TaskContext }[] = [];
  const waiting: (() => void)[] = [];
  let blocked: Promise<void> | undefined;
  @TaskController('tasks')
  class Nightly {
    @Schedule(schedule, options)
    @Task('clean')
    async clean(@Body() body: unknown, @TaskInfo() task: TaskContext): Promise<void> {
      runs.push({ body, task });
      waiting.splice(0).forEach((resolve) => resolve());
      await blocked;
    }
  }
  return {
    Nightly,
    runs,
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
    /** Runs don't end before what this gives is called. */
    block: () => {
      const gate = Promise.withResolvers<unknown>();
      blocked = gate.promise.then(() => undefined);
      return () => gate.resolve(undefined);
    },
  };
}

function start(
  controllers: Type<object>[],
  options: Partial<TasksModuleOptions> = {},
  imports: ModuleMetadata['imports'] = [SchedulesModule],
): Promise<TestApp> {
  return startApp({ controllers, imports }, { ...EMBEDDED, ...options });
}

/** Resolves once the app has made its jobs. */
async function made({ app }: TestApp, count = 1): Promise<CloudSchedulerApi> {
  const api = scheduler(app);
  for (;;) {
    const { jobs } = await api.listJobs({ parent: LOCATION });
    if (jobs.length === count) return api;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function scheduler(app: INestApplication): CloudSchedulerApi {
  const { api } = app.get<{ readonly api: CloudSchedulerApi }>(QueueBackend);
  return api;
}

async function tick(
  { app, url }: TestApp,
  name: string,
  how: { time?: string; email?: string } = {},
) {
  const { time, email = 'tasks@local' } = how;
  const token = await app.get(QueueBackend).idToken({ email, audience: url });
  const response = await fetch(`${url}/_cron/${name}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      ...(time === undefined ? {} : { 'X-CloudScheduler-ScheduleTime': time }),
    },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe('a handler with a schedule', () => {
  test('gets a job in the embedded engine, whose ticks make its tasks', async () => {
    const { Nightly, runs, next } = scheduled('0 3 * * *', {
      name: 'nightly',
      timeZone: 'America/Los_Angeles',
      description: 'Every night.',
      payload: { olderThan: '30d' },
      retry: { retryCount: 5, minBackoff: '10s' },
      attemptDeadline: '1m',
    });
    const app = await start([Nightly]);
    const api = await made(app);
    const name = `${LOCATION}/jobs/nightly`;
    expect(await api.getJob({ name })).toMatchObject({
      schedule: '0 3 * * *',
      timeZone: 'America/Los_Angeles',
      description: 'Every night. [nest-cloud-tasks]',
      httpTarget: {
        uri: `${app.url}/_cron/nightly`,
        httpMethod: 'POST',
        oidcToken: { serviceAccountEmail: 'tasks@local', audience: app.url },
      },
      retryConfig: { retryCount: 5, minBackoffDuration: 10_000_000 },
      attemptDeadline: 60_000_000,
    });
    const ran = next();
    await api.runJob({ name });
    await ran;
    expect(runs).toHaveLength(1);
    expect(runs[0]?.body).toEqual({ olderThan: '30d' });
    expect(runs[0]?.task.taskId).toMatch(/^cron-nightly-\d{8}T\d{6}Z$/);
  });

  test('is named by its class and method where nothing else is said', async () => {
    const { Nightly } = scheduled('every 5 minutes', {});
    const app = await start([Nightly]);
    const api = await made(app);
    expect(await api.getJob({ name: `${LOCATION}/jobs/Nightly-clean` })).toMatchObject({
      schedule: 'every 5 minutes',
      retryConfig: { retryCount: 3 },
    });
  });

  test('makes one task of a tick that comes twice, and one each of others', async () => {
    const { Nightly } = scheduled('0 3 * * *');
    const app = await start([Nightly]);
    const time = '2026-01-01T03:00:00Z';
    const first = await tick(app, 'nightly', { time });
    const again = await tick(app, 'nightly', { time });
    const other = await tick(app, 'nightly', { time: '2026-01-02T03:00:00Z' });
    expect([first.status, again.status, other.status]).toEqual([202, 202, 202]);
    expect(again.json).toMatchObject({ name: first.json['name'], duplicate: true });
    expect(other.json['name']).not.toBe(first.json['name']);
  });

  test('leaves a tick out while the task of the one before has not ended', async () => {
    const { Nightly, runs, next, block } = scheduled('0 3 * * *', {
      name: 'nightly',
      overlap: 'skip',
    });
    const unblock = block();
    const app = await start([Nightly], { store: 'memory:' });
    const ran = next();
    const first = await tick(app, 'nightly', { time: '2026-01-01T03:00:00Z' });
    await ran;
    const second = await tick(app, 'nightly', { time: '2026-01-02T03:00:00Z' });
    expect(second).toMatchObject({
      status: 202,
      json: { skipped: `${String(first.json['name'])} hasn't ended` },
    });
    unblock();
    for (;;) {
      const ranAgain = await tick(app, 'nightly', { time: '2026-01-03T03:00:00Z' });
      if (ranAgain.json['name'] !== undefined) break;
    }
    expect(app.log.text).toContain('Left out a tick of nightly');
    expect(runs.length).toBeLessThanOrEqual(2);
  });
});

describe('ticks are taken from nobody else:', () => {
  test('no token, another account, another audience, another method, no such schedule', async () => {
    const { Nightly, runs } = scheduled('0 3 * * *');
    const app = await start([Nightly]);
    const post = (headers: Record<string, string> = {}) =>
      fetch(`${app.url}/_cron/nightly`, { method: 'POST', headers });
    expect((await post()).status).toBe(401);
    expect((await post({ 'X-CloudScheduler': 'true', 'X-Appengine-Cron': 'true' })).status).toBe(
      401,
    );
    expect((await tick(app, 'nightly', { email: 'other@local' })).status).toBe(403);
    const token = await app.app.get(QueueBackend).idToken({ email: 'tasks@local', audience: 'x' });
    expect((await post({ Authorization: `Bearer ${token}` })).status).toBe(401);
    const get = await fetch(`${app.url}/_cron/nightly`, {
      headers: { 'X-Appengine-Cron': 'true' },
    });
    expect(get.status).toBe(404);
    expect((await tick(app, 'weekly')).status).toBe(404);
    expect((await tick(app, '__proto__')).status).toBe(404);
    expect(runs).toEqual([]);
    expect(app.log.text).not.toContain(token);
  });
});

describe('on App Engine', () => {
  const onAppEngine = {
    backend: 'google' as const,
    emulatorHost: '127.0.0.1:1',
    project: 'demo',
    serviceUrl: 'https://demo.appspot.com',
    serviceAccount: 'demo@appspot.gserviceaccount.com',
    engine: undefined,
  };

  test('cron.yaml is served by GET with its header, and by nothing else', async () => {
    process.env['GAE_ENV'] = 'standard';
    try {
      const { Nightly } = scheduled('0 3 * * *');
      const { url } = await start([Nightly], onAppEngine);
      const get = (headers: Record<string, string> = {}) =>
        fetch(`${url}/_cron/nightly`, { headers }).then(({ status }) => status);
      expect(await get()).toBe(403);
      expect(await get({ 'X-Appengine-Cron': 'false' })).toBe(403);
      expect(await get({ 'X-CloudScheduler': 'true' })).toBe(403);
      const headers = { 'X-Appengine-Cron': 'true' };
      const post = await fetch(`${url}/_cron/nightly`, { method: 'POST', headers });
      expect(post.status).toBe(404);
      const unknown = await fetch(`${url}/_cron/weekly`, { headers });
      expect(unknown.status).toBe(404);
    } finally {
      delete process.env['GAE_ENV'];
    }
  });
});

describe('a start makes the jobs what the app says:', () => {
  const engine = { dataDir: folder, port: 0, thread: 'same' as const };

  test('what has changed is updated, what is gone deleted, what is paused stays so', async () => {
    const kept = scheduled('0 3 * * *');
    const second = await start([kept.Nightly], { engine });
    const api = await made(second);
    await api.createJob({
      parent: LOCATION,
      job: {
        name: `${LOCATION}/jobs/other`,
        schedule: '* * * * *',
        httpTarget: { uri: 'http://127.0.0.1:9/' },
      },
    });
    await api.createJob({
      parent: LOCATION,
      job: {
        name: `${LOCATION}/jobs/gone`,
        description: 'Of before. [nest-cloud-tasks]',
        schedule: '* * * * *',
        httpTarget: { uri: 'http://127.0.0.1:9/' },
      },
    });
    await api.pauseJob({ name: `${LOCATION}/jobs/nightly` });
    await closeApps();

    const third = await start([scheduled('5 3 * * *').Nightly], { engine });
    const after = await made(third, 2);
    for (;;) {
      const { jobs } = await after.listJobs({ parent: LOCATION });
      const [nightly, other] = jobs;
      if (nightly?.schedule !== '5 3 * * *') continue;
      expect(nightly).toMatchObject({ state: 'PAUSED' });
      expect(other?.name).toMatch(/other$/);
      break;
    }
    expect(third.log.text).toMatch(/Schedule nightly updated: .*'0 3 \* \* \*' -> '5 3 \* \* \*'/);
    expect(third.log.text).toContain('Schedule gone deleted.');
    expect(third.log.text).toContain('Schedule nightly is paused.');
  });
});

describe('schedules of a file', () => {
  function file(text: string): string {
    const path = join(mkdtempSync(join(tmpdir(), 'schedules-')), 'tasks.yaml');
    writeFileSync(path, text);
    return path;
  }

  test('are made for handlers by their names', async () => {
    @TaskController('tasks')
    class Jobs {
      @Task('clean') clean(@Body() _: unknown): void {}
    }
    const queuesFile = file(
      'schedules:\n  weekly:\n    schedule: every monday 09:00\n    task: clean\n    payload: { all: true }\n    queue: reports\n',
    );
    const app = await start([Jobs], { queuesFile });
    const api = await made(app);
    expect(await api.getJob({ name: `${LOCATION}/jobs/weekly` })).toMatchObject({
      schedule: 'every monday 09:00',
    });
    const { status, json } = await tick(app, 'weekly');
    expect({ status, queue: json['queue'] }).toEqual({ status: 202, queue: 'reports' });
  });

  test.each([
    [
      'six fields',
      'schedule: "0 3 * * * *"\n    task: clean',
      "tasks.yaml:3: schedules.x.schedule: Schedule '0 3 * * * *': expected 5 fields, got 6, at character 11.",
    ],
    [
      'a zone',
      'schedule: "0 3 * * *"\n    task: clean\n    timeZone: Mars/X',
      'tasks.yaml:5: schedules.x.timeZone: Time zone',
    ],
    [
      'no such handler',
      'schedule: "0 3 * * *"\n    task: cleam',
      "no handler is called 'cleam'; did you mean 'clean'?",
    ],
    [
      'an unknown key',
      'schedule: "0 3 * * *"\n    task: clean\n    timezone: UTC',
      'did you mean timeZone?',
    ],
    ['no task', 'schedule: "0 3 * * *"', 'expected a schedule with the task that it makes'],
    [
      'a wrong unit',
      'schedule: "0 3 * * *"\n    task: clean\n    attemptDeadline: 60',
      "expected from '15s' to '30m', got 60",
    ],
  ])('%s is refused with its place', async (_, text, message) => {
    @TaskController('tasks')
    class Jobs {
      @Task('clean') clean(@Body() _: unknown): void {}
    }
    const queuesFile = file(`schedules:\n  x:\n    ${text}\n`);
    await expect(start([Jobs], { queuesFile })).rejects.toThrow(message);
  });
});

describe('what can not work is refused at the start:', () => {
  test.each<[string, string, ScheduleOptions, string]>([
    ['six fields', '* * * * * *', {}, 'expected 5 fields, got 6, at character 11'],
    ['a time zone', '* * * * *', { timeZone: 'Mars/X' }, "Time zone 'Mars/X' is not known"],
    ['a name', '* * * * *', { name: 'a b' }, 'name: expected a name of 1 to 500 letters'],
    ['an unknown option', '* * * * *', { timezone: 'UTC' } as object, 'did you mean timeZone?'],
    [
      'retries',
      '* * * * *',
      { retry: { retryCount: 6 } },
      'expected a whole number from 0 to 5, got 6',
    ],
  ])('%s', async (_, schedule, options, message) => {
    const { Nightly } = scheduled(schedule, options);
    const error: unknown = await start([Nightly]).catch((reason: unknown) => reason);
    expect(String(error)).toContain('@Schedule of Nightly.clean');
    expect(String(error)).toContain(message);
  });

  test('two of one name, a method without @Task, a skip without a store, no SchedulesModule', async () => {
    @TaskController('a')
    class Twice {
      @Schedule('* * * * *', { name: 'same' })
      @Schedule('0 * * * *', { name: 'same' })
      @Task('a')
      a(): void {}

      @Schedule('* * * * *')
      b(): void {}
    }
    const error: unknown = await start([Twice]).catch((reason: unknown) => reason);
    expect(String(error)).toContain('the name same is taken by @Schedule of Twice.a');
    expect(String(error)).toContain('@Schedule of Twice.b: the method has no @Task');
    const { Nightly } = scheduled('* * * * *');
    await expect(start([Nightly], {}, [])).rejects.toThrow('import SchedulesModule in the app');
  });
});
