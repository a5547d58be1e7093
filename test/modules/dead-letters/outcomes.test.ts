// What each outcome of a handler does, seen at the real engine's end.
import type {
  CallHandler,
  ExecutionContext,
  INestApplication,
  NestInterceptor,
} from '@nestjs/common';
import {
  Body,
  Catch,
  ConflictException,
  ForbiddenException,
  HttpException,
  NotFoundException,
  ServiceUnavailableException,
  ValidationPipe,
} from '@nestjs/common';
import { afterEach, expect, test } from '@jest/globals';
import { IsEmail } from 'class-validator';
import type { Response } from 'express';
import { catchError, of } from 'rxjs';
import type { CloudTasksApi, Task as StoredTask } from '../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS, QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import type { DeadLetter } from '../../../src/modules/dead-letters/dead-letter.js';
import type { EndedAttempt } from '../../../src/modules/dead-letters/outcomes.js';
import { Outcomes } from '../../../src/modules/dead-letters/outcomes.js';
import {
  PermanentFailure,
  RetryLater,
} from '../../../src/modules/dead-letters/handler-failures.js';
import type { TaskContext } from '../../../src/modules/tasks/task-context.js';
import { TaskContext as Context } from '../../../src/modules/tasks/task-context.js';
import { Task, TaskController } from '../../../src/modules/tasks/task-decorators.js';
import { TaskInfo } from '../../../src/modules/tasks/attempts/task-info.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

afterEach(closeApps);

class Mail {
  @IsEmail() to!: string;
}

/** What the handler does at its nth call. */
let act: (call: number, task: Context) => unknown = () => undefined;
let calls: Context[] = [];

@TaskController('tasks', { queue: 'mail' })
class MailTasks {
  @Task('send', { maxAttempts: 3, aliases: ['send-mail'] })
  send(@Body() _mail: Mail, @TaskInfo() task: TaskContext): unknown {
    calls.push(task);
    return act(calls.length, task);
  }
}

interface Running {
  readonly app: INestApplication;
  readonly tasks: Tasks<MailTasks>;
  readonly api: CloudTasksApi;
  readonly letters: DeadLetters;
  /** The outcomes so far, and a promise of the nth. */
  readonly ended: EndedAttempt[];
  readonly until: (count: number) => Promise<EndedAttempt[]>;
  readonly left: (queue?: string) => Promise<StoredTask[]>;
  readonly parked: () => Promise<DeadLetter[]>;
}

async function start(
  prepare: (app: INestApplication) => void = () => undefined,
  options: Partial<typeof EMBEDDED> & { maxAttempts?: number } = {},
): Promise<Running> {
  calls = [];
  const { app } = await startApp(
    { controllers: [MailTasks] },
    { ...EMBEDDED, ...options },
    prepare,
  );
  const api = app.get<CloudTasksApi>(CLOUD_TASKS);
  const backend = app.get(QueueBackend);
  const letters = app.get(DeadLetters);
  const ended: EndedAttempt[] = [];
  const waiting = new Set<() => void>();
  app.get(Outcomes).listen((attempt) => {
    ended.push(attempt);
    waiting.forEach((look) => look());
  });
  // Tried again at once, so that tests needn't wait.
  await api.updateQueue({
    queue: {
      name: backend.queueName('mail'),
      retryConfig: { maxAttempts: -1, minBackoff: 1000, maxBackoff: 1000 },
    },
    updateMask: ['retryConfig'],
  });
  return {
    app,
    api,
    letters,
    ended,
    tasks: app.get<Tasks<MailTasks>>(tasksToken(MailTasks), { strict: false }),
    until: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (ended.length >= count) resolve(ended);
        };
        waiting.add(look);
        look();
      }),
    left: async (queue = 'mail') =>
      (await api.listTasks({ parent: backend.queueName(queue), responseView: 'FULL' })).tasks,
    parked: async () => {
      const found: DeadLetter[] = [];
      for await (const letter of letters.list()) found.push(letter);
      return found;
    },
  };
}

const MAIL = { to: 'a@example.com' };

test('what returns is done', async () => {
  const { tasks, until, parked } = await start();
  act = () => 'sent';
  await tasks.send.delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['succeeded']);
  expect(await parked()).toEqual([]);
});

test('PermanentFailure parks at once, with its reason, headers, path and body', async () => {
  const { tasks, until, parked, letters } = await start();
  act = () => {
    throw new PermanentFailure('no such mailbox');
  };
  const { taskId } = await tasks.send.options({ headers: { 'X-Trace': '7' } }).delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['dead-lettered']);
  const [letter] = await parked();
  expect(letter).toMatchObject({
    reason: 'permanent',
    message: 'no such mailbox',
    attempts: 1,
    queue: 'mail',
    taskId,
    method: 'POST',
    url: expect.stringMatching(/\/tasks\/send$/),
  });
  const shown = await letters.show(taskId);
  expect(Buffer.from(shown.body).toString()).toBe(JSON.stringify(MAIL));
  expect(shown.headers).toMatchObject({ 'x-trace': '7' });
});

test('an HttpException of 4xx parks at once', async () => {
  const { tasks, until, parked } = await start();
  act = () => {
    throw new NotFoundException('no user 7');
  };
  await tasks.send.delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['dead-lettered']);
  expect(await parked()).toMatchObject([{ reason: 'refused', message: '404: no user 7' }]);
});

test('a failed validation parks at once', async () => {
  const { api, app, until, parked } = await start((app) =>
    app.useGlobalPipes(new ValidationPipe()),
  );
  const headers = { 'Content-Type': 'application/json' };
  await create(app, api, { body: '{"to":"nobody"}', headers });
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['dead-lettered']);
  expect(await parked()).toMatchObject([
    { reason: 'refused', message: '400: to must be an email' },
  ]);
  expect(calls).toEqual([]);
});

test('a body that is no JSON parks at once', async () => {
  const { api, app, until, parked } = await start();
  await create(app, api, { body: '{"to":', headers: { 'Content-Type': 'application/json' } });
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['dead-lettered']);
  expect(await parked()).toMatchObject([{ reason: 'unreadable', attempts: 1 }]);
  expect(calls).toEqual([]);
});

test('RetryLater makes a successor, due no sooner than asked, whose attempts count on', async () => {
  const { tasks, until, left } = await start();
  const before = Date.now();
  act = () => {
    throw new RetryLater({ after: '30m' });
  };
  await tasks.send.delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['rescheduled']);
  const next = successorIn(await left());
  expect(next?.scheduleTime).toBeGreaterThanOrEqual((before + 30 * 60_000) * 1000);
  expect(next?.httpRequest?.headers).toMatchObject({
    'X-Tasks-Hop': '1',
    'X-Tasks-Earlier-Attempts': '1',
  });
  expect(Buffer.from(next?.httpRequest?.body ?? []).toString()).toBe(JSON.stringify(MAIL));
});

test('what can neither be parked nor tried later stays where it is, and is tried again', async () => {
  const { app, api, tasks, until, parked } = await start();
  const graveyard = app.get(QueueBackend).queueName('mail-dead-letter');
  await api.deleteQueue({ name: graveyard });
  act = (call) => {
    if (call === 1) throw new PermanentFailure('no such mailbox');
  };
  await tasks.send.delay(MAIL);
  const ended = await until(2);
  expect(ended.map(({ kind }) => kind)).toEqual(['failed', 'succeeded']);
  expect(calls.map(({ retryCount }) => retryCount)).toEqual([0, 1]);
  expect(await parked()).toEqual([]);
});

test('retryCount counts on over successors, and the last of maxAttempts parks', async () => {
  const { tasks, until, parked } = await start();
  act = (call) => {
    if (call === 2) throw new Error('lost connection');
    throw new RetryLater({ after: '1ms' });
  };
  await tasks.send.delay(MAIL);
  const ended = await until(3);
  expect(ended.map(({ kind }) => kind)).toEqual(['rescheduled', 'failed', 'dead-lettered']);
  expect(calls.map(({ retryCount }) => retryCount)).toEqual([0, 1, 2]);
  expect(await parked()).toMatchObject([
    { reason: 'exhausted', attempts: 3, lineage: { hop: 1, redrive: 0 } },
  ]);
});

test.each([503, 429, 408, 425])('%d with Retry-After is tried later', async (status) => {
  const { tasks, until, left } = await start((app) => app.useGlobalFilters(new RetryAfterFilter()));
  act = () => {
    throw new HttpException('busy', status);
  };
  const before = Date.now();
  await tasks.send.delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['rescheduled']);
  const next = successorIn(await left());
  expect(next?.scheduleTime).toBeGreaterThanOrEqual((before + 120_000) * 1000);
});

@Catch()
class RetryAfterFilter {
  catch(error: HttpException, host: { switchToHttp(): { getResponse(): Response } }): void {
    host.switchToHttp().getResponse().status(error.getStatus()).set('Retry-After', '120').end();
  }
}

test.each([
  ['an error', () => new Error('down')],
  ['503 without Retry-After', () => new ServiceUnavailableException()],
  ['409', () => new ConflictException()],
  ['423', () => new HttpException('locked', 423)],
  ['429', () => new HttpException('busy', 429)],
])('%s is left to the queue', async (_, error) => {
  const { tasks, until, parked } = await start();
  act = (call) => {
    if (call === 1) throw error();
  };
  await tasks.send.delay(MAIL);
  expect((await until(2)).map(({ kind }) => kind)).toEqual(['failed', 'succeeded']);
  expect(calls[1]).toMatchObject({ retryCount: 1, previousResponse: 500 });
  expect(await parked()).toEqual([]);
});

test('a filter of the app that answers 200 hides no failure, and is asked all the same', async () => {
  const seen: unknown[] = [];
  @Catch()
  class Forgiving {
    catch(error: unknown, host: { switchToHttp(): { getResponse(): Response } }): void {
      seen.push(error);
      host.switchToHttp().getResponse().status(200).json({ ok: true });
    }
  }
  const { tasks, until, parked } = await start((app) => app.useGlobalFilters(new Forgiving()));
  act = (call) => {
    throw call === 1 ? new Error('down') : new PermanentFailure('gone');
  };
  await tasks.send.delay(MAIL);
  expect((await until(2)).map(({ kind }) => kind)).toEqual(['failed', 'dead-lettered']);
  expect(seen).toMatchObject([{ message: 'down' }, { message: 'gone' }]);
  expect(await parked()).toMatchObject([{ reason: 'permanent', message: 'gone' }]);
});

test('an interceptor of the app that swallows errors hides no failure', async () => {
  class Swallowing implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler) {
      return next.handle().pipe(catchError(() => of('fine')));
    }
  }
  const { tasks, until, parked } = await start((app) =>
    app.useGlobalInterceptors(new Swallowing()),
  );
  act = () => {
    throw new PermanentFailure('gone');
  };
  await tasks.send.delay(MAIL);
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['dead-lettered']);
  expect(await parked()).toHaveLength(1);
});

test('what a guard throws counts like what a handler throws, but its 403 is left to the queue', async () => {
  let guarded = 0;
  const errors = [new ForbiddenException(), new Error('directory down'), new PermanentFailure('x')];
  const { tasks, until, parked } = await start((app) =>
    app.useGlobalGuards({
      canActivate: () => {
        throw errors[guarded++] ?? new Error('not reached');
      },
    }),
  );
  await tasks.send.options({ maxAttempts: 5 }).delay(MAIL);
  expect((await until(3)).map(({ kind }) => kind)).toEqual(['failed', 'failed', 'dead-lettered']);
  expect(await parked()).toMatchObject([{ reason: 'permanent', attempts: 3 }]);
  expect(calls).toEqual([]);
});

test('a path that no handler has is 404, and parked when the default maxAttempts is passed', async () => {
  const { api, app, until, parked } = await start(undefined, { maxAttempts: 2 });
  await create(app, api, { path: '/tasks/renamed', body: 'x'.repeat(300_000) });
  const ended = await until(2);
  expect(ended.map(({ kind }) => kind)).toEqual(['failed', 'dead-lettered']);
  expect(ended[1]?.task.previousResponse).toBe(404);
  expect(await parked()).toMatchObject([{ reason: 'unknown-path', attempts: 2 }]);
});

test('an alias leads to the handler', async () => {
  const { api, app, until } = await start();
  act = () => undefined;
  const body = JSON.stringify(MAIL);
  await create(app, api, {
    path: '/tasks/send-mail',
    body,
    headers: { 'Content-Type': 'application/json' },
  });
  expect((await until(1)).map(({ kind }) => kind)).toEqual(['succeeded']);
  expect(calls).toHaveLength(1);
});

test('the queues of handlers try for ever, since the library gives up', async () => {
  const { api, app } = await start();
  const backend = app.get(QueueBackend);
  const queue = await api.getQueue({ name: backend.queueName('default') });
  expect(queue.retryConfig.maxAttempts).toBe(-1);
  const parking = await api.getQueue({ name: backend.queueName('mail-dead-letter') });
  expect(parking).toMatchObject({ state: 'PAUSED', retryConfig: { maxAttempts: -1 } });
});

/** Told before the answer, so the task that it follows may still be there. */
function successorIn(tasks: readonly StoredTask[]): StoredTask | undefined {
  return tasks.find(({ name }) => name.endsWith('-h1'));
}

/** A task that the library hasn't made. */
async function create(
  app: INestApplication,
  api: CloudTasksApi,
  {
    path = '/tasks/send',
    body = '',
    headers = {},
  }: { path?: string; body?: string; headers?: Record<string, string> },
): Promise<StoredTask> {
  const url = await app.getUrl();
  return api.createTask({
    parent: app.get(QueueBackend).queueName('mail'),
    task: {
      httpRequest: {
        url: `${url}${path}`,
        headers,
        body: new TextEncoder().encode(body),
        oidcToken: { serviceAccountEmail: 'tasks@local', audience: url },
      },
    },
  });
}
