/** Work that is done once: by whatever key, however often, and by whomever it is delivered. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Body, Headers } from '@nestjs/common';
import { from } from 'rxjs';
import { HOUR } from '../../../../src/engine/time.js';
import type { Journal } from '../../../../src/foundation/journal.js';
import { QueueBackend } from '../../../../src/modules/cloud-tasks/queue-backend.js';
import { JOURNAL } from '../../../../src/modules/journal/journal-options.js';
import { workKey } from '../../../../src/modules/tasks/attempts/outcome-records.js';
import { TaskContext } from '../../../../src/modules/tasks/task-context.js';
import { TaskProducer } from '../../../../src/modules/tasks/calls/task-producer.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../../src/modules/tasks/task-decorators.js';
import type { TaskRef, Tasks } from '../../../../src/modules/tasks/tasks.js';
import type { RecordedLog, TestApp } from '../../../support/tasks-app.js';
import { closeApps, EMBEDDED, makeApp, startApp } from '../../../support/tasks-app.js';

interface Order {
  readonly order: string;
}

let calls: { readonly method: string; readonly order?: string; readonly task?: TaskContext }[];
let answer: (order: Order) => unknown;

@TaskController('once', { idempotency: true })
class Once {
  @Task('default') async byDefault(@Body() body: Order, @TaskInfo() task: TaskContext) {
    calls.push({ method: 'default', order: body.order, task });
    return answer(body);
  }

  @Task('by-argument', { idempotency: { key: (body: Order) => body.order, ttl: '1h' } })
  async byArgument(@Body() body: Order) {
    calls.push({ method: 'argument', order: body.order });
    return answer(body);
  }

  @Task('by-header', { idempotency: { key: { header: 'X-Order' } } })
  async byHeader(@Body() body: Order, @Headers('x-order') order: string) {
    calls.push({ method: 'header', order });
    return answer(body);
  }

  @Task('kept', { idempotency: { keepResult: true, key: (body: Order) => body.order } })
  kept(@Body() body: Order) {
    calls.push({ method: 'kept', order: body.order });
    return from(Promise.resolve(answer(body)));
  }

  @Task('always', { idempotency: false })
  async always(@Body() body: Order) {
    calls.push({ method: 'always', order: body.order });
    await this.byArgument(body);
  }
}

let app: TestApp;
let log: RecordedLog;
let tasks: Tasks<Once>;
beforeEach(async () => {
  calls = [];
  answer = () => undefined;
  app = await startApp({ controllers: [Once] });
  log = app.log;
  tasks = app.app.get<Tasks<Once>>(tasksToken(Once));
});
afterEach(closeApps);

/** Resolves to how the next attempt ended. */
async function attempted(make: () => Promise<unknown>): Promise<string> {
  const ended = log.line(/^Attempt \d+ of .* after /);
  await make();
  return (await ended).replace(/^Attempt (\d+) of .* (answered \d+) after .*/, '$1 $2');
}

test('tasks of one key are one work, whoever made them', async () => {
  const first = attempted(() => tasks.byArgument.delay({ order: '1' }));
  expect(await first).toBe('1 answered 200');
  expect(await attempted(() => tasks.byArgument.delay({ order: '1' }))).toBe('1 answered 200');
  expect(await attempted(() => tasks.byArgument.delay({ order: '2' }))).toBe('1 answered 200');
  expect(calls.map(({ order }) => order)).toEqual(['1', '2']);
});

test('by a header, and where that is absent each task is its own work', async () => {
  await attempted(() => tasks.byHeader.delay({ order: 'a' }, '1'));
  await attempted(() => tasks.byHeader.delay({ order: 'b' }, '1'));
  expect(calls).toEqual([{ method: 'header', order: '1' }]);
});

test('by a key that one task brings', async () => {
  const mine = { idempotency: { key: 'mine' } };
  await attempted(() => tasks.always.options(mine).delay({ order: '1' }));
  await attempted(() => tasks.always.options(mine).delay({ order: '2' }));
  await attempted(() => tasks.always.delay({ order: '3' }));
  expect(calls.filter(({ method }) => method === 'always').map(({ order }) => order)).toEqual([
    '1',
    '3',
  ]);
});

test('by default each task is its own work, and is told its fence', async () => {
  await attempted(() => tasks.byDefault.delay({ order: '1' }));
  await attempted(() => tasks.byDefault.delay({ order: '1' }));
  expect(calls).toHaveLength(2);
  expect(calls.map(({ task }) => typeof task?.fence)).toEqual(['number', 'number']);
  expect(calls[0]?.task).toBeInstanceOf(TaskContext);
});

test('a method that another one calls is just called', async () => {
  await attempted(() => tasks.always.delay({ order: '1' }));
  expect(calls.map(({ method }) => method)).toEqual(['always', 'argument']);
  await new Once().byArgument({ order: '1' });
  expect(calls).toHaveLength(3);
});

test('what failed runs again', async () => {
  answer = () => {
    answer = () => undefined;
    throw new Error('broken');
  };
  const done = log.line(/^Attempt 2 of .* answered 200/);
  await tasks.byArgument.delay({ order: '1' });
  await done;
  expect(calls).toHaveLength(2);
});

test('what runs is left to the queue: 409, and 200 when it has ended', async () => {
  const release = Promise.withResolvers<undefined>();
  const began = Promise.withResolvers<undefined>();
  answer = () => {
    began.resolve(undefined);
    return release.promise;
  };
  const started = tasks.byArgument.delay({ order: '1' });
  await began.promise;
  const refused = log.line(/^Attempt 1 of .* answered (409|500)/);
  const second = await started.then(() => tasks.byArgument.delay({ order: '1' }));
  expect(await refused).toContain(`${second.taskId} answered 409`);
  expect(await tasks.byArgument.status(second)).toMatchObject({ state: 'running' });
  const done = log.line(new RegExp(`${second.taskId} answered 200`));
  release.resolve(undefined);
  await done;
  expect(calls).toHaveLength(1);
  const ended = await Promise.all(
    [started, second].map(async (ref) => tasks.byArgument.status(await ref)),
  );
  expect(ended.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
});

test('a result is kept where that is asked for, and shown of every task of the work', async () => {
  answer = () => ({ sent: 1, at: new Date(0) });
  const refs: TaskRef[] = [];
  for (const order of ['1', '1']) {
    await attempted(async () => refs.push(await tasks.kept.delay({ order })));
  }
  expect(calls).toHaveLength(1);
  for (const ref of refs) {
    expect(await tasks.kept.status(ref)).toMatchObject({
      state: 'succeeded',
      attempts: 1,
      result: { sent: 1, at: '1970-01-01T00:00:00.000Z' },
    });
  }
});

test.each([
  ['no JSON', () => ({ toJSON: () => 1n }), /can't be kept as JSON/],
  ['large', () => 'x'.repeat(70_000), /too large to keep/],
])('a result that is %s is left out, and nothing is done twice', async (_name, result, warning) => {
  answer = () => result();
  const warned = log.line(warning);
  const ended = log.line(/answered 200/);
  const ref = await tasks.kept.delay({ order: '1' });
  await Promise.all([warned, ended]);
  expect(await tasks.kept.status(ref)).toMatchObject({ state: 'succeeded' });
  expect((await tasks.kept.status(ref)).result).toBeUndefined();
  expect(calls).toHaveLength(1);
});

describe('a run that crashed', () => {
  const crashed = async (lease: number) => {
    const { location } = app.app.get(QueueBackend);
    const key = workKey(location, 'Once.byDefault', 'given k');
    const claim = await app.app.get<Journal>(JOURNAL).claim(key, lease);
    if (claim.state !== 'claimed') throw new Error('It was claimed already.');
    return claim.fence;
  };
  const once = () => tasks.byDefault.options({ idempotency: { key: 'k' } }).delay({ order: '1' });

  test('is waited for while its lease lasts', async () => {
    await crashed(HOUR);
    expect(await attempted(once)).toBe('1 answered 409');
    expect(calls).toEqual([]);
  });

  test('is taken over then, with a greater fence', async () => {
    const fence = await crashed(1);
    expect(await attempted(once)).toBe('1 answered 200');
    expect(calls.map(({ task }) => task?.fence ?? 0)).toEqual([expect.any(Number)]);
    expect(calls[0]?.task?.fence).toBeGreaterThan(fence);
  });
});

describe('refused at the start', () => {
  test.each<[string, unknown, string]>([
    ['a bad ttl', { ttl: '0s' }, "idempotency.ttl: expected '1s' to '365d', got '0s'"],
    ['a bad lease', { lease: '2h' }, "idempotency.lease: expected '1s' to '1h', got '2h'"],
    ['a number', { ttl: 30 }, 'idempotency.ttl: expected a number with its unit, got 30'],
    ['one key for all', { key: 'same' }, 'idempotency.key: expected a function of the arguments'],
    ['a bad header', { key: { header: 'x y' } }, 'idempotency.key.header: expected the name of a'],
    ['a slip', { tll: '1h' }, "did you mean 'ttl'?"],
    ['a text', 'yes', 'Options of idempotency must be an object'],
  ])('%s', (_name, idempotency, message) => {
    expect(() => {
      class Wrong {
        @Task('x', { idempotency: idempotency as boolean }) x() {}
      }
      return Wrong;
    }).toThrow(message);
  });

  test('a handler that needs a store where there is none', async () => {
    const google = { backend: 'google', emulatorHost: '127.0.0.1:1', project: 'p' } as const;
    const { engine: _engine, ...options } = {
      ...EMBEDDED,
      ...google,
      serviceUrl: 'http://127.0.0.1:1',
      serviceAccount: 'a@b',
    };
    const made = await makeApp({ controllers: [Once] }, options);
    await expect(made.init()).rejects.toThrow(
      /Once.byDefault: idempotency needs a store.*STORE_URL.*redis:\/\//,
    );
  });
});

test.each(['', ' a', 'ü', 'x'.repeat(501)])('a key of one task may not be %j', (key) => {
  expect(() => tasks.always.options({ idempotency: { key } })).toThrow(
    'idempotency.key: expected for one task 1 to 500 ASCII characters',
  );
});

test('what is no handler of ours can’t have a key', async () => {
  const producer = app.app.get(TaskProducer, { strict: false });
  const mine = { idempotency: { key: 'mine' } };
  const refused = /idempotency: only a handler can do its work once/;
  await expect(producer.http({ url: 'http://127.0.0.1:9/' }, mine)).rejects.toThrow(refused);
  await expect(producer.appEngine({ relativeUri: '/x' }, mine)).rejects.toThrow(refused);
});
