/** Many tasks by one call: a few at a time, each with its result, none of them made twice. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { CloudTasksApi } from '../../../../src/engine/cloud-tasks-api.js';
import type { ErrorCode } from '../../../../src/engine/errors.js';
import { CloudTasksError } from '../../../../src/engine/errors.js';
import { SECOND } from '../../../../src/engine/time.js';
import {
  CLOCK,
  CLOUD_TASKS,
  QueueBackend,
} from '../../../../src/modules/cloud-tasks/queue-backend.js';
import { Task, TaskController, tasksToken } from '../../../../src/modules/tasks/task-decorators.js';
import type { SettledTask, Tasks } from '../../../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../../../src/modules/tasks/tasks.module.js';
import { EMBEDDED, RecordedLog } from '../../../support/tasks-app.js';
import { VirtualClock } from '../../../support/virtual-clock.js';

interface Item {
  readonly id: string;
}

@TaskController('items', { queue: 'items', countdown: '1d' })
class Items {
  @Task('take') async take(@Body() _item: Item): Promise<void> {}
}

/** What becomes of the creates: told how many there were of the task before. */
let fail: (tries: number, name: string) => { before?: ErrorCode; after?: ErrorCode } | undefined;
let underWay: number;
let mostUnderWay: number;
let app: INestApplication;
let clock: VirtualClock;
let items: Tasks<Items>;
let api: CloudTasksApi;

/** The embedded queue behind a network that fails when it is told to. */
function unreliable({ api: queue }: QueueBackend): CloudTasksApi {
  const tries = new Map<string, number>();
  const createTask: CloudTasksApi['createTask'] = async (request) => {
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    try {
      await new Promise(setImmediate);
      const name = request.task.name ?? '';
      const count = tries.get(name) ?? 0;
      tries.set(name, count + 1);
      const { before, after } = fail(count, name) ?? {};
      if (before) throw new CloudTasksError(before, 'The network failed.');
      const task = await queue.createTask(request);
      if (after) throw new CloudTasksError(after, 'The answer was lost.');
      return task;
    } finally {
      underWay--;
    }
  };
  return new Proxy(queue, {
    get: (target, name) =>
      name === 'createTask' ? createTask : (Reflect.get(target, name) as unknown),
  });
}

beforeEach(async () => {
  fail = () => undefined;
  underWay = 0;
  mostUnderWay = 0;
  clock = new VirtualClock(Date.now() * 1000);
  const testing = await Test.createTestingModule({
    imports: [
      TasksModule.forRoot({ ...EMBEDDED, serviceUrl: 'http://127.0.0.1:9' }),
      TasksModule.forFeature([Items]),
    ],
    controllers: [Items],
  })
    .overrideProvider(CLOCK)
    .useValue(clock)
    .overrideProvider(CLOUD_TASKS)
    .useFactory({ factory: unreliable, inject: [QueueBackend] })
    .compile();
  app = testing.createNestApplication({ logger: new RecordedLog() });
  await app.init();
  items = app.get(tasksToken(Items));
  ({ api } = app.get(QueueBackend));
});
afterEach(() => app.close());

async function queued(): Promise<number> {
  const parent = 'projects/local/locations/us-central1/queues/items';
  let count = 0;
  for (let pageToken = ''; ;) {
    const page = await api.listTasks({ parent, pageToken });
    count += page.tasks.length;
    if (!page.nextPageToken) return count;
    pageToken = page.nextPageToken;
  }
}

/** Lets the waits between tries pass until `work` has ended. */
async function passing<Result>(work: Promise<Result>): Promise<Result> {
  const state = { ended: false };
  const end = work.finally(() => (state.ended = true));
  while (!state.ended) await clock.advance(SECOND);
  return end;
}

function* calls(count: number): Generator<[Item]> {
  for (let index = 0; index < count; index++) yield [{ id: String(index) }];
}

describe('a result for each', () => {
  test('in the order of the list, failures among them', async () => {
    const results = await items.take.delayMany(
      [[{ id: 'a' }], [{ id: 1n } as never], [{ id: 'c' }], [] as never, 'text' as never],
      { taskId: ([item]) => `item-${item.id}` },
    );
    expect(results).toEqual([
      { status: 'fulfilled', value: expect.objectContaining({ taskId: 'item-a', queue: 'items' }) },
      { status: 'rejected', reason: expect.any(CloudTasksError) },
      { status: 'fulfilled', value: expect.objectContaining({ taskId: 'item-c' }) },
      { status: 'rejected', reason: expect.any(CloudTasksError) },
      { status: 'rejected', reason: expect.any(CloudTasksError) },
    ]);
    const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(reasons.map(({ field, message }) => [field, message])).toEqual([
      [
        'arguments[0].id',
        'Items.take, argument 1, @Body(): expected a value that JSON has, got bigint at .id.',
      ],
      [
        'arguments[0]',
        'Items.take, argument 1, @Body(): expected a value that JSON has, got undefined.',
      ],
      [
        'list[4]',
        "Items.take: delayMany: expected a list of arguments for each call, as in [[first], [second]], got 'text' at 4.",
      ],
    ]);
    expect(await queued()).toBe(2);
  });

  test('an id that was used is ALREADY_EXISTS, or a duplicate', async () => {
    const list: [Item][] = [[{ id: 'same' }], [{ id: 'same' }]];
    const taskId = ([item]: [Item]) => item.id;
    const statuses = (results: SettledTask[]) => results.map(({ status }) => status).sort();
    const first = await items.take.delayMany(list, { taskId });
    expect(statuses(first)).toEqual(['fulfilled', 'rejected']);
    expect(first).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'ALREADY_EXISTS' }),
    });
    const second = await items.take
      .options({ onDuplicate: 'ignore' })
      .delayMany(list, { taskId: { byPayload: true } });
    expect(statuses(second)).toEqual(['fulfilled', 'fulfilled']);
    expect(second.filter((one) => one.status === 'fulfilled' && one.value.duplicate)).toHaveLength(
      1,
    );
  });
});

describe('what may pass is tried again', () => {
  test('and no task is made twice where only the answer was lost', async () => {
    fail = (tries) =>
      [{ before: 'UNAVAILABLE' }, { after: 'DEADLINE_EXCEEDED' }, undefined][tries] as
        { before?: ErrorCode } | undefined;
    const results = await passing(items.take.delayMany(calls(20)));
    expect(results.map((one) => one.status === 'fulfilled' && one.value.duplicate)).toEqual(
      Array(20).fill(undefined),
    );
    expect(await queued()).toBe(20);
  });

  test('five times, and then it is the result', async () => {
    let count = 0;
    fail = () => {
      count++;
      return { before: 'RESOURCE_EXHAUSTED' };
    };
    const [result] = await passing(items.take.delayMany(calls(1)));
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'RESOURCE_EXHAUSTED' } });
    expect(count).toBe(5);
  });

  test('what may not is not', async () => {
    let count = 0;
    fail = () => {
      count++;
      return { before: 'PERMISSION_DENIED' };
    };
    const [result] = await items.take.delayMany(calls(1));
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'PERMISSION_DENIED' } });
    expect(count).toBe(1);
  });
});

describe('10,000 tasks', () => {
  test('of a stream, no more of them in memory than are under way', async () => {
    let made = 0;
    let settled = 0;
    let most = 0;
    async function* stream(): AsyncGenerator<[Item]> {
      for (const call of calls(10_000)) {
        most = Math.max(most, ++made - settled);
        yield call;
      }
    }
    await items.take.delayMany(stream(), {
      concurrency: 20,
      onResult: ({ status }) => {
        expect(status).toBe('fulfilled');
        settled++;
      },
    });
    expect(settled).toBe(10_000);
    expect(mostUnderWay).toBe(20);
    expect(most).toBeLessThanOrEqual(20);
    expect(await queued()).toBe(10_000);
  });
});

describe('the list', () => {
  test('that throws ends the call, when what was begun has ended', async () => {
    function* broken(): Generator<[Item]> {
      yield* calls(3);
      throw new RangeError('no more');
    }
    await expect(items.take.delayMany(broken())).rejects.toThrow('no more');
    expect(underWay).toBe(0);
    expect(await queued()).toBe(3);
  });

  test('is closed when a result is not taken', async () => {
    let closed = false;
    function* list(): Generator<[Item]> {
      try {
        yield* calls(100);
      } finally {
        closed = true;
      }
    }
    const onResult = () => {
      throw new RangeError('not taken');
    };
    await expect(items.take.delayMany(list(), { onResult, concurrency: 1 })).rejects.toThrow(
      'not taken',
    );
    expect(closed).toBe(true);
    expect(await queued()).toBe(1);
  });

  test('may be empty', async () => {
    expect(await items.take.delayMany([])).toEqual([]);
  });
});

test.each<[options: object, message: string]>([
  [{ concurrency: 0 }, 'concurrency: expected a whole number from 1 to 1000, got 0.'],
  [{ concurency: 5 }, "Unknown option 'concurency' of delayMany; did you mean 'concurrency'?"],
  [{ onResult: 'x' }, "onResult: expected a function, got 'x'."],
  [{ countdown: '31d' }, "countdown: expected at most '30d', got '31d'."],
  [
    { taskId: 'x' },
    'taskId: delayMany takes a function that gives each call its own id, not one text.',
  ],
])('refuses %j', async (options, message) => {
  const many = items.take.delayMany([[{ id: '1' }]], options);
  await expect(many).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: `Items.take: ${message}`,
  });
  expect(await queued()).toBe(0);
});

test('refuses an id for all, and what is no list', async () => {
  await expect(
    items.take.options({ taskId: 'x' }).delayMany([[{ id: '1' }]]),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'taskId' });
  for (const list of [undefined, 'text', 7, {}]) {
    await expect(items.take.delayMany(list as never)).rejects.toMatchObject({ field: 'list' });
  }
});
