import { describe, expect, test } from '@jest/globals';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import { QUEUE, appEngineTask, engineUnderTest, httpTask } from '../support/engine-under-test.js';
import { settled } from '../support/virtual-clock.js';

const NAMED = `${QUEUE}/tasks/t`;

describe('an attempt', () => {
  test('is sent at once, and a success takes the task away', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    const task = await engine.createTask(httpTask({ name: NAMED }));
    await clock.advance(0);
    expect(targets.sent).toHaveLength(1);
    await expect(engine.getTask({ name: task.name })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('existed recently'),
    });
  });

  test('waits for its schedule time, to the microsecond', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    const scheduleTime = clock.now() + HOUR + 1;
    await engine.createTask(httpTask({ scheduleTime }));
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(0);
    await clock.advance(1);
    expect(targets.sent.map(({ at }) => at)).toEqual([scheduleTime]);
  });

  test('leaves no timer behind when nothing is due', async () => {
    const { engine, clock } = await engineUnderTest();
    expect(clock.timers).toBe(0);
    await engine.createTask(httpTask());
    await clock.advance(0);
    // The one that sweeps the tombstone.
    expect(clock.timers).toBe(1);
    await clock.advance(2 * HOUR);
    expect(clock.timers).toBe(0);
  });
});

describe('headers', () => {
  const answers = [503, 404, 429, 500, 302, 200];

  test('of an HTTP target over six attempts are those recorded in production', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      target: (n) => answers[n - 1] ?? 0,
    });
    await engine.createTask(httpTask());
    await clock.advance(MINUTE);
    expect(targets.header('X-CloudTasks-TaskRetryCount')).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(targets.header('X-CloudTasks-TaskExecutionCount')).toEqual([
      '0',
      '0',
      '1',
      '2',
      '2',
      '3',
    ]);
    expect(targets.header('X-CloudTasks-TaskPreviousResponse')).toEqual([
      undefined,
      '503',
      '404',
      '429',
      '500',
      '302',
    ]);
    expect(targets.header('X-CloudTasks-TaskRetryReason')).toEqual([undefined, '', '', '', '', '']);
  });

  test('of an App Engine target over six attempts are those recorded in production', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      target: (n) => answers[n - 1] ?? 0,
    });
    await engine.createTask(appEngineTask());
    await clock.advance(MINUTE);
    expect(targets.header('X-AppEngine-TaskRetryCount')).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(targets.header('X-AppEngine-TaskExecutionCount')).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
    ]);
    expect(targets.header('X-AppEngine-TaskPreviousResponse')).toEqual([
      undefined,
      '503',
      '404',
      '429',
      '500',
      '302',
    ]);
    const again = 'App Error';
    expect(targets.header('X-AppEngine-TaskRetryReason')).toEqual([
      undefined,
      again,
      again,
      again,
      again,
      again,
    ]);
  });

  test('name the queue, the task and its schedule time', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    await engine.createTask(httpTask({ name: NAMED, scheduleTime: 1_768_435_200_500_000 }));
    await engine.createTask(httpTask({ scheduleTime: 1_768_435_200_266_817 }));
    await clock.advance(30 * 24 * HOUR);
    const first = targets.sent[1]?.dispatch.headers;
    expect(first).toMatchObject({
      'X-CloudTasks-QueueName': 'q',
      'X-CloudTasks-TaskName': 't',
      'X-CloudTasks-TaskETA': '1768435200.5',
      'User-Agent': 'Google-Cloud-Tasks',
    });
    expect(targets.header('X-CloudTasks-TaskETA')[0]).toBe('1768435200.266817');
  });

  test('a task cannot set what says where a request comes from', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    const headers = {
      Host: 'evil.example',
      'X-Google-Thing': '1',
      'x-appengine-queuename': 'forged',
      'X-CLOUDTASKS-TaskName': 'forged',
      'X-Engine-Signature': 'v1=00',
      'X-Own': 'kept',
    };
    await engine.createTask(httpTask({ httpRequest: { url: 'https://example.com', headers } }));
    await clock.advance(0);
    const sent = targets.sent[0]?.dispatch.headers ?? {};
    expect(Object.keys(sent).sort()).toEqual([
      'Accept-Encoding',
      'User-Agent',
      'X-CloudTasks-QueueName',
      'X-CloudTasks-TaskETA',
      'X-CloudTasks-TaskExecutionCount',
      'X-CloudTasks-TaskName',
      'X-CloudTasks-TaskRetryCount',
      'X-Own',
    ]);
  });

  test('an OIDC task carries a token for its audience, else for its URL, in place of its own', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    const url = 'https://example.com/path';
    const email = 'me@example.com';
    const request = { url, headers: { authorization: 'Bearer own' } };
    await engine.createTask(
      httpTask({
        httpRequest: { ...request, oidcToken: { serviceAccountEmail: email, audience: 'aud' } },
      }),
    );
    await engine.createTask(
      httpTask({ httpRequest: { ...request, oidcToken: { serviceAccountEmail: email } } }),
    );
    await clock.advance(0);
    expect(targets.header('Authorization')).toEqual([
      `Bearer ${email}|aud`,
      `Bearer ${email}|${url}`,
    ]);
    expect(targets.header('authorization')).toEqual([undefined, undefined]);
  });
});

describe('retries', () => {
  test('follow the schedule, counted from the response', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: {
        retryConfig: { minBackoff: 10 * SECOND, maxBackoff: 300 * SECOND, maxDoublings: 3 },
      },
      target: (n) => (n < 9 ? 500 : 200),
    });
    await engine.createTask(httpTask());
    await clock.advance(2 * HOUR);
    const times = targets.sent.map(({ at }) => at);
    const waits = times.slice(1).map((at, index) => (at - (times[index] ?? 0)) / SECOND);
    expect(waits).toEqual([10, 20, 40, 80, 160, 240, 300, 300]);
  });

  test('stop only when both limits are passed', async () => {
    const { engine, targets, clock, events } = await engineUnderTest({
      queue: {
        retryConfig: {
          maxAttempts: 3,
          maxRetryDuration: 60 * SECOND,
          minBackoff: 10 * SECOND,
          maxBackoff: 10 * SECOND,
        },
      },
      target: () => 500,
    });
    await engine.createTask(httpTask({ name: NAMED }));
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(7);
    expect(events.filter((event) => event.type === 'attempt' && event.gaveUp)).toHaveLength(1);
    await expect(engine.createTask(httpTask({ name: NAMED }))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('existed too recently'),
    });
  });

  test('keep the counts and the last status where GetTask shows them', async () => {
    const { engine, clock } = await engineUnderTest({ target: () => 503 });
    const start = clock.now();
    await engine.createTask(httpTask({ name: NAMED }));
    await clock.advance(150_000);
    const task = await engine.getTask({ name: NAMED });
    expect(task).toMatchObject({
      dispatchCount: 2,
      responseCount: 2,
      firstAttempt: { dispatchTime: start },
      lastAttempt: {
        scheduleTime: start + 100_000,
        dispatchTime: start + 100_000,
        responseTime: start + 100_000,
        responseStatus: { code: 14, message: 'UNAVAILABLE(14): HTTP status code 503' },
      },
      scheduleTime: start + 300_000,
    });
  });
});

describe('the dispatch deadline', () => {
  test('ends an attempt of an HTTP target with 504 and no response counted', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      target: (n) => (n === 1 ? 'hold' : 200),
    });
    await engine.createTask(httpTask({ name: NAMED, dispatchDeadline: 15 * SECOND }));
    await clock.advance(15 * SECOND);
    expect(await engine.getTask({ name: NAMED })).toMatchObject({
      dispatchCount: 1,
      responseCount: 0,
      lastAttempt: { responseStatus: { code: 4 } },
    });
    await clock.advance(SECOND);
    expect(targets.header('X-CloudTasks-TaskPreviousResponse')).toEqual([undefined, '504']);
    expect(targets.header('X-CloudTasks-TaskExecutionCount')).toEqual(['0', '0']);
  });

  test('ends one of an App Engine target with 0 and its own reason', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      target: (n) => (n === 1 ? 'hold' : 200),
    });
    await engine.createTask(appEngineTask());
    await clock.advance(10 * MINUTE + SECOND);
    expect(targets.header('X-AppEngine-TaskPreviousResponse')).toEqual([undefined, '0']);
    expect(targets.header('X-AppEngine-TaskRetryReason')).toEqual([
      undefined,
      'Instance Unavailable',
    ]);
  });
});

describe('limits', () => {
  test('the rate holds for a backlog, after the burst', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { rateLimits: { maxDispatchesPerSecond: 0.5 } },
    });
    const start = clock.now();
    for (let i = 0; i < 13; i++) await engine.createTask(httpTask());
    await clock.advance(MINUTE);
    const times = targets.sent.map(({ at }) => (at - start) / SECOND);
    expect(times).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 6]);
  });

  test('never more in flight than the queue has slots; an answer frees one', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { rateLimits: { maxConcurrentDispatches: 3 } },
      target: () => 'hold',
    });
    for (let i = 0; i < 8; i++) await engine.createTask(httpTask());
    await clock.advance(SECOND);
    expect(targets.sent).toHaveLength(3);
    targets.sent[1]?.answer(200);
    await settled();
    expect(targets.sent).toHaveLength(4);
    expect(targets.mostInFlight).toBe(3);
  });

  test('an update changes them while tasks wait', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { rateLimits: { maxConcurrentDispatches: 1 } },
      target: () => 'hold',
    });
    for (let i = 0; i < 4; i++) await engine.createTask(httpTask());
    await clock.advance(0);
    expect(targets.sent).toHaveLength(1);
    await engine.updateQueue({
      queue: { name: QUEUE, rateLimits: { maxConcurrentDispatches: 3 } },
      updateMask: ['rateLimits.maxConcurrentDispatches'],
    });
    await clock.advance(0);
    expect(targets.sent).toHaveLength(3);
  });
});

describe('queue verbs on a running queue', () => {
  test('a paused queue takes tasks and sends none until it is resumed', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    await engine.pauseQueue({ name: QUEUE });
    await engine.createTask(httpTask());
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(0);
    await engine.resumeQueue({ name: QUEUE });
    await clock.advance(0);
    expect(targets.sent).toHaveLength(1);
  });

  test('a purge takes what was created before it, not after', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    await engine.pauseQueue({ name: QUEUE });
    await engine.createTask(httpTask({ name: NAMED }));
    await engine.purgeQueue({ name: QUEUE });
    await engine.createTask(httpTask({ name: `${QUEUE}/tasks/later` }));
    await engine.resumeQueue({ name: QUEUE });
    await clock.advance(0);
    expect(targets.header('X-CloudTasks-TaskName')).toEqual(['later']);
    await expect(engine.createTask(httpTask({ name: NAMED }))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  test('a deleted queue sends nothing more, and its name stays taken for 7 days', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    await engine.createTask(httpTask({ scheduleTime: clock.now() + MINUTE }));
    await engine.deleteQueue({ name: QUEUE });
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(0);
    const again = () =>
      engine.createQueue({
        parent: 'projects/demo/locations/here',
        queue: { name: QUEUE },
      });
    await expect(again()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await clock.advance(7 * 24 * HOUR);
    expect(await again()).toMatchObject({ state: 'RUNNING' });
    expect((await engine.listTasks({ parent: QUEUE })).tasks).toEqual([]);
  });
});

describe('deleteTask', () => {
  test('of a task in flight lets the attempt finish and ignores its failure', async () => {
    const { engine, targets, clock } = await engineUnderTest({ target: () => 'hold' });
    await engine.createTask(httpTask({ name: NAMED }));
    await clock.advance(0);
    await engine.deleteTask({ name: NAMED });
    targets.sent[0]?.answer(500);
    await clock.advance(HOUR);
    expect(targets.sent).toHaveLength(1);
  });
});

describe('runTask', () => {
  test('sends at once, past schedule, pause and slots', async () => {
    const { engine, targets, clock } = await engineUnderTest();
    await engine.pauseQueue({ name: QUEUE });
    await engine.createTask(httpTask({ name: NAMED, scheduleTime: clock.now() + HOUR }));
    expect(await engine.runTask({ name: NAMED })).toMatchObject({ name: NAMED, dispatchCount: 1 });
    await settled();
    expect(targets.sent).toHaveLength(1);
    await expect(engine.getTask({ name: NAMED })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('on failure the next attempt counts from the call', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { retryConfig: { minBackoff: 30 * SECOND } },
      target: () => 'hold',
    });
    await engine.createTask(httpTask({ name: NAMED, scheduleTime: clock.now() + HOUR }));
    const call = clock.now();
    await engine.runTask({ name: NAMED });
    await clock.advance(10 * SECOND);
    targets.sent[0]?.answer(500);
    await settled();
    expect((await engine.getTask({ name: NAMED })).scheduleTime).toBe(call + 30 * SECOND);
    await clock.advance(20 * SECOND);
    expect(targets.sent).toHaveLength(2);
    await clock.advance(2 * HOUR);
    expect(targets.sent.length).toBeGreaterThan(2);
  });
});

describe('drain', () => {
  test('starts nothing new and waits for what is in flight', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { rateLimits: { maxConcurrentDispatches: 1 } },
      target: () => 'hold',
    });
    await engine.createTask(httpTask());
    await engine.createTask(httpTask());
    await clock.advance(0);
    let drained = false;
    const done = engine.drain().then(() => (drained = true));
    await settled();
    expect(drained).toBe(false);
    targets.sent[0]?.answer(200);
    await done;
    expect(targets.sent).toHaveLength(1);
    expect((await engine.listTasks({ parent: QUEUE })).tasks).toHaveLength(1);
  });
});
