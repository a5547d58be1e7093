/** Hooks: in which order they are called, what they may change, what a failing one does. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Headers, Injectable, Scope } from '@nestjs/common';
import { IsString } from 'class-validator';
import type { CloudTasksApi, Task as TaskResource } from '../../../src/engine/cloud-tasks-api.js';
import {
  PermanentFailure,
  RetryLater,
} from '../../../src/modules/dead-letters/handler-failures.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { deadlineHook, headersHook } from '../../../src/modules/tasks/hooks/built-in-hooks.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { Task, TaskController, tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import type {
  TaskAttempt,
  TaskChanges,
  TaskDraft,
  TaskHook,
  TaskOutcome,
} from '../../../src/modules/tasks/hooks/task-hook.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

let calls: string[];
let received: PromiseWithResolvers<Record<string, unknown>>;
/** What the hook of `Changing` answers. */
let changes: (draft: TaskDraft) => TaskChanges | undefined;
let drafts: TaskDraft[];

@Injectable()
class Clerk {
  write(line: string): void {
    calls.push(line);
  }
}

/** A hook like any other provider: with what it needs, injected. */
@Injectable()
class Audit implements TaskHook {
  constructor(private readonly clerk: Clerk) {}

  beforeCreate({ callee, queue }: TaskDraft): undefined {
    this.clerk.write(`create ${callee} in ${queue}`);
  }

  async aroundHandler({ handler, task }: TaskAttempt, next: () => Promise<unknown>) {
    this.clerk.write(`before ${handler} of ${task.taskId}`);
    const result = await next();
    this.clerk.write(`after ${handler}: ${String(result)}`);
    return result;
  }
}

/** Tells when it is called, by its name. */
const named = (name: string): TaskHook => ({
  beforeCreate: () => void calls.push(`create ${name}`),
  aroundHandler: async (_, next) => {
    calls.push(`enter ${name}`);
    const result = await next();
    calls.push(`leave ${name}`);
    return result;
  },
});

const changing: TaskHook = {
  beforeCreate: (draft) => {
    drafts.push(draft);
    return changes(draft);
  },
};

class Note {
  @IsString() text!: string;
}

@TaskController('hooked', { hooks: [named('controller')] })
class Hooked {
  @Task('ordered', { hooks: [named('first'), named('second')] })
  async ordered(@Body() note: Note): Promise<string> {
    calls.push(`handle ${note.text}`);
    received.resolve({});
    return 'done';
  }

  @Task('audited', { hooks: [Audit] })
  async audited(): Promise<string> {
    calls.push('handle');
    received.resolve({});
    return 'done';
  }
}

@TaskController('changed')
class Changed {
  @Task('by-hook', { hooks: [changing] })
  async byHook(@Body() body: unknown, @Headers('x-note') note?: string): Promise<void> {
    received.resolve({ body, note });
  }
}

@TaskController('failing')
class Failing {
  static attempts = 0;

  @Task('around', {
    hooks: [
      {
        aroundHandler: async (_, next) =>
          Failing.attempts++ ? next() : Promise.reject(new Error('no')),
      },
    ],
  })
  async around(): Promise<void> {
    received.resolve({});
  }
}

interface Started {
  readonly app: INestApplication;
  readonly api: CloudTasksApi;
  readonly queue: string;
  readonly tasks: <Controller extends object>(
    controller: new (...args: never[]) => Controller,
  ) => Tasks<Controller>;
}

async function start(
  controller: new () => object,
  options: Partial<TasksModuleOptions> = {},
): Promise<Started> {
  const { app } = await startApp(
    { controllers: [controller], providers: [Audit, Clerk] },
    {
      ...EMBEDDED,
      ...options,
    },
  );
  const backend = app.get(QueueBackend);
  return {
    app,
    api: backend.api,
    queue: backend.queueName('default'),
    tasks: (of) => app.get(tasksToken(of)),
  };
}

beforeEach(() => {
  calls = [];
  drafts = [];
  changes = () => undefined;
  received = Promise.withResolvers();
});
afterEach(closeApps);

describe('hooks', () => {
  test('are called from forRoot to the call, and around the handler like shells', async () => {
    const { tasks } = await start(Hooked, { hooks: [named('root')] });
    await tasks(Hooked)
      .ordered.options({ hooks: [named('call')] })
      .delay({ text: 'hello' });
    await received.promise;
    expect(calls.filter((line) => line.startsWith('create'))).toEqual(
      ['root', 'controller', 'first', 'second', 'call'].map((name) => `create ${name}`),
    );
    const shells = ['root', 'controller', 'first', 'second'];
    expect(calls.filter((line) => /^(enter|handle)/.test(line))).toEqual([
      ...shells.map((name) => `enter ${name}`),
      'handle hello',
    ]);
  });

  test('are found among the providers of any module, with what they need', async () => {
    const { tasks } = await start(Hooked);
    const { taskId } = await tasks(Hooked).audited.delay();
    await received.promise;
    expect(calls.filter((line) => !/controller|^after/.test(line))).toEqual([
      'create POST /hooked/audited in default',
      `before Hooked.audited of ${taskId}`,
      'handle',
    ]);
  });

  test('that no module provides are refused at the start, with handler and class', async () => {
    class Missing implements TaskHook {
      afterOutcome(): void {}
    }
    @TaskController('x')
    class Unprovided {
      @Task('y', { hooks: [Missing] })
      async y(): Promise<void> {}
    }
    await expect(start(Unprovided)).rejects.toThrow(
      /Unprovided\.y: hooks: Missing must be a provider of some module/,
    );
  });

  test('of request scope are refused at the start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest implements TaskHook {
      afterOutcome(): void {}
    }
    @TaskController('x')
    class Scoped {
      @Task('y', { hooks: [PerRequest] })
      async y(): Promise<void> {}
    }
    await expect(
      startApp({ controllers: [Scoped], providers: [PerRequest] }, EMBEDDED),
    ).rejects.toThrow(/Scoped\.y: hooks: PerRequest must be .*not of request scope/);
  });

  test.each([
    [[42], 'hooks\\[0\\]: expected a class, or an object with beforeCreate'],
    [[{ beforCreate: () => undefined }], 'hooks\\[0\\]: expected a class'],
    ['Audit', 'hooks: expected a list of hooks, got string'],
  ])('%j are none', async (hooks, message) => {
    expect(() =>
      Task('x', { hooks: hooks as never })(Hooked.prototype, 'ordered', {
        value: () => undefined,
      }),
    ).toThrow(new RegExp(message));
  });
});

describe('before a create', () => {
  /** What was made of a call that a hook has changed. */
  async function changed(change: TaskChanges): Promise<TaskResource> {
    const { app, api, tasks } = await start(Changed, {
      queues: { other: {} },
    });
    await api.pauseQueue({ name: app.get(QueueBackend).queueName('default') });
    await api.pauseQueue({ name: app.get(QueueBackend).queueName('other') });
    changes = () => change;
    const { name } = await tasks(Changed).byHook.delay({ a: 1 }, 'mine');
    return api.getTask({ name, responseView: 'FULL' });
  }

  test('a hook is shown the task', async () => {
    await changed({});
    expect(drafts).toEqual([
      {
        callee: 'POST /changed/by-hook',
        path: '/changed/by-hook',
        queue: 'default',
        taskId: undefined,
        headers: expect.objectContaining({ 'x-note': 'mine', 'content-type': 'application/json' }),
        body: new TextEncoder().encode('{"a":1}'),
      },
    ]);
  });

  test('it may change queue and id', async () => {
    const { name } = await changed({ queue: 'other', taskId: 'mine' });
    expect(name).toMatch(/queues\/other\/tasks\/mine$/);
  });

  test('it may change the time of the first attempt', async () => {
    const scheduleTime = new Date(Date.now() + 86_400_000);
    expect((await changed({ scheduleTime })).scheduleTime).toBe(scheduleTime.getTime() * 1000);
  });

  test('it may change the deadline, of which the handler is told', async () => {
    const { dispatchDeadline, httpRequest } = await changed({ dispatchDeadline: '20s' });
    expect(dispatchDeadline).toBe(20_000_000);
    expect(httpRequest?.headers['X-Tasks-Deadline']).toBe('20000');
  });

  test('it may add and replace headers', async () => {
    const { httpRequest } = await changed({ headers: { 'X-Note': 'theirs', 'X-More': 'more' } });
    const headers = Object.entries(httpRequest?.headers ?? {}).filter(([name]) =>
      /^x-(note|more)/i.test(name),
    );
    expect(headers).toEqual([
      ['x-note', 'theirs'],
      ['x-more', 'more'],
    ]);
  });

  test('it may change the body', async () => {
    const { httpRequest } = await changed({ body: new TextEncoder().encode('{"b":2}') });
    expect(Buffer.from(httpRequest?.body ?? []).toString()).toBe('{"b":2}');
  });

  test.each([
    [{ headers: { 'X-Tasks-Deadline': '1' } }, 'headers'],
    [{ countdown: '31d' as const }, 'countdown'],
    [{ dispatchDeadline: '1h' as const }, 'dispatchDeadline'],
    [{ taskId: '' }, 'taskId'],
    [{ body: '{}' as never }, 'body'],
    [{ url: 'http://elsewhere' } as never, 'url'],
  ])('but not to %j', async (change, field) => {
    await expect(changed(change)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });

  test('what it throws is what the caller gets, and nothing is created', async () => {
    const { api, queue, tasks } = await start(Changed);
    await api.pauseQueue({ name: queue });
    changes = () => {
      throw new Error('not today');
    };
    await expect(tasks(Changed).byHook.delay({}, 'x')).rejects.toThrow('not today');
    expect((await api.listTasks({ parent: queue })).tasks).toEqual([]);
  });

  test('headersHook and deadlineHook find headers and deadline for each task', async () => {
    const { api, queue, tasks } = await start(Changed, {
      hooks: [
        headersHook(({ body }) => ({ 'X-Size': String(body?.length ?? 0), 'X-Note': 'theirs' })),
        deadlineHook(({ body }) => ((body?.length ?? 0) > 10 ? '20m' : undefined)),
      ],
    });
    await api.pauseQueue({ name: queue });
    const small = await tasks(Changed).byHook.delay('x', 'mine');
    const large = await tasks(Changed).byHook.delay('x'.repeat(20), undefined);
    const get = async (name: string) => api.getTask({ name, responseView: 'FULL' });
    expect((await get(small.name)).httpRequest?.headers).toMatchObject({
      'x-size': '3',
      'x-note': 'mine',
      'X-Tasks-Deadline': '600000',
    });
    expect(await get(large.name)).toMatchObject({
      dispatchDeadline: 1_200_000_000,
      httpRequest: { headers: { 'x-size': '22', 'x-note': 'theirs' } },
    });
  });
});

describe('around a handler', () => {
  test('what a hook throws is the failure of the attempt', async () => {
    Failing.attempts = 0;
    const { api, queue, tasks } = await start(Failing);
    await api.updateQueue({
      queue: { name: queue, retryConfig: { minBackoff: 1000 } },
      updateMask: ['retryConfig.minBackoff'],
    });
    await tasks(Failing).around.delay();
    await received.promise;
    expect(Failing.attempts).toBe(2);
  });
});

describe('after an outcome', () => {
  const outcomes: TaskOutcome[] = [];
  let told: PromiseWithResolvers<void>;
  /** Fails itself, and tells all the same. */
  const telling: TaskHook = {
    afterOutcome: (outcome) => {
      outcomes.push(outcome);
      if (outcome.kind !== 'failed') told.resolve();
      throw new Error('of no consequence');
    },
  };

  @TaskController('told', { hooks: [telling] })
  class Told {
    @Task('handle', { maxAttempts: 2 })
    async handle(@Body() note: Note): Promise<void> {
      if (note.text === 'fails') throw new Error('it fails');
      if (note.text === 'never') throw new PermanentFailure('it never will');
      if (note.text === 'later' && outcomes.length === 0) throw new RetryLater({ after: '1s' });
    }
  }

  async function after(body: object): Promise<unknown[]> {
    outcomes.length = 0;
    told = Promise.withResolvers();
    const { api, queue, tasks } = await start(Told);
    await api.updateQueue({
      queue: { name: queue, retryConfig: { minBackoff: 1000 } },
      updateMask: ['retryConfig.minBackoff'],
    });
    const { taskId } = await tasks(Told)
      .handle.options({ validate: false })
      .delay(body as Note);
    await told.promise;
    expect(outcomes[0]?.task.taskId).toBe(taskId);
    return outcomes.map(({ handler, kind, error, task }) => [
      handler,
      kind,
      task.retryCount,
      error instanceof Error ? error.message : error,
    ]);
  }

  test('that is good, a hook is told so', async () => {
    expect(await after({ text: 'good' })).toEqual([['Told.handle', 'succeeded', 0, undefined]]);
  });

  test('of each attempt up to the last', async () => {
    expect(await after({ text: 'fails' })).toEqual([
      ['Told.handle', 'failed', 0, 'it fails'],
      ['Told.handle', 'dead-lettered', 1, 'it fails'],
    ]);
  });

  test('that is final, with what was thrown', async () => {
    expect(await after({ text: 'never' })).toEqual([
      ['Told.handle', 'dead-lettered', 0, 'it never will'],
    ]);
  });

  test('that puts another task in its place', async () => {
    expect(await after({ text: 'later' })).toEqual([
      ['Told.handle', 'rescheduled', 0, expect.anything()],
    ]);
  });
});
