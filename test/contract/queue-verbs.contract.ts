/** Queues by the contract: the reference's sections 2, 3 and 9.1, on any CloudTasksApi. */
import { describe, expect, test } from '@jest/globals';
import type { QueueInput } from '../../src/engine/cloud-tasks-api.js';
import { DAY, HOUR, MILLISECOND, SECOND } from '../../src/engine/time.js';
import type { ApiUnderTest } from './api-under-test.js';
import { expectRefusal, parentOf, TEXT } from './api-under-test.js';

type Settings = Omit<QueueInput, 'name'>;

const DEFAULTS = {
  rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
  retryConfig: {
    maxAttempts: 100,
    maxRetryDuration: 0,
    minBackoff: 100 * MILLISECOND,
    maxBackoff: HOUR,
    maxDoublings: 16,
  },
};

/** Each refused by create and by update alike. */
const OUT_OF_RANGE: [message: string, field: string, settings: Settings][] = [
  [
    'RateLimits.maxDispatchesPerSecond cannot be negative.',
    'queue.rateLimits.maxDispatchesPerSecond',
    { rateLimits: { maxDispatchesPerSecond: -1 } },
  ],
  [
    'RateLimits.maxDispatchesPerSecond must be less than or equal to 500.',
    'queue.rateLimits.maxDispatchesPerSecond',
    { rateLimits: { maxDispatchesPerSecond: 500.5 } },
  ],
  [
    'RateLimits.maxConcurrentDispatches cannot be negative.',
    'queue.rateLimits.maxConcurrentDispatches',
    { rateLimits: { maxConcurrentDispatches: -1 } },
  ],
  [
    'RateLimits.maxConcurrentDispatches must be less than or equal to 5000.',
    'queue.rateLimits.maxConcurrentDispatches',
    { rateLimits: { maxConcurrentDispatches: 5001 } },
  ],
  [
    'RetryConfig.maxAttempts must be greater or equal to -1.',
    'queue.retryConfig.maxAttempts',
    { retryConfig: { maxAttempts: -2 } },
  ],
  [
    'RetryConfig.maxDoublings cannot be negative.',
    'queue.retryConfig.maxDoublings',
    { retryConfig: { maxDoublings: -1 } },
  ],
  [
    'RetryConfig.minBackoff cannot be negative.',
    'queue.retryConfig.minBackoff',
    { retryConfig: { minBackoff: -SECOND } },
  ],
  [
    'RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
    'queue.retryConfig.minBackoff',
    { retryConfig: { minBackoff: 11 * SECOND, maxBackoff: 10 * SECOND } },
  ],
];

export function describeQueueVerbs(under: ApiUnderTest): void {
  const create = (settings: Settings = {}, name = under.queueName()) =>
    under.api.createQueue({ parent: parentOf(name), queue: { ...settings, name } });

  describe('createQueue', () => {
    test('fills in the defaults and answers them', async () => {
      const name = under.queueName();
      const queue = await create({}, name);
      // v2's proto doesn't have the last two.
      expect({ taskTtl: 31 * DAY, tombstoneTtl: HOUR, ...queue }).toEqual({
        name,
        state: 'RUNNING',
        ...DEFAULTS,
        taskTtl: 31 * DAY,
        tombstoneTtl: HOUR,
      });
      expect(await under.api.getQueue({ name })).toEqual(queue);
    });

    test('keeps what was given, backoffs below a second too', async () => {
      const settings = {
        rateLimits: { maxDispatchesPerSecond: 12.5, maxConcurrentDispatches: 5000 },
        retryConfig: {
          maxAttempts: -1,
          maxRetryDuration: 90 * SECOND,
          minBackoff: 1_234_567,
          maxBackoff: 1_234_568,
          maxDoublings: 3,
        },
        stackdriverLoggingConfig: { samplingRatio: 0.25 },
      };
      expect(await create(settings)).toMatchObject(settings);
    });

    test('takes zeros for not given', async () => {
      const queue = await create({
        rateLimits: { maxDispatchesPerSecond: 0, maxConcurrentDispatches: 0 },
        retryConfig: { maxAttempts: 0, maxDoublings: 0 },
      });
      expect(queue).toMatchObject(DEFAULTS);
    });

    test.each([
      [500, 100],
      [100, 20],
      [50, 10],
      [5, 10],
      [0.5, 10],
    ])('at a rate of %d answers a burst of %d', async (maxDispatchesPerSecond, maxBurstSize) => {
      const { rateLimits } = await create({ rateLimits: { maxDispatchesPerSecond } });
      expect(rateLimits.maxBurstSize).toBe(maxBurstSize);
    });

    test('ignores outputs, a negative burst too', async () => {
      const queue = await create({
        rateLimits: { maxBurstSize: -1 },
        appEngineRoutingOverride: { service: 'worker', host: 'evil.example.com' },
      });
      expect(queue.rateLimits).toEqual(DEFAULTS.rateLimits);
      expect(queue.appEngineRoutingOverride).toEqual({
        service: 'worker',
        host: expect.stringMatching(/^worker\.demo\./),
      });
    });

    test.each(OUT_OF_RANGE)('refuses: %s', async (message, field, settings) => {
      const name = under.queueName();
      await expectRefusal(create(settings, name), 'INVALID_ARGUMENT', message, field);
      await expectRefusal(under.api.getQueue({ name }), 'NOT_FOUND');
    });

    test.each<Settings>([
      { rateLimits: { maxDispatchesPerSecond: NaN } },
      { rateLimits: { maxConcurrentDispatches: NaN } },
      { rateLimits: { maxConcurrentDispatches: 1.5 } },
      { retryConfig: { maxAttempts: NaN } },
      { retryConfig: { maxAttempts: 1.5 } },
      { retryConfig: { maxDoublings: 1.5 } },
      { retryConfig: { minBackoff: NaN } },
      { retryConfig: { maxRetryDuration: NaN } },
      { retryConfig: { maxRetryDuration: -SECOND } },
      { stackdriverLoggingConfig: { samplingRatio: 1.5 } },
      { stackdriverLoggingConfig: { samplingRatio: NaN } },
    ])('refuses what is not such a number: %p', async (settings) => {
      await expectRefusal(create(settings), 'INVALID_ARGUMENT');
    });

    test('refuses a name that is taken, and leaves that queue as it is', async () => {
      const name = under.queueName();
      await create({ rateLimits: { maxDispatchesPerSecond: 7 } }, name);
      await expectRefusal(create({}, name), 'ALREADY_EXISTS', 'Queue already exists');
      const { rateLimits } = await under.api.getQueue({ name });
      expect(rateLimits.maxDispatchesPerSecond).toBe(7);
    });

    test('lets one of many at once have a name', async () => {
      const name = under.queueName();
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => create({}, name)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    test('refuses the name of a queue that was deleted lately', async () => {
      const { name } = await create();
      await under.api.deleteQueue({ name });
      await expectRefusal(
        create({}, name),
        'FAILED_PRECONDITION',
        'The queue cannot be created because a queue with this name existed too recently.',
      );
    });

    test.each([
      ['an underscore', 'my_queue'],
      ['a dot', 'my.queue'],
      ['no character', ''],
      ['101 characters', 'q'.repeat(101)],
      ['a part too many', 'a/b'],
      ['a line end', 'work\n'],
    ])('refuses an id of %s', async (_, id) => {
      const parent = under.location();
      const name = `${parent}/queues/${id}`;
      const call = under.api.createQueue({ parent, queue: { name } });
      await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.queueName, 'queue.name');
    });

    test.each([['a'.repeat(100)], ['0'], ['-'], ['Mixed-Case-9']])(
      'allows the id %s',
      async (id) => {
        const name = `${under.location()}/queues/${id}`;
        expect((await create({}, name)).name).toBe(name);
      },
    );

    test('allows the projects that Google has', async () => {
      const parent = `projects/example.com:api-project-123/locations/us-central1`;
      const name = `${parent}/queues/work`;
      expect((await create({}, name)).name).toBe(name);
    });

    test('refuses a queue of another location', async () => {
      const name = under.queueName();
      const call = under.api.createQueue({ parent: under.location(), queue: { name } });
      await expectRefusal(call, 'INVALID_ARGUMENT', undefined, 'queue.name');
    });

    test.each([
      ['', ''],
      ['nonsense', 'nonsense'],
      ['projects/demo', 'demo'],
    ])('answers the parent %j as one that nobody may see', async (parent, project) => {
      const call = under.api.createQueue({ parent, queue: { name: under.queueName() } });
      const message = `Permission denied on resource project ${project}.`;
      await expectRefusal(call, 'PERMISSION_DENIED', message);
    });
  });

  describe('getQueue', () => {
    test('does not find what nobody made, not even `default`', async () => {
      const name = `${under.location()}/queues/default`;
      await expectRefusal(under.api.getQueue({ name }), 'NOT_FOUND', TEXT.noQueue);
    });

    test('refuses a bad name', async () => {
      const call = under.api.getQueue({ name: 'work' });
      await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.queueName, 'name');
    });

    test('answers a copy: what a caller does to it changes nothing', async () => {
      const { name } = await create();
      const queue = await under.api.getQueue({ name });
      queue.rateLimits.maxDispatchesPerSecond = 1;
      queue.state = 'DISABLED';
      expect(await under.api.getQueue({ name })).toMatchObject({ ...DEFAULTS, state: 'RUNNING' });
    });
  });

  describe('listQueues', () => {
    const withQueues = async (...ids: string[]): Promise<string> => {
      const parent = under.location();
      for (const id of ids) await create({}, `${parent}/queues/${id}`);
      return parent;
    };
    const idsOf = (queues: readonly { name: string }[]) =>
      queues.map(({ name }) => name.split('/').at(-1));

    test('answers the queues of its location alone, in lexicographic order', async () => {
      const parent = await withQueues('b', 'a', 'C', 'a-1', 'a1');
      await create({}, `${parent}0/queues/other`);
      const { queues, nextPageToken } = await under.api.listQueues({ parent });
      expect(idsOf(queues)).toEqual(['C', 'a', 'a-1', 'a1', 'b']);
      expect(queues[1]).toEqual(await under.api.getQueue({ name: `${parent}/queues/a` }));
      expect(nextPageToken).toBeUndefined();
    });

    test('of a location without queues is empty', async () => {
      expect(await under.api.listQueues({ parent: under.location() })).toEqual({ queues: [] });
    });

    test.each([1, 2, 3, 4, 9800, 100_000])('in pages of %d misses none', async (pageSize) => {
      const parent = await withQueues('a', 'b', 'c', 'd');
      const seen: unknown[] = [];
      let pageToken = '';
      do {
        const page = await under.api.listQueues({ parent, pageSize, pageToken });
        expect(page.queues.length).toBeLessThanOrEqual(pageSize);
        seen.push(...idsOf(page.queues));
        pageToken = page.nextPageToken ?? '';
      } while (pageToken);
      expect(seen).toEqual(['a', 'b', 'c', 'd']);
    });

    test('goes on after what was deleted between two pages', async () => {
      const parent = await withQueues('a', 'b', 'c');
      const first = await under.api.listQueues({ parent, pageSize: 1 });
      await under.api.deleteQueue({ name: `${parent}/queues/a` });
      const rest = await under.api.listQueues({ parent, pageToken: first.nextPageToken ?? '' });
      expect(idsOf(rest.queues)).toEqual(['b', 'c']);
    });

    test('keeps to its filter', async () => {
      const parent = await withQueues('a', 'b');
      await create({ rateLimits: { maxDispatchesPerSecond: 5 } }, `${parent}/queues/slow`);
      await under.api.pauseQueue({ name: `${parent}/queues/b` });
      const filtered = async (filter: string) =>
        idsOf((await under.api.listQueues({ parent, filter })).queues);
      expect(await filtered('state: PAUSED')).toEqual(['b']);
      expect(await filtered('state = RUNNING')).toEqual(['a', 'slow']);
      expect(await filtered('state != RUNNING')).toEqual(['b']);
      expect(await filtered('rateLimits.maxDispatchesPerSecond < 500')).toEqual(['slow']);
      expect(await filtered('rate_limits.max_dispatches_per_second >= 5')).toEqual([
        'a',
        'b',
        'slow',
      ]);
      expect(await filtered('retryConfig.maxAttempts > 100')).toEqual([]);
      expect(await filtered('retryConfig.maxAttempts <= 100')).toEqual(['a', 'b', 'slow']);
    });

    test('refuses another filter, or another location, in the middle of paging', async () => {
      const parent = await withQueues('a', 'b');
      const { nextPageToken = '' } = await under.api.listQueues({ parent, pageSize: 1 });
      for (const request of [{ parent, filter: 'state: PAUSED' }, { parent: under.location() }]) {
        const call = under.api.listQueues({ ...request, pageToken: nextPageToken });
        await expectRefusal(call, 'INVALID_ARGUMENT', undefined, 'pageToken');
      }
    });

    test('refuses what it can make nothing of', async () => {
      const parent = under.location();
      const list = (request: object) => under.api.listQueues({ parent, ...request });
      await expectRefusal(list({ pageToken: 'x' }), 'INVALID_ARGUMENT', undefined, 'pageToken');
      await expectRefusal(list({ pageSize: -1 }), 'INVALID_ARGUMENT', undefined, 'pageSize');
      await expectRefusal(list({ pageSize: 1.5 }), 'INVALID_ARGUMENT', undefined, 'pageSize');
      await expectRefusal(list({ filter: 'state ~ x' }), 'INVALID_ARGUMENT', undefined, 'filter');
      await expectRefusal(list({ parent: 'x' }), 'PERMISSION_DENIED');
    });
  });

  describe('updateQueue', () => {
    const SETTINGS = {
      rateLimits: { maxDispatchesPerSecond: 5, maxConcurrentDispatches: 6 },
      retryConfig: { maxAttempts: 7, minBackoff: 8 * SECOND, maxDoublings: 9 },
      stackdriverLoggingConfig: { samplingRatio: 0.5 },
    };

    test('makes a queue that is missing', async () => {
      const name = under.queueName();
      const queue = await under.api.updateQueue({ queue: { name, ...SETTINGS } });
      expect(queue).toMatchObject({ name, state: 'RUNNING', ...SETTINGS });
      expect(await under.api.getQueue({ name })).toEqual(queue);
    });

    test.each([[undefined], [[]]])('with the mask %j replaces every setting', async (mask) => {
      const { name } = await create(SETTINGS);
      const queue = { name, rateLimits: { maxDispatchesPerSecond: 20 } };
      const updated = await under.api.updateQueue({
        queue,
        ...(mask ? { updateMask: mask } : {}),
      });
      expect(updated.rateLimits).toEqual({
        maxDispatchesPerSecond: 20,
        maxBurstSize: 10,
        maxConcurrentDispatches: 1000,
      });
      expect(updated.retryConfig).toEqual(DEFAULTS.retryConfig);
      expect(await under.api.getQueue({ name })).toEqual(updated);
    });

    test('with a mask changes just the paths that it names', async () => {
      const { name, ...before } = await create(SETTINGS);
      const updated = await under.api.updateQueue({
        queue: {
          name,
          rateLimits: { maxDispatchesPerSecond: 100, maxConcurrentDispatches: 200 },
          retryConfig: { maxAttempts: 300 },
        },
        updateMask: ['rateLimits.maxDispatchesPerSecond', 'retryConfig.maxAttempts'],
      });
      expect(updated).toEqual({
        ...before,
        name,
        rateLimits: { maxDispatchesPerSecond: 100, maxBurstSize: 20, maxConcurrentDispatches: 6 },
        retryConfig: { ...before.retryConfig, maxAttempts: 300 },
      });
    });

    test('resets a path that the mask names and the queue lacks', async () => {
      const { name, ...before } = await create(SETTINGS);
      const updated = await under.api.updateQueue({
        queue: { name, rateLimits: {} },
        updateMask: ['rateLimits.maxDispatchesPerSecond', 'retryConfig'],
      });
      expect(updated.rateLimits).toEqual({
        ...before.rateLimits,
        maxDispatchesPerSecond: 500,
        maxBurstSize: 100,
      });
      expect(updated.retryConfig).toEqual(DEFAULTS.retryConfig);
      expect(updated.stackdriverLoggingConfig).toEqual({ samplingRatio: 0.5 });
    });

    test('replaces a whole part that the mask names', async () => {
      const { name } = await create(SETTINGS);
      const { retryConfig } = await under.api.updateQueue({
        queue: { name, retryConfig: { maxAttempts: 3 } },
        updateMask: ['retryConfig'],
      });
      expect(retryConfig).toEqual({ ...DEFAULTS.retryConfig, maxAttempts: 3 });
    });

    test('ignores outputs, in the queue and in the mask', async () => {
      const { name, ...before } = await create(SETTINGS);
      const updated = await under.api.updateQueue({
        queue: { name, rateLimits: { maxBurstSize: 77 } },
        updateMask: ['rateLimits.maxBurstSize', 'state', 'purgeTime', 'name'],
      });
      expect(updated).toEqual({ name, ...before });
    });

    test('changes neither the state nor the time of the last purge', async () => {
      const name = await under.pausedQueue();
      const { purgeTime } = await under.api.purgeQueue({ name });
      const updated = await under.api.updateQueue({ queue: { name } });
      expect(updated).toMatchObject({ state: 'PAUSED', purgeTime });
    });

    test('keeps the tasks', async () => {
      const name = await under.pausedQueue();
      const task = await under.taskIn(name);
      await under.api.updateQueue({ queue: { name, ...SETTINGS } });
      expect(await under.api.getTask({ name: task })).toMatchObject({ name: task });
    });

    test.each([['nonsense'], ['rateLimits.nonsense'], ['rateLimits.maxBurstSize.x'], ['']])(
      'refuses the mask path %j',
      async (path) => {
        const { name } = await create();
        const call = under.api.updateQueue({ queue: { name }, updateMask: [path] });
        await expectRefusal(call, 'INVALID_ARGUMENT', undefined, 'updateMask');
      },
    );

    test.each(OUT_OF_RANGE)('refuses: %s', async (message, field, settings) => {
      const { name, ...before } = await create();
      const call = under.api.updateQueue({ queue: { name, ...settings } });
      await expectRefusal(call, 'INVALID_ARGUMENT', message, field);
      expect(await under.api.getQueue({ name })).toEqual({ name, ...before });
    });

    test('refuses backoffs that contradict each other only together with what is kept', async () => {
      const { name } = await create({ retryConfig: { maxBackoff: 10 * SECOND } });
      const call = under.api.updateQueue({
        queue: { name, retryConfig: { minBackoff: 20 * SECOND } },
        updateMask: ['retryConfig.minBackoff'],
      });
      await expectRefusal(
        call,
        'INVALID_ARGUMENT',
        'RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
      );
    });

    test('refuses a bad name', async () => {
      const call = under.api.updateQueue({ queue: { name: 'work' } });
      await expectRefusal(call, 'INVALID_ARGUMENT', TEXT.queueName, 'queue.name');
    });
  });

  describe('pauseQueue and resumeQueue', () => {
    test('change the state, also when it is so already', async () => {
      const { name } = await create();
      for (const state of ['PAUSED', 'PAUSED', 'RUNNING', 'RUNNING'] as const) {
        const verb = state === 'PAUSED' ? 'pauseQueue' : 'resumeQueue';
        const queue = await under.api[verb]({ name });
        expect(queue).toMatchObject({ name, state, ...DEFAULTS });
        expect(await under.api.getQueue({ name })).toEqual(queue);
      }
    });

    test('do not find a queue that is not there', async () => {
      const name = under.queueName();
      await expectRefusal(under.api.pauseQueue({ name }), 'NOT_FOUND', TEXT.noQueue);
      await expectRefusal(under.api.resumeQueue({ name }), 'NOT_FOUND', TEXT.noQueue);
      await expectRefusal(under.api.pauseQueue({ name: 'x' }), 'INVALID_ARGUMENT', TEXT.queueName);
    });
  });

  describe('purgeQueue', () => {
    test('drops the tasks that are there, keeps the queue, and tells when', async () => {
      const name = await under.pausedQueue();
      const task = await under.taskIn(name);
      const before = under.now();
      const queue = await under.api.purgeQueue({ name });
      expect(queue).toMatchObject({ name, state: 'PAUSED', ...DEFAULTS });
      expect(queue.purgeTime).toBeGreaterThanOrEqual(before);
      expect(await under.api.getQueue({ name })).toEqual(queue);
      expect(await under.api.listTasks({ parent: name })).toEqual({ tasks: [] });
      await expectRefusal(under.api.getTask({ name: task }), 'NOT_FOUND', TEXT.taskGone);
    });

    test('leaves later tasks alone, and the purged names taken', async () => {
      const name = await under.pausedQueue();
      const purged = await under.taskIn(name, { name: `${name}/tasks/a` });
      await under.api.purgeQueue({ name });
      const later = await under.taskIn(name, { name: `${name}/tasks/b` });
      expect((await under.api.listTasks({ parent: name })).tasks).toHaveLength(1);
      expect(await under.api.getTask({ name: later })).toMatchObject({ name: later });
      await expectRefusal(under.taskIn(name, { name: purged }), 'ALREADY_EXISTS');
    });

    test('does not find a queue that is not there', async () => {
      const name = under.queueName();
      await expectRefusal(under.api.purgeQueue({ name }), 'NOT_FOUND', TEXT.noQueue);
    });
  });

  describe('deleteQueue', () => {
    test('takes the queue and its tasks away', async () => {
      const name = await under.pausedQueue();
      const task = await under.taskIn(name);
      await expect(under.api.deleteQueue({ name })).resolves.toBeUndefined();
      await expectRefusal(under.api.getQueue({ name }), 'NOT_FOUND', TEXT.noQueue);
      await expectRefusal(under.api.getTask({ name: task }), 'NOT_FOUND');
      await expectRefusal(under.api.listTasks({ parent: name }), 'NOT_FOUND', TEXT.noQueue);
      await expectRefusal(under.taskIn(name), 'NOT_FOUND', TEXT.noQueue);
      expect(await under.api.listQueues({ parent: parentOf(name) })).toEqual({ queues: [] });
    });

    test('does not find a queue that is not there, or no more', async () => {
      const { name } = await create();
      await under.api.deleteQueue({ name });
      await expectRefusal(under.api.deleteQueue({ name }), 'NOT_FOUND', TEXT.noEntity);
      const never = under.queueName();
      await expectRefusal(under.api.deleteQueue({ name: never }), 'NOT_FOUND', TEXT.noEntity);
      const bad = under.api.deleteQueue({ name: 'work' });
      await expectRefusal(bad, 'INVALID_ARGUMENT', TEXT.queueName);
    });
  });
}
