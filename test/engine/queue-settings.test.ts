/** What CloudTasksApi has beyond v2's proto: settings of a queue that only v2beta3 and REST carry. */
import { describe, expect, test } from '@jest/globals';
import type { QueueInput } from '../../src/engine/cloud-tasks-api.js';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import {
  appEngineTask,
  engineUnderTest,
  httpTask,
  LOCATION,
  QUEUE,
} from '../support/engine-under-test.js';

const HTTP_TARGET = {
  uriOverride: { host: 'a.example', port: 1 },
  httpMethod: 'PUT' as const,
  oidcToken: { serviceAccountEmail: 'a@x', audience: 'b' },
};

describe('httpTarget in an update', () => {
  const update = async (queue: Omit<QueueInput, 'name'>, updateMask?: string[]) => {
    const { engine } = await engineUnderTest({ queue: { httpTarget: HTTP_TARGET } });
    const { httpTarget } = await engine.updateQueue({
      queue: { name: QUEUE, ...queue },
      ...(updateMask ? { updateMask } : {}),
    });
    return httpTarget;
  };

  test('goes when there is no mask, and none is given', async () => {
    expect(await update({})).toBeUndefined();
  });

  test('stays when the mask names something else', async () => {
    expect(await update({}, ['rateLimits'])).toEqual(HTTP_TARGET);
  });

  test('goes when the mask names it and it is empty, as gcloud clears it', async () => {
    expect(await update({ httpTarget: {} }, ['httpTarget'])).toBeUndefined();
    const empty = { uriOverride: { pathOverride: {}, queryOverride: {} } };
    expect(await update({ httpTarget: empty }, ['httpTarget'])).toBeUndefined();
    expect(await update({ httpTarget: empty }, ['httpTarget.uriOverride'])).toEqual({
      httpMethod: 'PUT',
      oidcToken: HTTP_TARGET.oidcToken,
    });
  });

  test('changes to any depth', async () => {
    const mask = [
      'httpTarget.uriOverride.port',
      'httpTarget.uriOverride.pathOverride.path',
      'httpTarget.oidcToken.audience',
      'httpTarget.httpMethod',
    ];
    const httpTarget = {
      uriOverride: { host: 'not.named', pathOverride: { path: '/p' } },
      oidcToken: { serviceAccountEmail: 'not@named', audience: 'c' },
    };
    expect(await update({ httpTarget }, mask)).toEqual({
      uriOverride: { host: 'a.example', pathOverride: { path: '/p' } },
      oidcToken: { serviceAccountEmail: 'a@x', audience: 'c' },
    });
  });

  test.each([
    'httpTarget.nonsense',
    'httpTarget.uriOverride.host.x',
    'httpTarget.headerOverrides.header',
    'httpTarget.constructor',
    'httpTarget.',
  ])('refuses the mask path %j', async (path) => {
    await expect(update({}, [path])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `Invalid mask for Queue: ${path}`,
    });
  });
});

describe('an override of the App Engine routing', () => {
  test('without any part is none, as gcloud clears it', async () => {
    const { engine } = await engineUnderTest({
      queue: { appEngineRoutingOverride: { service: 'worker' } },
    });
    const queue = await engine.updateQueue({
      queue: { name: QUEUE, appEngineRoutingOverride: {} },
      updateMask: ['appEngineRoutingOverride'],
    });
    expect(queue).not.toHaveProperty('appEngineRoutingOverride');
  });
});

describe('taskTtl and tombstoneTtl', () => {
  test.each([
    ['taskTtl', 10 * DAY],
    ['taskTtl', 3650 * DAY],
    ['tombstoneTtl', HOUR],
    ['tombstoneTtl', 9 * DAY],
  ])('%s may be %d µs', async (field, value) => {
    const { engine } = await engineUnderTest();
    expect(await engine.updateQueue({ queue: { name: QUEUE, [field]: value } })).toMatchObject({
      [field]: value,
    });
    expect(await engine.updateQueue({ queue: { name: QUEUE }, updateMask: [field] })).toMatchObject(
      { taskTtl: 31 * DAY, tombstoneTtl: HOUR },
    );
  });

  test.each([
    ['taskTtl', 10 * DAY - 1],
    ['taskTtl', 3650 * DAY + 1],
    ['taskTtl', NaN],
    ['tombstoneTtl', HOUR - 1],
    ['tombstoneTtl', 9 * DAY + 1],
    ['tombstoneTtl', -1],
  ])('%s may not be %d µs', async (field, value) => {
    const { engine } = await engineUnderTest();
    await expect(
      engine.updateQueue({ queue: { name: QUEUE, [field]: value } }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: `queue.${field}` });
  });

  test("a queue's own tombstones last as long as it says, the others as the engine says", async () => {
    const { engine, clock } = await engineUnderTest({
      queue: { tombstoneTtl: 2 * DAY },
      rules: { taskTombstone: 3 * HOUR },
    });
    const other = `${LOCATION}/queues/other`;
    expect(await engine.updateQueue({ queue: { name: other } })).toMatchObject({
      tombstoneTtl: 3 * HOUR,
    });
    const create = (queue: string) =>
      engine.createTask({ ...httpTask({ name: `${queue}/tasks/t` }), parent: queue });
    await Promise.all([create(QUEUE), create(other)]);
    await clock.advance(3 * HOUR - 1);
    await expect(create(other)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await clock.advance(1);
    await create(other);
    await expect(create(QUEUE)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await clock.advance(2 * DAY - 3 * HOUR);
    await create(QUEUE);
  });
});

describe('type', () => {
  test('PULL is refused', async () => {
    const { engine } = await engineUnderTest();
    const queue = { name: `${LOCATION}/queues/pull`, type: 'PULL' as const };
    const refusal = { code: 'UNIMPLEMENTED', message: expect.stringMatching(/^Pull queues/) };
    await expect(engine.createQueue({ parent: LOCATION, queue })).rejects.toMatchObject(refusal);
    await expect(engine.updateQueue({ queue })).rejects.toMatchObject(refusal);
  });

  test('PUSH is what every queue is', async () => {
    const { engine } = await engineUnderTest();
    const queue = { name: `${LOCATION}/queues/push`, type: 'PUSH' as const };
    await engine.createQueue({ parent: LOCATION, queue });
  });
});

describe('maxBurstSize', () => {
  const RATE = { maxDispatchesPerSecond: 100 };
  const burst = async (version: 'v2' | 'v2beta3', maxBurstSize: number, updateMask?: string[]) => {
    const { engine } = await engineUnderTest();
    await engine.updateQueue({
      queue: { name: QUEUE, rateLimits: { ...RATE, maxBurstSize: 7 } },
      version: 'v2beta3',
    });
    const { rateLimits } = await engine.updateQueue({
      queue: { name: QUEUE, rateLimits: { ...RATE, ...(maxBurstSize ? { maxBurstSize } : {}) } },
      ...(updateMask ? { updateMask } : {}),
      version,
    });
    return rateLimits.maxBurstSize;
  };

  test('can be set by v2beta3', async () => {
    expect(await burst('v2beta3', 500)).toBe(500);
    expect(await burst('v2beta3', 3, ['rateLimits.maxBurstSize'])).toBe(3);
    expect(await burst('v2beta3', 3, ['rateLimits'])).toBe(3);
  });

  test('goes with the rate where that is updated without it', async () => {
    expect(await burst('v2beta3', 0)).toBe(20);
    expect(await burst('v2beta3', 3, ['rateLimits.maxDispatchesPerSecond'])).toBe(20);
    expect(await burst('v2', 3, ['rateLimits.maxDispatchesPerSecond'])).toBe(20);
    expect(await burst('v2', 3)).toBe(20);
  });

  test('stays where the rate is not updated', async () => {
    expect(await burst('v2beta3', 3, ['rateLimits.maxConcurrentDispatches'])).toBe(7);
    expect(await burst('v2', 3, ['rateLimits.maxConcurrentDispatches'])).toBe(7);
    expect(await burst('v2', 3, ['rateLimits.maxBurstSize'])).toBe(7);
  });

  test.each([-1, 501, 1.5])('may not be %d', async (size) => {
    await expect(burst('v2beta3', size)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'queue.rateLimits.maxBurstSize',
    });
  });
});

describe('stats', () => {
  test('are there only where the mask names them', async () => {
    const { engine } = await engineUnderTest();
    expect(await engine.getQueue({ name: QUEUE })).not.toHaveProperty('stats');
    expect(await engine.getQueue({ name: QUEUE, readMask: ['state'] })).not.toHaveProperty('stats');
    for (const path of ['stats', 'stats.tasksCount']) {
      expect(await engine.getQueue({ name: QUEUE, readMask: [path] })).toHaveProperty('stats', {
        tasksCount: 0,
        executedLastMinuteCount: 0,
        concurrentDispatchesCount: 0,
        effectiveExecutionRate: 500,
      });
    }
  });

  test('tell what is there, in flight and done', async () => {
    const { engine, clock, targets } = await engineUnderTest({
      target: (n) => (n <= 2 ? 200 : 'hold'),
    });
    const stats = async () => {
      const { queues } = await engine.listQueues({ parent: LOCATION, readMask: ['stats'] });
      return queues[0]?.stats;
    };
    await Promise.all([engine.createTask(httpTask()), engine.createTask(httpTask())]);
    await clock.advance(30 * SECOND);
    const scheduleTime = clock.now() + HOUR;
    await engine.createTask(httpTask({ scheduleTime }));
    expect(await stats()).toMatchObject({
      tasksCount: 1,
      oldestEstimatedArrivalTime: scheduleTime,
      executedLastMinuteCount: 2,
      concurrentDispatchesCount: 0,
    });
    await engine.createTask(httpTask());
    await clock.advance(0);
    expect(await stats()).toMatchObject({ tasksCount: 2, concurrentDispatchesCount: 1 });
    targets.sent[2]?.answer(500);
    await clock.advance(30 * SECOND);
    expect(await stats()).toMatchObject({ tasksCount: 2, executedLastMinuteCount: 1 });
    await clock.advance(MINUTE);
    expect(await stats()).toMatchObject({ executedLastMinuteCount: 0 });
  });
});

describe('an update reaches the dispatcher that runs:', () => {
  const update = (queue: Omit<QueueInput, 'name'>) => ({ queue: { name: QUEUE, ...queue } });

  test('rate and slots', async () => {
    const { engine, clock, targets } = await engineUnderTest({
      queue: { rateLimits: { maxDispatchesPerSecond: 0.001, maxConcurrentDispatches: 1 } },
      target: () => 'hold',
    });
    await Promise.all(Array.from({ length: 40 }, () => engine.createTask(httpTask())));
    await clock.advance(MINUTE);
    expect(targets.inFlight).toBe(1);
    await engine.updateQueue(
      update({ rateLimits: { maxDispatchesPerSecond: 0.001, maxConcurrentDispatches: 30 } }),
    );
    await clock.advance(MINUTE);
    // The burst.
    expect(targets.inFlight).toBe(10);
    await engine.updateQueue(
      update({ rateLimits: { maxDispatchesPerSecond: 1, maxConcurrentDispatches: 30 } }),
    );
    await clock.advance(5 * SECOND);
    expect(targets.inFlight).toBe(15);
    await clock.advance(MINUTE);
    expect(targets.inFlight).toBe(30);
  });

  test('retries', async () => {
    const { engine, clock, targets } = await engineUnderTest({
      queue: { retryConfig: { minBackoff: HOUR } },
      target: () => 'hold',
    });
    await engine.createTask(httpTask());
    await clock.advance(0);
    await engine.updateQueue(update({ retryConfig: { minBackoff: 7 * SECOND, maxAttempts: 2 } }));
    targets.sent[0]?.answer(500);
    await clock.advance(7 * SECOND);
    expect(targets.sent).toHaveLength(2);
    targets.sent[1]?.answer(500);
    await clock.advance(DAY);
    expect(targets.sent).toHaveLength(2);
    expect((await engine.listTasks({ parent: QUEUE })).tasks).toEqual([]);
  });

  test('App Engine routing', async () => {
    const { engine, clock, targets } = await engineUnderTest();
    await engine.createTask(appEngineTask({ scheduleTime: clock.now() + HOUR }));
    await engine.updateQueue(update({ appEngineRoutingOverride: { service: 'worker' } }));
    await clock.advance(HOUR);
    expect(targets.sent[0]?.dispatch.target).toMatchObject({ service: 'worker' });
  });
});
