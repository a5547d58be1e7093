/** The options of tasks: their levels, their checks, and what becomes of them in the queue. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { CloudTasksApi, Task as TaskResource } from '../../../src/engine/cloud-tasks-api.js';
import { DAY, MILLISECOND, MINUTE, SECOND } from '../../../src/engine/time.js';
import { CLOCK, CLOUD_TASKS } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import { idOf } from '../../../src/modules/tasks/calls/task-id.js';
import type { TaskOptions } from '../../../src/modules/tasks/task-options.js';
import type { TaskRef, Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

const ran = Promise.withResolvers<string>();

@TaskController('plain')
class Plain {
  @Task('x') async x(@Body() _body: object, @TaskInfo() task: TaskContext): Promise<void> {
    ran.resolve(task.taskId);
  }
}

@TaskController('options', {
  queue: 'of-controller',
  dispatchDeadline: '20s',
  headers: { 'X-Level': 'controller', 'X-Controller': 'yes' },
})
class Levels {
  @Task('inherits') async inherits(@Body() _body: object): Promise<void> {}

  @Task('own', {
    queue: 'of-task',
    dispatchDeadline: '30s',
    countdown: '1h',
    headers: { 'x-level': 'task' },
  })
  async own(@Body() _body: object): Promise<void> {}

  @Task('once', { taskId: { window: '9d', byPayload: true }, onDuplicate: 'ignore' })
  async once(@Body() _body: object): Promise<void> {}

  @Task('app-engine', { target: { service: 'worker' } })
  async appEngine(@Body() _body: object): Promise<void> {}
}

let api: CloudTasksApi;
let plain: Tasks<Plain>;
let levels: Tasks<Levels>;
let now: () => number;

beforeAll(async () => {
  const { app } = await startApp(
    { controllers: [Plain, Levels] },
    {
      ...EMBEDDED,
      project: 'demo',
      location: 'europe-west1',
      queue: 'of-root',
      countdown: '1d',
      dispatchDeadline: '15s',
      headers: { 'X-Level': 'root', 'X-Root': 'yes' },
      serviceAccount: 'handlers@demo.example',
      auth: { audience: 'one audience' },
    },
  );
  api = app.get<CloudTasksApi>(CLOUD_TASKS);
  plain = app.get(tasksToken(Plain));
  levels = app.get(tasksToken(Levels));
  const clock = app.get<{ now(): number }>(CLOCK);
  now = () => clock.now();
});
afterAll(closeApps);

async function created(ref: Promise<TaskRef>): Promise<TaskResource> {
  return api.getTask({ name: (await ref).name, responseView: 'FULL' });
}

describe('precedence', () => {
  test('forRoot gives what nobody else does', async () => {
    const ref = await plain.x.delay({ a: 1 });
    expect(ref.name).toMatch(/^projects\/demo\/locations\/europe-west1\/queues\/of-root\/tasks\//);
    expect(ref.queue).toBe('of-root');
    const task = await api.getTask({ name: ref.name, responseView: 'FULL' });
    expect(ref.scheduleTime).toEqual(new Date(task.scheduleTime / MILLISECOND));
    expect(Math.abs(task.scheduleTime - DAY - now())).toBeLessThan(5 * SECOND);
    expect(task.dispatchDeadline).toBe(15 * SECOND);
    expect(task.httpRequest).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/plain\/x$/),
      httpMethod: 'POST',
      oidcToken: { serviceAccountEmail: 'handlers@demo.example', audience: 'one audience' },
      headers: {
        'x-level': 'root',
        'x-root': 'yes',
        'content-type': 'application/json',
        'X-Tasks-Deadline': '15000',
      },
    });
    expect(new TextDecoder().decode(task.httpRequest?.body)).toBe('{"a":1}');
  });

  test('the controller beats forRoot', async () => {
    const task = await created(levels.inherits.delay({}));
    expect(task.name).toContain('/queues/of-controller/');
    expect(task.dispatchDeadline).toBe(20 * SECOND);
    expect(task.httpRequest?.headers).toMatchObject({
      'x-level': 'controller',
      'x-controller': 'yes',
      'x-root': 'yes',
    });
  });

  test('the task beats its controller', async () => {
    const task = await created(levels.own.delay({}));
    expect(task.name).toContain('/queues/of-task/');
    expect(task.dispatchDeadline).toBe(30 * SECOND);
    expect(Math.abs(task.scheduleTime - 60 * MINUTE - now())).toBeLessThan(5 * SECOND);
    expect(task.httpRequest?.headers).toMatchObject({ 'x-level': 'task', 'x-controller': 'yes' });
  });

  test('.options beats all, an instant the countdown too', async () => {
    const scheduleTime = new Date(Date.now() + 3_600_000);
    const options: TaskOptions = {
      queue: 'of-root',
      dispatchDeadline: '30m',
      scheduleTime,
      headers: { 'X-LEVEL': 'call' },
    };
    const task = await created(levels.own.options(options).delay({}));
    expect(task.name).toContain('/queues/of-root/');
    expect(task.dispatchDeadline).toBe(30 * MINUTE);
    expect(task.scheduleTime).toBe(scheduleTime.getTime() * MILLISECOND);
    expect(task.httpRequest?.headers).toMatchObject({ 'x-level': 'call', 'x-root': 'yes' });
  });

  test('undefined says nothing', async () => {
    const task = await created(levels.own.options({ queue: undefined }).delay({}));
    expect(task.name).toContain('/queues/of-task/');
  });

  test('a target may be App Engine', async () => {
    const task = await created(levels.appEngine.delay({}));
    expect(task.httpRequest).toBeUndefined();
    expect(task.appEngineHttpRequest).toMatchObject({
      relativeUri: '/options/app-engine',
      httpMethod: 'POST',
      appEngineRouting: { service: 'worker' },
      headers: { 'content-type': 'application/json', 'X-Tasks-Deadline': '20000' },
    });
    const http = await created(levels.appEngine.options({ target: 'http' }).delay({}));
    expect(http.httpRequest?.url).toContain('/options/app-engine');
  });
});

describe('taskId', () => {
  const later = { countdown: '1h' } as const;

  test('that is legal stays as it is, and is used once', async () => {
    const ref = await plain.x.options({ ...later, taskId: 'welcome-42' }).delay({});
    expect(ref.taskId).toBe('welcome-42');
    expect(ref.name).toMatch(/\/tasks\/welcome-42$/);
    await expect(
      plain.x.options({ ...later, taskId: 'welcome-42' }).delay({}),
    ).rejects.toMatchObject({ name: 'CloudTasksError', code: 'ALREADY_EXISTS' });
  });

  test.each(['a b', 'mail/ada@example.com', 'ü', 'x'.repeat(501)])(
    'that is not is hashed, always the same: %s',
    async (taskId) => {
      const ref = await plain.x.options({ ...later, taskId }).delay({});
      expect(ref.taskId).toBe(createHash('sha256').update(taskId).digest('hex'));
      await expect(plain.x.options({ ...later, taskId }).delay({})).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
      });
    },
  );
});

describe('a rule for ids', () => {
  const later = { countdown: '1h' } as const;
  // So long that no test sees two of them.
  const window = '9d';

  test('makes one task of all calls in a window', async () => {
    const calls = plain.x.options({ ...later, taskId: { window } });
    const { taskId } = await calls.delay({ a: 1 });
    expect(taskId).toMatch(/^[0-9a-f]{64}$/);
    await expect(calls.delay({ a: 2 })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    // Another handler's calls are others.
    expect((await levels.own.options({ taskId: { window } }).delay({})).taskId).not.toBe(taskId);
  });

  test('makes one task of all calls in a window that have the same payload', async () => {
    const taskId = { window, byPayload: true } as const;
    const calls = plain.x.options({ ...later, taskId, onDuplicate: 'ignore' });
    const first = await calls.delay({ a: 1, b: [{ c: 2, d: 3 }] });
    expect(first.duplicate).toBeUndefined();
    expect(await calls.delay({ b: [{ d: 3, c: 2 }], a: 1 })).toMatchObject({
      name: first.name,
      taskId: first.taskId,
      duplicate: true,
    });
    expect((await calls.delay({ a: 2, b: [] })).duplicate).toBeUndefined();
  });

  test('makes one task of one payload, whenever it comes', async () => {
    const calls = plain.x.options({ ...later, taskId: { byPayload: true } });
    const refs = await Promise.all([calls.delay({ p: 1 }), calls.delay({ p: 2 })]);
    expect(new Set(refs.map(({ taskId }) => taskId)).size).toBe(2);
    await expect(calls.delay({ p: 1 })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('begins a new window on time, the same for every process', () => {
    const call = { callee: 'POST /x', path: '/x', headers: new Map<string, string>() };
    const rule = { window: 10 * MINUTE, byPayload: false };
    const at = (time: string) => idOf(rule, call, Date.parse(time) * MILLISECOND);
    expect(at('2026-01-01T00:10:00Z')).toBe(at('2026-01-01T00:19:59Z'));
    expect(at('2026-01-01T00:10:00Z')).not.toBe(at('2026-01-01T00:20:00Z'));
  });

  test('may be a default of a handler, where a text may not', async () => {
    const first = await levels.once.options(later).delay({ a: 1 });
    expect(await levels.once.options(later).delay({ a: 1 })).toEqual({
      ...first,
      scheduleTime: expect.any(Date),
      duplicate: true,
    });
    expect(() => TaskController('x', { taskId: 'one' } as object)(Plain)).toThrow(
      "@TaskController of Plain: taskId: expected { window, byPayload } for many tasks, got 'one'.",
    );
  });
});

describe('an ID token', () => {
  test('may be for others', async () => {
    const oidc = { serviceAccountEmail: 'other@demo.example', audience: 'https://other.example' };
    const task = await created(plain.x.options({ oidc }).delay({}));
    expect(task.httpRequest?.oidcToken).toEqual(oidc);
  });

  test('keeps its account where only the audience is said', async () => {
    const task = await created(plain.x.options({ oidc: { audience: 'a' } }).delay({}));
    expect(task.httpRequest?.oidcToken).toEqual({
      serviceAccountEmail: 'handlers@demo.example',
      audience: 'a',
    });
  });
});

describe('a task that is there', () => {
  const later = { countdown: '1h' } as const;

  test('is cancelled by its id, once', async () => {
    const { name } = await plain.x.options({ ...later, taskId: 'mail to Ada' }).delay({});
    expect(await plain.x.cancel('mail to Ada')).toBe(true);
    await expect(api.getTask({ name })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await plain.x.cancel('mail to Ada')).toBe(false);
  });

  test('is cancelled by what its create answered, or its name, in whatever queue', async () => {
    const calls = plain.x.options({ ...later, queue: 'of-task' });
    expect(await plain.x.cancel(await calls.delay({}))).toBe(true);
    expect(await plain.x.cancel((await calls.delay({})).name)).toBe(true);
    const { taskId } = await calls.delay({});
    expect(await plain.x.cancel(taskId)).toBe(false);
    expect(await calls.cancel(taskId)).toBe(true);
  });

  test('is attempted now', async () => {
    const { taskId } = await plain.x.options(later).delay({});
    await plain.x.runNow(taskId);
    expect(await ran.promise).toBe(taskId);
    await expect(plain.x.runNow('never was')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([undefined, 7, {}, '', { window: '1m' }])('but not by %j', async (task) => {
    await expect(plain.x.cancel(task as string)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: expect.stringMatching(/^(taskId|window)$/),
    });
  });
});

test('a queue that is not there is NOT_FOUND', async () => {
  await expect(plain.x.options({ queue: 'nowhere' }).delay({})).rejects.toMatchObject({
    name: 'CloudTasksError',
    code: 'NOT_FOUND',
  });
});

describe('refused before anything is sent', () => {
  test.each<[field: string, options: unknown, message: string | RegExp]>([
    ['quue', { quue: 'x' }, "Unknown option 'quue' of a task; did you mean 'queue'?"],
    ['delay', { delay: '5s' }, /^Unknown option 'delay' of a task; known are queue, countdown/],
    [
      'countdown',
      { countdown: 30 },
      "countdown: expected a number with its unit, got 30; write '30s' or '30m'.",
    ],
    ['countdown', { countdown: '30' }, /^countdown: expected a duration such as .* got '30'\.$/],
    ['countdown', { countdown: '-1s' }, /got '-1s'/],
    ['countdown', { countdown: '1.5h' }, /got '1\.5h'/],
    ['countdown', { countdown: '1e3s' }, /got '1e3s'/],
    ['countdown', { countdown: '31d' }, "countdown: expected at most '30d', got '31d'."],
    ['countdown', { countdown: null }, /got object/],
    ['scheduleTime', { countdown: '1s', scheduleTime: new Date() }, /not both/],
    ['scheduleTime', { scheduleTime: new Date(NaN) }, /expected a valid Date/],
    ['scheduleTime', { scheduleTime: '2030-01-01' }, /expected a valid Date, got string/],
    ['scheduleTime', { scheduleTime: new Date(Date.now() + 31 * 86_400_000) }, /at most 30 days/],
    ['dispatchDeadline', { dispatchDeadline: '14s' }, /got '14s'/],
    ['dispatchDeadline', { dispatchDeadline: '31m' }, /at most '30m' for an HTTP target/],
    ['dispatchDeadline', { dispatchDeadline: '25h', target: 'app-engine' }, /got '25h'/],
    ['queue', { queue: '../x' }, /1 to 88 letters/],
    ['queue', { queue: '' }, /1 to 88 letters/],
    ['queue', { queue: 'q'.repeat(101) }, /1 to 88 letters/],
    ['queue', { queue: 7 }, /got number/],
    ['taskId', { taskId: '' }, /one or more characters/],
    ['taskId', { taskId: '\ud800' }, /one or more characters/],
    ['taskId', { taskId: 7 }, /got number/],
    ['taskId', { taskId: {} }, "taskId: expected a window such as '10m'."],
    ['windw', { taskId: { windw: '1m' } }, /of taskId; did you mean 'window'\?/],
    ['taskId.window', { taskId: { window: 600 } }, /expected a number with its unit/],
    ['taskId.window', { taskId: { window: '10d' } }, /expected '1s' to '9d', got '10d'/],
    ['taskId.byPayload', { taskId: { window: '1m', byPayload: 1 } }, /true or false/],
    [
      'onDuplicate',
      { onDuplicate: 'skip' },
      "onDuplicate: expected 'error' or 'ignore', got 'skip'.",
    ],
    ['createTimeout', { createTimeout: '30s' }, /expected '1ms' to '20s', got '30s'/],
    ['createTimeout', { createTimeout: 5 }, /write '5s'/],
    ['oauth', { oauth: {} }, /a handler takes an ID token/],
    ['oauth', { oauth: {}, oidc: {} }, /not both/],
    ['aud', { oidc: { aud: 'x' } }, /Unknown option 'aud' of oidc/],
    ['oidc.audience', { oidc: { audience: 'a b' } }, /visible ASCII/],
    ['oidc.serviceAccountEmail', { oidc: { serviceAccountEmail: 'ada' } }, /e-mail address/],
    ['headers', { headers: { Host: 'x' } }, /'Host' is set by the sender/],
    ['headers', { headers: { 'X-CloudTasks-TaskName': 'x' } }, /set by the sender/],
    ['headers', { headers: { 'x-tasks-deadline': '1' } }, /set by the sender/],
    ['headers', { headers: { 'a b': 'x' } }, /no name of a header/],
    ['headers', { headers: { a: 'x\r\ny' } }, /visible ASCII/],
    ['headers', { headers: { a: 'x', A: 'y' } }, /comes twice/],
    ['headers', { headers: { a: 1 } }, /visible ASCII/],
    ['headers', { headers: 'a: b' }, /expected an object/],
    ['target', { target: 'gke' }, /expected 'http', 'app-engine'/],
    ['target.service', { target: { service: 'A b' } }, /lower-case/],
    ['vers', { target: { vers: '1' } }, /Unknown option 'vers' of a target/],
  ])('%s: %j', async (field, options, message) => {
    const error: unknown = await (async () =>
      plain.x.options(options as TaskOptions).delay({}))().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'CloudTasksError', code: 'INVALID_ARGUMENT', field });
    const [, text = ''] = /^Plain\.x: (.*)$/.exec((error as Error).message) ?? [];
    if (typeof message === 'string') expect(text).toBe(message);
    else expect(text).toMatch(message);
  });
});
