/** What only v2beta3 and REST have beside queues: batches, buffered tasks and keys of locations. */
import { describe, expect, test } from '@jest/globals';
import type { TaskInput } from '../../src/engine/cloud-tasks-api.js';
import { engineUnderTest, httpTask, LOCATION, QUEUE } from '../support/engine-under-test.js';

const ID = '01234567-89ab-4cde-8f01-23456789abcd';
const named = (...ids: string[]) => ids.map((id) => `${QUEUE}/tasks/${id}`);

async function paused() {
  const under = await engineUnderTest();
  await under.engine.pauseQueue({ name: QUEUE });
  const ids = async () => {
    const { tasks } = await under.engine.listTasks({ parent: QUEUE });
    return tasks.map(({ name }) => name.slice(name.lastIndexOf('/') + 1));
  };
  return { ...under, ids };
}

const requests = (...tasks: Partial<TaskInput>[]) =>
  tasks.map((task) => ({ ...httpTask(task), parent: '' }));

describe('a batch of creates', () => {
  test('is an operation that is done, with the tasks in their order', async () => {
    const { engine, clock, ids } = await paused();
    const [a = '', b = ''] = named('a', 'b');
    const operation = await engine.batchCreateTasks({
      parent: QUEUE,
      requests: [...requests({ name: b }), { ...httpTask({ name: a }), responseView: 'FULL' }],
    });
    expect(operation).toMatchObject({
      name: expect.stringMatching(/^projects\/demo\/locations\/here\/operations\/[\da-f-]{36}$/),
      kind: 'create',
      state: 'SUCCEEDED',
      startTime: clock.now(),
      endTime: clock.now(),
      failedRequests: {},
      tasks: [
        { name: b, view: 'BASIC' },
        { name: a, view: 'FULL' },
      ],
    });
    expect(operation).not.toHaveProperty('error');
    expect(await ids()).toEqual(['b', 'a']);
    expect(await engine.getOperation({ name: operation.name })).toEqual(operation);
  });

  test('creates what can be created, and tells of the rest by its place', async () => {
    const { engine, ids } = await paused();
    const [a = ''] = named('a');
    const other = `${LOCATION}/queues/other/tasks/a`;
    const operation = await engine.batchCreateTasks({
      parent: QUEUE,
      requests: requests({ name: a }, { name: a }, {}, { name: other }),
    });
    expect(operation).toMatchObject({
      state: 'PARTIALLY_SUCCEEDED',
      failedRequests: {
        1: { code: 'ALREADY_EXISTS', message: 'Requested entity already exists' },
        3: { code: 'INVALID_ARGUMENT' },
      },
    });
    expect(operation.tasks).toHaveLength(2);
    expect(await ids()).toHaveLength(2);
  });

  test('of which all fail has an error of its own', async () => {
    const { engine } = await paused();
    const operation = await engine.batchCreateTasks({
      parent: QUEUE,
      requests: requests({ httpRequest: { url: '' } }),
    });
    expect(operation).toMatchObject({
      state: 'FAILED',
      failedRequests: { 0: { code: 'INVALID_ARGUMENT', message: 'HttpRequest.url is required.' } },
      error: {
        code: 'ABORTED',
        message:
          'None of the requests succeeded, refer to BatchCreateTasksMetadata.failed_requests for individual error details',
      },
    });
  });

  test('is carried out once, however often it is asked for by its id', async () => {
    const { engine, ids } = await paused();
    const request = { parent: QUEUE, requests: requests({}, {}), requestId: ID };
    const [first, second] = await Promise.all([
      engine.batchCreateTasks(request),
      engine.batchCreateTasks({ ...request, requestId: ID.toUpperCase() }),
    ]);
    expect(second).toEqual(first);
    expect(await engine.batchCreateTasks(request)).toEqual(first);
    expect(first.name).toBe(`${LOCATION}/operations/${ID}`);
    expect(await ids()).toHaveLength(2);
  });

  test.each([
    ['requests', { requests: [] }],
    ['requests', { requests: requests(...Array.from({ length: 101 }, () => ({}))) }],
    ['requests[0].parent', { requests: [{ ...httpTask(), parent: `${LOCATION}/queues/other` }] }],
    ['requestId', { requests: requests({}), requestId: 'again' }],
    ['parent', { requests: requests({}), parent: 'nonsense' }],
  ])('is refused as a whole for its %s', async (field, request) => {
    const { engine, ids } = await paused();
    await expect(engine.batchCreateTasks({ parent: QUEUE, ...request })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
    expect(await ids()).toEqual([]);
  });

  test('for a queue that is not there is refused as a whole', async () => {
    const { engine } = await paused();
    const request = { parent: `${LOCATION}/queues/other`, requests: requests({}) };
    await expect(engine.batchCreateTasks(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a batch of deletes', () => {
  test('deletes what is there, and tells of the rest by its place', async () => {
    const { engine, ids } = await paused();
    const names = named('a', 'b', 'never');
    await engine.batchCreateTasks({
      parent: QUEUE,
      requests: requests(...named('a', 'b', 'c').map((name) => ({ name }))),
    });
    const operation = await engine.batchDeleteTasks({
      parent: QUEUE,
      names: [...names, `${LOCATION}/queues/other/tasks/a`],
    });
    expect(operation).toMatchObject({
      kind: 'delete',
      state: 'PARTIALLY_SUCCEEDED',
      failedRequests: { 2: { code: 'NOT_FOUND' }, 3: { code: 'INVALID_ARGUMENT' } },
    });
    expect(await ids()).toEqual(['c']);
    const again = await engine.batchDeleteTasks({ parent: QUEUE, names });
    expect(again).toMatchObject({
      state: 'FAILED',
      error: {
        code: 'ABORTED',
        message:
          'None of the requests succeeded, refer to BatchDeleteTasksMetadata.failed_requests for individual error details',
      },
    });
  });

  test('has 1000 names at most', async () => {
    const { engine } = await paused();
    const names = named(...Array.from({ length: 1001 }, (_, index) => `${index}`));
    await expect(engine.batchDeleteTasks({ parent: QUEUE, names })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'names',
    });
  });
});

test('an operation that nobody knows is not found, and old ones are forgotten', async () => {
  const { engine } = await paused();
  const begin = (count: number) =>
    engine.batchDeleteTasks({
      parent: QUEUE,
      names: named('x'),
      requestId: `${ID.slice(0, -4)}${String(count).padStart(4, '0')}`,
    });
  const { name } = await begin(0);
  for (let count = 1; count < 1000; count++) await begin(count);
  await engine.getOperation({ name });
  await begin(1000);
  await expect(engine.getOperation({ name })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('large operations are forgotten sooner: they hold what they created', async () => {
  const { engine } = await paused();
  const begin = (count: number) =>
    engine.batchCreateTasks({
      parent: QUEUE,
      requests: Array.from({ length: 100 }, () => httpTask()),
      requestId: `${ID.slice(0, -4)}${String(count).padStart(4, '0')}`,
    });
  const { name } = await begin(0);
  for (let count = 1; count < 50; count++) await begin(count);
  expect(await engine.getOperation({ name })).toMatchObject({ state: 'SUCCEEDED' });
  await begin(50);
  await expect(engine.getOperation({ name })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('a buffered task', () => {
  const body = new Uint8Array([1, 2]);
  const uriOverride = { host: 'a.example', port: 81, pathOverride: { path: '/p' } };

  test('goes where its queue says', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { httpTarget: { uriOverride } },
    });
    const task = await engine.bufferTask({ queue: QUEUE, taskId: 'named', body });
    expect(task).toMatchObject({
      name: `${QUEUE}/tasks/named`,
      httpRequest: {
        url: 'https://a.example:81/p',
        headers: { 'Content-Type': 'application/json' },
      },
    });
    await engine.bufferTask({
      queue: QUEUE,
      taskId: '',
      headers: { 'content-type': 'text/plain' },
    });
    await clock.advance(0);
    expect(targets.sent.map(({ dispatch }) => dispatch)).toMatchObject([
      { method: 'POST', target: { url: 'https://a.example:81/p' }, body },
      { method: 'POST', headers: { 'content-type': 'text/plain' } },
    ]);
    expect(targets.header('Content-Type')).toEqual(['application/json', undefined]);
  });

  test('is sent by the method that its queue says', async () => {
    const { engine, targets, clock } = await engineUnderTest({
      queue: { httpTarget: { uriOverride, httpMethod: 'GET' } },
    });
    await engine.bufferTask({ queue: QUEUE, body });
    await clock.advance(0);
    expect(targets.sent[0]?.dispatch).toMatchObject({ method: 'GET' });
    expect(targets.sent[0]?.dispatch).not.toHaveProperty('body');
  });

  test.each([
    {},
    { httpTarget: { uriOverride: { port: 1 } } },
    { httpTarget: { httpMethod: 'PUT' as const } },
  ])('is refused by a queue of %j, which has no host', async (queue) => {
    const { engine } = await engineUnderTest({ queue });
    await expect(engine.bufferTask({ queue: QUEUE })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  test('is refused with a bad id, and by a queue that is not there', async () => {
    const { engine } = await engineUnderTest({ queue: { httpTarget: { uriOverride } } });
    await expect(engine.bufferTask({ queue: QUEUE, taskId: 'a b' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(engine.bufferTask({ queue: `${QUEUE}x` })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe("a location's key", () => {
  const name = `${LOCATION}/cmekConfig`;
  const kmsKey = 'projects/p/locations/l/keyRings/r/cryptoKeys/k';

  test('is kept until it is taken away', async () => {
    const { engine, store } = await engineUnderTest();
    expect(await engine.getCmekConfig({ name })).toEqual({ name, kmsKey: '' });
    const config = { name, kmsKey };
    expect(await engine.updateCmekConfig({ cmekConfig: config })).toEqual(config);
    const { engine: after } = await engineUnderTest({ store });
    expect(await after.getCmekConfig({ name })).toEqual(config);
    const none = { name, kmsKey: '' };
    const unnamed = { cmekConfig: none, updateMask: ['name'] };
    expect(await engine.updateCmekConfig(unnamed)).toEqual(config);
    expect(await engine.updateCmekConfig({ cmekConfig: none, updateMask: ['kmsKey'] })).toEqual(
      none,
    );
    expect(await engine.getCmekConfig({ name })).toEqual(none);
  });

  test.each([
    ['cmekConfig.name', { cmekConfig: { name: LOCATION, kmsKey } }],
    ['cmekConfig.kmsKey', { cmekConfig: { name, kmsKey: 'k' } }],
    ['updateMask', { cmekConfig: { name, kmsKey }, updateMask: ['nonsense'] }],
  ])('is refused for its %s', async (field, request) => {
    const { engine } = await engineUnderTest();
    await expect(engine.updateCmekConfig(request)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });
});
