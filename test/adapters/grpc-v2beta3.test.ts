/** What v2beta3 adds to v2, asked by the client that Google's package has for it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CloudTasksClient, v2beta3 } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';
import { PassThroughClient } from 'google-auth-library';
import { DAY, HOUR } from '../../src/engine/time.js';
import type { EngineUnderTest } from '../support/engine-under-test.js';
import { engineUnderTest, LOCATION, QUEUE } from '../support/engine-under-test.js';
import type { GrpcPort } from '../support/grpc-port.js';
import { grpcPort } from '../support/grpc-port.js';

let under: EngineUnderTest;
let port: GrpcPort;
let beta: v2beta3.CloudTasksClient;
let v2: CloudTasksClient;

beforeEach(async () => {
  under = await engineUnderTest();
  port = await grpcPort(under.engine);
  const { hostname, port: number } = new URL(port.url);
  const options = {
    apiEndpoint: hostname,
    port: Number(number),
    sslCreds: credentials.createInsecure(),
    authClient: new PassThroughClient(),
  };
  beta = new v2beta3.CloudTasksClient(options);
  v2 = new CloudTasksClient(options);
});

afterEach(async () => {
  await Promise.all([beta.close(), v2.close()]);
  await port.close();
  under.engine.abandon();
});

const HTTP_TARGET = {
  uriOverride: {
    scheme: 'HTTP' as const,
    host: 'a.example',
    port: 8080,
    pathOverride: { path: '/p' },
    uriOverrideEnforceMode: 'ALWAYS' as const,
  },
  httpMethod: 'PUT' as const,
  headerOverrides: [{ header: { key: 'X-A', value: 'b' } }],
};
const SETTINGS = {
  httpTarget: HTTP_TARGET,
  rateLimits: { maxDispatchesPerSecond: 10, maxBurstSize: 3 },
  taskTtl: { seconds: 20 * 86_400 },
  tombstoneTtl: { seconds: 7200 },
};
const KEPT = {
  httpTarget: { ...HTTP_TARGET, uriOverride: { ...HTTP_TARGET.uriOverride, port: '8080' } },
  taskTtl: { seconds: '1728000' },
  tombstoneTtl: { seconds: '7200' },
};

describe('a queue', () => {
  test('comes with its defaults, as a push queue', async () => {
    const [queue] = await beta.createQueue({
      parent: LOCATION,
      queue: { name: `${LOCATION}/queues/new`, type: 'PUSH', appEngineHttpQueue: {} },
    });
    expect(queue).toMatchObject({
      state: 'RUNNING',
      type: 'PUSH',
      httpTarget: null,
      stats: null,
      rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100 },
      taskTtl: { seconds: String((31 * DAY) / 1e6) },
      tombstoneTtl: { seconds: String(HOUR / 1e6) },
    });
  });

  test('can have what v2 lacks, a burst of its own too', async () => {
    const [queue] = await beta.updateQueue({ queue: { name: QUEUE, ...SETTINGS } });
    expect(queue).toMatchObject({ ...KEPT, rateLimits: { maxBurstSize: 3 } });
    const [read] = await beta.getQueue({ name: QUEUE });
    expect(read).toEqual(queue);
  });

  test('keeps that through an update by v2', async () => {
    await beta.updateQueue({ queue: { name: QUEUE, ...SETTINGS } });
    await v2.updateQueue({ queue: { name: QUEUE, rateLimits: { maxConcurrentDispatches: 5 } } });
    const [queue] = await beta.getQueue({ name: QUEUE });
    expect(queue).toMatchObject({
      ...KEPT,
      rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 5 },
    });
    const foreign = v2.updateQueue({
      queue: { name: QUEUE },
      updateMask: { paths: ['http_target'] },
    });
    await expect(foreign).rejects.toMatchObject({
      code: 3,
      details: 'Invalid mask for Queue: httpTarget',
    });
  });

  test('takes masks to any depth, and names App Engine routing its own way', async () => {
    await beta.updateQueue({ queue: { name: QUEUE, ...SETTINGS } });
    const [queue] = await beta.updateQueue({
      queue: {
        name: QUEUE,
        httpTarget: { uriOverride: { host: 'b.example' } },
        appEngineHttpQueue: { appEngineRoutingOverride: { service: 'worker' } },
      },
      updateMask: {
        paths: [
          'http_target.uri_override.host',
          'http_target.header_overrides',
          'app_engine_http_queue.app_engine_routing_override.service',
          'task_ttl',
        ],
      },
    });
    expect(queue).toMatchObject({
      appEngineHttpQueue: { appEngineRoutingOverride: { service: 'worker' } },
      httpTarget: { uriOverride: { host: 'b.example', port: '8080' }, headerOverrides: [] },
      taskTtl: { seconds: String((31 * DAY) / 1e6) },
      tombstoneTtl: KEPT.tombstoneTtl,
    });
    const [without] = await beta.updateQueue({
      queue: { name: QUEUE },
      updateMask: { paths: ['app_engine_http_queue'] },
    });
    expect(without.appEngineHttpQueue ?? null).toBeNull();
  });

  test('is refused as a pull queue, with a sentence', async () => {
    const queue = { name: `${LOCATION}/queues/pull`, type: 'PULL' as const };
    await expect(beta.createQueue({ parent: LOCATION, queue })).rejects.toMatchObject({
      code: 12,
      details: 'Pull queues are not served: give the queue the type PUSH, or none.',
    });
  });

  test('is refused with an empty host', async () => {
    const queue = { name: QUEUE, httpTarget: { uriOverride: { host: '' } } };
    await expect(beta.updateQueue({ queue })).rejects.toMatchObject({ code: 3 });
  });
});

describe('a read mask', () => {
  test('gives just what it names, statistics too', async () => {
    const readMask = { paths: ['name', 'rate_limits.max_burst_size', 'stats'] };
    const [queue] = await beta.getQueue({ name: QUEUE, readMask });
    expect(queue).toMatchObject({
      name: QUEUE,
      rateLimits: { maxBurstSize: 100, maxConcurrentDispatches: 0 },
      retryConfig: null,
      stats: { tasksCount: '0', effectiveExecutionRate: 500 },
    });
    const [[listed]] = await beta.listQueues({ parent: LOCATION, readMask });
    expect(listed).toEqual(queue);
  });

  test('of everything still leaves statistics out', async () => {
    const [queue] = await beta.getQueue({ name: QUEUE, readMask: { paths: ['*'] } });
    expect(queue).toMatchObject({ name: QUEUE, state: 'RUNNING', stats: null });
  });

  test('is refused where it names what there is not', async () => {
    const asked = beta.getQueue({ name: QUEUE, readMask: { paths: ['nonsense'] } });
    await expect(asked).rejects.toMatchObject({
      code: 3,
      details: 'Invalid mask for Queue: nonsense',
    });
  });
});

test('a task is the same one in both versions', async () => {
  await beta.pauseQueue({ name: QUEUE });
  const body = Buffer.from('body');
  const [created] = await beta.createTask({
    parent: QUEUE,
    task: {
      httpRequest: { url: 'https://a.example/', httpMethod: 'PUT', headers: { A: 'b' }, body },
    },
    responseView: 'FULL',
  });
  expect(created).toMatchObject({
    payloadType: 'httpRequest',
    httpRequest: { httpMethod: 'PUT', headers: { A: 'b' }, body },
    dispatchDeadline: { seconds: '600' },
    view: 'FULL',
  });
  const name = created.name ?? '';
  const [read] = await v2.getTask({ name, responseView: 'FULL' });
  expect(read).toMatchObject({ name, httpRequest: { httpMethod: 'PUT', body } });
  const [[listed]] = await beta.listTasks({ parent: QUEUE });
  expect(listed).toMatchObject({ name, view: 'BASIC' });
  await beta.deleteTask({ name });
  await expect(beta.getTask({ name })).rejects.toMatchObject({ code: 5 });
});

test('IAM and the states of a queue are served too', async () => {
  const [policy] = await beta.setIamPolicy({
    resource: QUEUE,
    policy: { bindings: [{ role: 'roles/owner', members: ['user:a@x'] }] },
  });
  const [read] = await v2.getIamPolicy({ resource: QUEUE });
  expect(read).toEqual(policy);
  const [paused] = await beta.pauseQueue({ name: QUEUE });
  expect(paused).toMatchObject({ state: 'PAUSED' });
  const [resumed] = await beta.resumeQueue({ name: QUEUE });
  expect(resumed).toMatchObject({ state: 'RUNNING' });
  const [purged] = await beta.purgeQueue({ name: QUEUE });
  expect(purged).toHaveProperty('purgeTime.seconds');
  await beta.deleteQueue({ name: QUEUE });
  await expect(v2.getQueue({ name: QUEUE })).rejects.toMatchObject({ code: 5 });
});

describe('locations', () => {
  test('are those of the queues, and a first one', async () => {
    const names: unknown[] = [];
    for await (const { name } of v2.listLocationsAsync({ name: 'projects/demo' })) names.push(name);
    expect(names).toEqual([LOCATION, 'projects/demo/locations/us-central1']);
  });

  test('are listed in pages', async () => {
    const names: unknown[] = [];
    const request = { name: 'projects/demo', pageSize: 1 };
    for await (const { name } of beta.listLocationsAsync(request)) names.push(name);
    expect(names).toHaveLength(2);
  });

  test('are told one by one', async () => {
    const name = 'projects/demo/locations/europe-west1';
    // The client's own type of it knows of no callback's arguments, which there are.
    const [location] = (await v2.getLocation({ name })) as unknown as object[];
    expect(location).toMatchObject({
      name,
      locationId: 'europe-west1',
      labels: { 'cloud.googleapis.com/region': 'europe-west1' },
    });
    await expect(v2.getLocation({ name: 'nonsense' })).rejects.toMatchObject({ code: 7 });
  });
});

describe('batches', () => {
  const names = ['a', 'b', 'c'].map((id) => `${QUEUE}/tasks/${id}`);
  const create = (...taken: string[]) =>
    beta.batchCreateTasks({
      parent: QUEUE,
      requests: taken.map((name) => ({ parent: QUEUE, task: { ...HTTP, name } })),
    });
  const HTTP = { httpRequest: { url: 'https://a.example/', body: Buffer.from('body') } };

  beforeEach(() => beta.pauseQueue({ name: QUEUE }));

  test('are operations that are done when the client first hears of them', async () => {
    const [a = '', b = '', c = ''] = names;
    const [operation] = await create(a, b, a);
    const [{ tasks }, metadata] = await operation.promise();
    expect(tasks).toMatchObject([
      // Inside of an operation the client leaves enums as their numbers.
      { name: a, view: 1, httpRequest: { httpMethod: 1 } },
      { name: b },
    ]);
    expect(metadata).toMatchObject({ state: 5 });
    expect(metadata.failedRequests).toMatchObject({
      2: { code: 6, message: 'Requested entity already exists' },
    });
    const known = await beta.checkBatchCreateTasksProgress(operation.name ?? '');
    expect(known).toMatchObject({ done: true, metadata: { state: 5 } });

    const [deletes] = await beta.batchDeleteTasks({ parent: QUEUE, names: [a, b, c] });
    const [, deleted] = await deletes.promise();
    expect(deleted).toMatchObject({ state: 3 });
    expect(deleted.failedRequests).toMatchObject({ 2: { code: 5 } });
  });

  test('of which all fail end with an error', async () => {
    const [operation] = await beta.batchDeleteTasks({ parent: QUEUE, names });
    await expect(operation.promise()).rejects.toMatchObject({
      code: 10,
      message: expect.stringMatching(/^None of the requests succeeded, refer to BatchDelete/),
    });
  });

  test('are not found when nobody made them', async () => {
    const name = `${LOCATION}/operations/none`;
    await expect(beta.checkBatchDeleteTasksProgress(name)).rejects.toMatchObject({ code: 5 });
  });
});

test("a location's key is kept", async () => {
  const cmekConfig = {
    name: `${LOCATION}/cmekConfig`,
    kmsKey: 'projects/p/locations/l/keyRings/r/cryptoKeys/k',
  };
  const [updated] = await beta.updateCmekConfig({ cmekConfig, updateMask: { paths: ['kms_key'] } });
  expect(updated).toEqual(cmekConfig);
  const [read] = await beta.getCmekConfig({ name: cmekConfig.name });
  expect(read).toEqual(cmekConfig);
});

test('an error has the help that production gives, as the client reads it', async () => {
  await expect(v2.getQueue({ name: 'nonsense' })).rejects.toMatchObject({
    code: 3,
    statusDetails: [
      { links: [{ description: 'Definition of queue name' }] },
      { fieldViolations: [{ field: 'name' }] },
    ],
  });
  await expect(v2.listQueues({ parent: 'nonsense' })).rejects.toMatchObject({
    code: 7,
    reason: 'CONSUMER_INVALID',
    domain: 'googleapis.com',
    errorInfoMetadata: { consumer: 'projects/nonsense' },
  });
});
