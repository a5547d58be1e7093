/** What every TaskStore does, whatever it keeps its records in: each sentence of the port, shown. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DueTask, StoredTask, TaskState, TaskStore } from '../../src/engine/ports.js';
import type { NewTask } from '../support/sample-records.js';
import { QUEUE, queueName, sampleJob, sampleQueue, sampleTask } from '../support/sample-records.js';

const OTHER = queueName('other');
const NOW = 1_000_000;
const LATER = 2_000_000;

/** @param open a fresh, empty store. */
export function describeTaskStore(name: string, open: () => TaskStore): void {
  describe(`${name} as a TaskStore`, () => {
    let store: TaskStore;

    beforeEach(async () => {
      store = open();
      await store.putQueue(sampleQueue());
    });

    afterEach(() => store.close());

    const create = async (task: NewTask, now = NOW): Promise<StoredTask> => {
      const outcome = await store.createTask(task, now);
      if ('refused' in outcome) throw new Error(`${task.id} was refused: ${outcome.refused}`);
      return outcome.created;
    };
    const ids = (queue = QUEUE): string[] => store.tasks(queue, 0, 1000).map(({ id }) => id);
    const dueIds = (after?: DueTask, limit = 1000): (string | undefined)[] =>
      store.due(QUEUE, after, limit).map(({ seq }) => store.task(seq)?.id);

    describe('queues', () => {
      test('come back as they were put, in the order of their creation', async () => {
        const full = {
          ...sampleQueue(OTHER),
          appEngineRoutingOverride: { service: 'worker', version: 'v1', host: 'w.example.com' },
          purgeTime: 5,
          state: 'PAUSED' as const,
          stackdriverLoggingConfig: { samplingRatio: 0.25 },
        };
        await store.putQueue(full);
        expect(store.queues()).toEqual([sampleQueue(), full]);
      });

      test('are replaced by a later put, with their tasks kept', async () => {
        await create(sampleTask('kept'));
        await store.putQueue({ ...sampleQueue(), state: 'PAUSED' });
        expect(store.queues()).toEqual([{ ...sampleQueue(), state: 'PAUSED' }]);
        expect(ids()).toEqual(['kept']);
      });

      test('take no part in what happens to the objects they were put as', async () => {
        const queue = sampleQueue(OTHER);
        await store.putQueue(queue);
        queue.rateLimits.maxDispatchesPerSecond = 1;
        const [, read] = store.queues();
        expect(read?.rateLimits.maxDispatchesPerSecond).toBe(500);
      });

      test('have no tasks, no tombstones and nothing due when nobody put them', () => {
        expect(store.tasks(OTHER, 0, 10)).toEqual([]);
        expect(store.due(OTHER, undefined, 10)).toEqual([]);
        expect(store.findTask(OTHER, 'a')).toBeUndefined();
        expect(store.taskTombstone(OTHER, 'a')).toBeUndefined();
        expect(store.queueTombstone(OTHER)).toBeUndefined();
      });
    });

    describe('values', () => {
      test('come back as they were put last, until they are removed', async () => {
        expect(store.value('key')).toBeUndefined();
        await store.putValue('key', 'first');
        await store.putValue('other', '');
        await store.putValue('key', 'Ünïcödé 😀 \u0000');
        expect([store.value('key'), store.value('other')]).toEqual(['Ünïcödé 😀 \u0000', '']);
        await store.putValue('key', undefined);
        await store.putValue('never there', undefined);
        expect([store.value('key'), store.value('other')]).toEqual([undefined, '']);
      });
    });

    describe('creating a task', () => {
      test('resolves to the task with its place, and keeps it', async () => {
        const task = sampleTask('a', { body: new Uint8Array([1, 2, 3]) });
        const created = await create(task);
        expect(created).toEqual({ ...task, seq: created.seq });
        expect(store.task(created.seq)).toEqual(created);
        expect(store.findTask(QUEUE, 'a')).toEqual(created);
      });

      test('gives places that grow, and never one twice', async () => {
        const first = await create(sampleTask('a'));
        const second = await create(sampleTask('b'));
        await store.removeTask(second.seq, LATER);
        const third = await create(sampleTask('c'));
        expect(second.seq).toBeGreaterThan(first.seq);
        expect(third.seq).toBeGreaterThan(second.seq);
      });

      test('keeps bodies to the byte, an empty one apart from none', async () => {
        const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        await create(sampleTask('all', { body: all }));
        await create(sampleTask('empty', { body: new Uint8Array() }));
        await create(sampleTask('none', { body: null }));
        const body = (id: string) => store.findTask(QUEUE, id)?.request;
        expect(body('all')?.httpRequest?.body).toEqual(all);
        expect(body('empty')?.httpRequest?.body).toEqual(new Uint8Array());
        expect(body('none')?.httpRequest).not.toHaveProperty('body');
      });

      test('keeps the body of an App Engine task', async () => {
        const appEngineHttpRequest = {
          httpMethod: 'POST' as const,
          appEngineRouting: { service: 'worker', host: 'worker.example.com' },
          relativeUri: '/tasks/example',
          headers: { 'Content-Type': 'text/plain' },
          body: new Uint8Array([0, 255]),
        };
        const request = { appEngineHttpRequest, createTime: 1 };
        await create({ ...sampleTask('a'), request });
        expect(store.findTask(QUEUE, 'a')?.request).toEqual(request);
      });

      test('keeps unicode, lone surrogates and names that objects know', async () => {
        const headers = Object.fromEntries([
          ['X-Name', 'Ünïcödé 😀 \u0000 \ud800'],
          ['__proto__', 'a header like any other'],
          ['constructor', ''],
        ]);
        const task = sampleTask('a');
        const httpRequest = { url: 'https://example.com/ü', httpMethod: 'POST' as const, headers };
        await create({ ...task, request: { ...task.request, httpRequest } });
        expect(
          Object.entries(store.findTask(QUEUE, 'a')?.request.httpRequest?.headers ?? {}),
        ).toEqual(Object.entries(headers));
      });

      test('counts, in its queue alone', async () => {
        await store.putQueue(sampleQueue(OTHER));
        const { seq } = await create(sampleTask('a'));
        await create(sampleTask('b'));
        await create(sampleTask('a', { queue: OTHER }));
        expect([store.countTasks(QUEUE), store.countTasks(OTHER)]).toEqual([2, 1]);
        await store.removeTask(seq, LATER);
        expect(store.countTasks(QUEUE)).toBe(1);
        expect(store.countTasks(queueName('none'))).toBe(0);
      });

      test('refuses an id that is live', async () => {
        await create(sampleTask('a', { body: new Uint8Array([1]) }));
        expect(await store.createTask(sampleTask('a'), NOW)).toEqual({ refused: 'LIVE' });
        expect(store.findTask(QUEUE, 'a')?.request.httpRequest?.body).toEqual(new Uint8Array([1]));
      });

      test('refuses an id with a tombstone later than now', async () => {
        const { seq } = await create(sampleTask('a'));
        await store.removeTask(seq, LATER);
        expect(await store.createTask(sampleTask('a'), LATER - 1)).toEqual({
          refused: 'TOMBSTONED',
        });
      });

      test('takes an id again when its tombstone has ended, and drops the tombstone', async () => {
        const { seq } = await create(sampleTask('a'));
        await store.removeTask(seq, LATER);
        await create(sampleTask('a'), LATER);
        expect(store.taskTombstone(QUEUE, 'a')).toBeUndefined();
        expect(store.nextExpiry()).toBeUndefined();
      });

      test('knows ids queue by queue', async () => {
        await store.putQueue(sampleQueue(OTHER));
        await create(sampleTask('a'));
        await create(sampleTask('a', { queue: OTHER }));
        expect(ids(OTHER)).toEqual(['a']);
      });

      test('in a queue that is gone is NOT_FOUND, and harms no other write', async () => {
        const outcomes = await Promise.allSettled([
          store.createTask(sampleTask('a'), NOW),
          store.createTask(sampleTask('a', { queue: OTHER }), NOW),
          store.createTask(sampleTask('b'), NOW),
        ]);
        expect(outcomes).toMatchObject([
          { status: 'fulfilled' },
          { status: 'rejected', reason: { code: 'NOT_FOUND', field: 'parent' } },
          { status: 'fulfilled' },
        ]);
        expect(ids()).toEqual(['a', 'b']);
      });
    });

    describe('lists of tasks', () => {
      test('are in order of creation, page by page', async () => {
        for (const [id, scheduleTime] of Object.entries({ a: 30, b: 10, c: 20, d: 10, e: 5 })) {
          await create(sampleTask(id, { scheduleTime }));
        }
        const pages: string[][] = [];
        for (let after = 0; ;) {
          const page = store.tasks(QUEUE, after, 2);
          const last = page.at(-1);
          if (!last) break;
          pages.push(page.map(({ id }) => id));
          after = last.seq;
        }
        expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
      });

      test('keep the order of creation when a task changes', async () => {
        const { seq } = await create(sampleTask('a'));
        await create(sampleTask('b'));
        await store.updateTask(seq, ({ state }) => ({ ...state, scheduleTime: 9999 }));
        expect(ids()).toEqual(['a', 'b']);
      });

      test('hold only the tasks of their queue', async () => {
        await store.putQueue(sampleQueue(OTHER));
        await create(sampleTask('a'));
        await create(sampleTask('b', { queue: OTHER }));
        await create(sampleTask('c'));
        expect(ids()).toEqual(['a', 'c']);
        expect(ids(OTHER)).toEqual(['b']);
      });

      test('leave bodies out when asked for BASIC, as a single task does', async () => {
        const task = sampleTask('a', { body: new Uint8Array([1]) });
        const { seq } = await create(task);
        const basic = sampleTask('a', { body: null });
        expect(store.tasks(QUEUE, 0, 10, 'BASIC')).toEqual([{ ...basic, seq }]);
        expect(store.tasks(QUEUE, 0, 10, 'BASIC')[0]?.request.httpRequest).not.toHaveProperty(
          'body',
        );
        expect(store.findTask(QUEUE, 'a', 'BASIC')).toEqual({ ...basic, seq });
        expect(store.tasks(QUEUE, 0, 10, 'FULL')).toEqual([{ ...task, seq }]);
      });
    });

    describe('what is due', () => {
      test('is in order of schedule time, those of one time in order of creation', async () => {
        for (const [id, scheduleTime] of Object.entries({ a: 30, b: 10, c: 20, d: 10, e: 20 })) {
          await create(sampleTask(id, { scheduleTime }));
        }
        expect(dueIds()).toEqual(['b', 'd', 'c', 'e', 'a']);
      });

      test('begins strictly after the cursor, also within a tie', async () => {
        for (const [id, scheduleTime] of Object.entries({ a: 10, b: 10, c: 10, d: 20 })) {
          await create(sampleTask(id, { scheduleTime }));
        }
        const [first, second, third] = store.due(QUEUE, undefined, 3);
        expect(dueIds(first)).toEqual(['b', 'c', 'd']);
        expect(dueIds(second, 1)).toEqual(['c']);
        expect(dueIds(third)).toEqual(['d']);
        expect(dueIds({ scheduleTime: 10, seq: 0 }, 2)).toEqual(['a', 'b']);
        expect(dueIds({ scheduleTime: 15, seq: 1 })).toEqual(['d']);
        expect(dueIds({ scheduleTime: 20, seq: 1000 })).toEqual([]);
      });

      test('goes on from a cursor whose task is gone', async () => {
        for (const id of ['a', 'b', 'c']) await create(sampleTask(id));
        const [, second] = store.due(QUEUE, undefined, 2);
        await store.removeTask(second?.seq ?? 0, LATER);
        expect(dueIds(second)).toEqual(['c']);
      });

      test('has the given limit', async () => {
        for (const id of ['a', 'b', 'c']) await create(sampleTask(id));
        expect(dueIds(undefined, 2)).toEqual(['a', 'b']);
        expect(dueIds(undefined, 0)).toEqual([]);
      });

      test('tells the schedule time, and follows its changes', async () => {
        const { seq } = await create(sampleTask('a', { scheduleTime: 10 }));
        await create(sampleTask('b', { scheduleTime: 20 }));
        expect(store.due(QUEUE, undefined, 1)).toEqual([{ seq, scheduleTime: 10 }]);
        await store.updateTask(seq, ({ state }) => ({ ...state, scheduleTime: 30 }));
        expect(dueIds()).toEqual(['b', 'a']);
        expect(store.due(QUEUE, undefined, 2).at(-1)).toEqual({ seq, scheduleTime: 30 });
      });
    });

    describe('updating a task', () => {
      const changed: TaskState = {
        scheduleTime: 77,
        dispatchCount: 2,
        responseCount: 1,
        executionCount: 1,
        previousResponse: 503,
        firstAttempt: { dispatchTime: 5 },
        lastAttempt: {
          scheduleTime: 6,
          dispatchTime: 7,
          responseTime: 8,
          responseStatus: { code: 14, message: 'UNAVAILABLE(14): HTTP status code 503' },
        },
      };

      test('keeps the new state and nothing else', async () => {
        const created = await create(sampleTask('a', { body: new Uint8Array([1, 2]) }));
        expect(await store.updateTask(created.seq, () => changed)).toEqual(changed);
        expect(store.task(created.seq)).toEqual({ ...created, state: changed });
      });

      test('shows the task without its body', async () => {
        const created = await create(sampleTask('a', { body: new Uint8Array([1, 2]) }));
        await store.updateTask(created.seq, (task) => {
          expect(task).toMatchObject({ seq: created.seq, queue: QUEUE, id: 'a' });
          expect(task.state).toEqual(created.state);
          expect(task.request.httpRequest).not.toHaveProperty('body');
          expect(task.request.httpRequest?.url).toBe('https://example.com/');
          return task.state;
        });
        expect(store.task(created.seq)).toEqual(created);
      });

      test('is one step: none is lost when many arrive together', async () => {
        const { seq } = await create(sampleTask('a'));
        await Promise.all(
          Array.from({ length: 50 }, () =>
            store.updateTask(seq, ({ state }) => ({
              ...state,
              dispatchCount: state.dispatchCount + 1,
            })),
          ),
        );
        expect(store.task(seq)?.state.dispatchCount).toBe(50);
      });

      test('of one that is gone resolves to undefined, unasked', async () => {
        const { seq } = await create(sampleTask('a'));
        await store.removeTask(seq, LATER);
        const change = () => {
          throw new Error('asked');
        };
        expect(await store.updateTask(seq, change)).toBeUndefined();
        expect(await store.updateTask(12345, change)).toBeUndefined();
        expect(ids()).toEqual([]);
      });

      test('that fails changes nothing, and harms no write beside it', async () => {
        const { seq } = await create(sampleTask('a'));
        const outcomes = await Promise.allSettled([
          store.createTask(sampleTask('b'), NOW),
          store.updateTask(seq, () => {
            throw new Error('no');
          }),
          store.createTask(sampleTask('c'), NOW),
          store.createTask(sampleTask('c'), NOW),
        ]);
        expect(outcomes).toMatchObject([
          { status: 'fulfilled' },
          { status: 'rejected', reason: { message: 'no' } },
          { status: 'fulfilled', value: { created: { id: 'c' } } },
          { status: 'fulfilled', value: { refused: 'LIVE' } },
        ]);
        expect(ids()).toEqual(['a', 'b', 'c']);
        expect(store.task(seq)?.state).toEqual(sampleTask('a').state);
      });
    });

    describe('removing a task', () => {
      test('leaves nothing but a tombstone', async () => {
        const { seq } = await create(sampleTask('a'));
        expect(await store.removeTask(seq, LATER)).toBe(true);
        expect(store.task(seq)).toBeUndefined();
        expect(store.findTask(QUEUE, 'a')).toBeUndefined();
        expect(ids()).toEqual([]);
        expect(dueIds()).toEqual([]);
        expect(store.taskTombstone(QUEUE, 'a')).toBe(LATER);
      });

      test('of one that is gone resolves to false, and leaves its tombstone as it is', async () => {
        const { seq } = await create(sampleTask('a'));
        await store.removeTask(seq, LATER);
        expect(await store.removeTask(seq, LATER + 5)).toBe(false);
        expect(store.taskTombstone(QUEUE, 'a')).toBe(LATER);
      });
    });

    describe('purging a queue', () => {
      test('turns the tasks that were created before into tombstones, and keeps later ones', async () => {
        const purged = { ...sampleQueue(), purgeTime: NOW };
        await create(sampleTask('a'));
        await Promise.all([
          store.createTask(sampleTask('b'), NOW),
          store.purgeQueue(purged, LATER),
          store.createTask(sampleTask('c'), NOW),
        ]);
        expect(ids()).toEqual(['c']);
        expect(dueIds()).toEqual(['c']);
        expect(store.taskTombstone(QUEUE, 'a')).toBe(LATER);
        expect(store.taskTombstone(QUEUE, 'b')).toBe(LATER);
        expect(store.taskTombstone(QUEUE, 'c')).toBeUndefined();
        expect(store.queues()).toEqual([purged]);
      });

      test('leaves other queues and older tombstones alone', async () => {
        await store.putQueue(sampleQueue(OTHER));
        await create(sampleTask('other', { queue: OTHER }));
        const { seq } = await create(sampleTask('old'));
        await store.removeTask(seq, LATER - 1);
        await store.purgeQueue(sampleQueue(), LATER);
        expect(ids(OTHER)).toEqual(['other']);
        expect(store.taskTombstone(QUEUE, 'old')).toBe(LATER - 1);
      });

      test('makes an update or a removal that comes after find nothing', async () => {
        const { seq } = await create(sampleTask('a'));
        const [, update, removed] = await Promise.all([
          store.purgeQueue(sampleQueue(), LATER),
          store.updateTask(seq, ({ state }) => state),
          store.removeTask(seq, LATER + 1),
        ]);
        expect([update, removed]).toEqual([undefined, false]);
        expect(store.taskTombstone(QUEUE, 'a')).toBe(LATER);
      });
    });

    describe('deleting a queue', () => {
      test('takes its tasks and their tombstones along, and leaves a tombstone', async () => {
        const { seq } = await create(sampleTask('a'));
        const { seq: waiting } = await create(sampleTask('b'));
        await store.removeTask(seq, LATER);
        await store.deleteQueue(QUEUE, LATER);
        expect(store.queues()).toEqual([]);
        expect(store.queueTombstone(QUEUE)).toBe(LATER);
        expect(store.task(waiting)).toBeUndefined();
        await store.putQueue(sampleQueue());
        expect(ids()).toEqual([]);
        expect(store.taskTombstone(QUEUE, 'a')).toBeUndefined();
        await create(sampleTask('a'));
      });

      test('is forgotten once the queue is put again', async () => {
        await store.deleteQueue(QUEUE, LATER);
        await store.putQueue(sampleQueue());
        expect(store.queueTombstone(QUEUE)).toBeUndefined();
        expect(store.nextExpiry()).toBeUndefined();
      });

      test('leaves other queues alone', async () => {
        await store.putQueue(sampleQueue(OTHER));
        await create(sampleTask('a', { queue: OTHER }));
        await store.deleteQueue(QUEUE, LATER);
        expect(store.queues()).toEqual([sampleQueue(OTHER)]);
        expect(ids(OTHER)).toEqual(['a']);
      });
    });

    describe('tombstones', () => {
      test('expire when they end: the earliest is next, of tasks and of queues', async () => {
        await store.putQueue(sampleQueue(OTHER));
        expect(store.nextExpiry()).toBeUndefined();
        const a = await create(sampleTask('a'));
        const b = await create(sampleTask('b'));
        await store.removeTask(a.seq, 300);
        expect(store.nextExpiry()).toBe(300);
        await store.removeTask(b.seq, 200);
        await store.deleteQueue(OTHER, 100);
        expect(store.nextExpiry()).toBe(100);

        await store.removeExpired(99);
        expect(store.queueTombstone(OTHER)).toBe(100);
        await store.removeExpired(100);
        expect(store.queueTombstone(OTHER)).toBeUndefined();
        expect(store.nextExpiry()).toBe(200);
        await store.removeExpired(250);
        expect(store.taskTombstone(QUEUE, 'b')).toBeUndefined();
        expect(store.taskTombstone(QUEUE, 'a')).toBe(300);
        await store.removeExpired(300);
        expect(store.nextExpiry()).toBeUndefined();
      });

      test('are dropped in any number', async () => {
        await Promise.all(
          Array.from({ length: 5000 }, (_, n) => store.createTask(sampleTask(`t${n}`), NOW)),
        );
        await store.purgeQueue(sampleQueue(), LATER);
        expect(store.nextExpiry()).toBe(LATER);
        await store.removeExpired(LATER);
        expect(store.nextExpiry()).toBeUndefined();
      });
    });

    describe('jobs', () => {
      test('come back as they were put, with their bodies', async () => {
        const { job, state } = sampleJob('b');
        const { httpTarget, ...rest } = job;
        const appEngine = {
          httpMethod: 'PUT' as const,
          appEngineRouting: {},
          relativeUri: '/',
          headers: {},
          body: httpTarget?.body ?? new Uint8Array(),
        };
        await store.putJob({ job: { ...rest, appEngineHttpTarget: appEngine }, state });
        await store.putJob(sampleJob('a'));
        expect(
          store
            .jobs()
            .map(({ job }) => job.name.slice(-1))
            .sort(),
        ).toEqual(['a', 'b']);
        expect(store.jobs()).toContainEqual(sampleJob('a'));
        expect(store.jobs()).toContainEqual({
          job: { ...rest, appEngineHttpTarget: appEngine },
          state,
        });
      });

      test('are replaced by a later put; their states alone by a put of those', async () => {
        const { job } = sampleJob('a');
        await store.putJob({ job: { ...job, schedule: '* * * * *' }, state: { executions: 1 } });
        await store.putJob(sampleJob('a'));
        const execution = {
          id: 2,
          scheduleTime: 10,
          attempts: 1,
          firstAttempt: 11,
          attemptTime: 12,
        };
        await store.putJobState(job.name, { executions: 2, execution, lastAttemptTime: 11 });
        expect(store.jobs()).toEqual([
          { job, state: { executions: 2, execution, lastAttemptTime: 11 } },
        ]);
      });

      test('that are deleted stay gone, whatever is said of their state', async () => {
        const { job, state } = sampleJob('a');
        await store.putJob(sampleJob('a'));
        await Promise.all([store.deleteJob(job.name), store.putJobState(job.name, state)]);
        await store.deleteJob(job.name);
        expect(store.jobs()).toEqual([]);
      });
    });

    describe('writes', () => {
      test('are seen once they are committed, not before', async () => {
        const creating = store.createTask(sampleTask('a'), NOW);
        expect(ids()).toEqual([]);
        await creating;
        expect(ids()).toEqual(['a']);
      });

      test('of an update and a removal that come together leave a tombstone', async () => {
        const { seq } = await create(sampleTask('a'));
        const [, removed] = await Promise.all([
          store.updateTask(seq, ({ state }) => ({ ...state, dispatchCount: 1 })),
          store.removeTask(seq, LATER, 'soon'),
        ]);
        expect(removed).toBe(true);
        expect(store.task(seq)).toBeUndefined();
        expect(store.taskTombstone(QUEUE, 'a')).toBe(LATER);
      });

      test('take effect in the order they were called', async () => {
        const { seq } = await create(sampleTask('a'));
        const time = ({ state }: StoredTask) => ({
          ...state,
          scheduleTime: state.scheduleTime * 2,
        });
        const updates = await Promise.all([
          store.updateTask(seq, time),
          store.updateTask(seq, ({ state }) => ({
            ...state,
            scheduleTime: state.scheduleTime + 1,
          })),
        ]);
        expect(updates).toMatchObject([{ scheduleTime: 2000 }, { scheduleTime: 2001 }]);
        const outcomes = await Promise.all([
          store.createTask(sampleTask('a'), NOW),
          store.removeTask(seq, LATER),
          store.createTask(sampleTask('a'), NOW),
          store.removeExpired(LATER),
          store.createTask(sampleTask('a'), NOW),
          store.purgeQueue(sampleQueue(), LATER),
          store.createTask(sampleTask('a'), NOW),
        ]);
        expect(outcomes).toMatchObject([
          { refused: 'LIVE' },
          true,
          { refused: 'TOMBSTONED' },
          undefined,
          { created: { id: 'a' } },
          undefined,
          { refused: 'TOMBSTONED' },
        ]);
      });

      test('that were called before a close are kept, those after are refused', async () => {
        const creating = store.createTask(sampleTask('a'), NOW);
        await store.close();
        expect(await creating).toMatchObject({ created: { id: 'a' } });
        await expect(store.putQueue(sampleQueue())).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: 'The store is closed.',
        });
        await store.close();
      });
    });
  });
}
