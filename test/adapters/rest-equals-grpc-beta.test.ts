/** v2beta3 by Google's own client for it: the same over REST and gRPC, and all of it kept. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { v2beta3 } from '@google-cloud/tasks';
import type { google } from '@google-cloud/tasks/build/protos';
import { credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { PassThroughClient } from 'google-auth-library';
import { engineUnderTest, LOCATION } from '../support/engine-under-test.js';
import { grpcPort } from '../support/grpc-port.js';
import { restPort } from '../support/rest-port.js';

type Queue = google.cloud.tasks.v2beta3.IQueue;
type Task = google.cloud.tasks.v2beta3.ITask;
type Client = v2beta3.CloudTasksClient;

let nowSeconds: number;
let grpc: Client;
let rest: Client;
let close: () => Promise<void>;

beforeAll(async () => {
  const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
  nowSeconds = clock.now() / 1e6;
  const ports = await Promise.all([grpcPort(engine), restPort(engine)]);
  const options = ({ url }: { url: string }) => ({
    apiEndpoint: '127.0.0.1',
    port: Number(new URL(url).port),
    authClient: new PassThroughClient(),
  });
  const sslCreds = credentials.createInsecure();
  grpc = new v2beta3.CloudTasksClient({ ...options(ports[0]), sslCreds });
  rest = new v2beta3.CloudTasksClient({ ...options(ports[1]), fallback: true, protocol: 'http' });
  close = async () => {
    await Promise.all([grpc.close(), rest.close()]);
    await Promise.all(ports.map((port) => port.close()));
    engine.abandon();
    expect(ports.flatMap(({ errors }) => errors)).toEqual([]);
  };
});

afterAll(() => close());

const whole = (min: number, max: number) => fc.integer({ min, max });
const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });
const optional = <Fields extends object>(fields: {
  [Key in keyof Fields]: fc.Arbitrary<Fields[Key]>;
}) => fc.record(fields, { requiredKeys: [] });
const duration = (minMs: number, maxMs: number) =>
  whole(minMs, maxMs).map((ms) => ({
    seconds: Math.floor(ms / 1000),
    nanos: (ms % 1000) * 1_000_000,
  }));
const DAY_SECONDS = 86_400;

const email = fc.constant('caller@demo.iam.gserviceaccount.com');
const headerName = fc.stringMatching(/^X-[A-Z][a-z]{1,9}$/);
const headerValue = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
const method = fc.constantFrom('POST', 'PUT', 'PATCH', 'GET', 'DELETE', 'HEAD', 'OPTIONS');
const token = fc.constantFrom<Task['httpRequest']>(
  {},
  { oidcToken: { serviceAccountEmail: 'a@demo', audience: 'https://a.example' } },
  { oauthToken: { serviceAccountEmail: 'a@demo', scope: 'https://s.example' } },
);

const httpTarget = fc
  .tuple(
    token,
    fc.record(
      {
        uriOverride: fc.record(
          {
            host: fc.domain(),
            scheme: fc.constantFrom('HTTP', 'HTTPS'),
            port: whole(1, 65_535),
            pathOverride: fc.record({ path: fc.webPath().map((path) => path || '/') }),
            queryOverride: fc.record({ queryParams: fc.webQueryParameters() }),
            uriOverrideEnforceMode: fc.constantFrom('ALWAYS', 'IF_NOT_EXISTS'),
          },
          { requiredKeys: ['host'] },
        ),
        httpMethod: method,
        headerOverrides: fc.array(
          fc.record({ header: fc.record({ key: headerName, value: headerValue }) }),
          { maxLength: 3 },
        ),
      },
      { requiredKeys: ['uriOverride'] },
    ),
  )
  .map(([authorization, target]) => ({ ...target, ...authorization }));

const queue = optional({
  rateLimits: optional({
    maxDispatchesPerSecond: fc.double({ min: 0.001, max: 500, noNaN: true }),
    maxBurstSize: whole(1, 500),
    maxConcurrentDispatches: whole(1, 5000),
  }),
  retryConfig: optional({
    maxAttempts: fc.oneof(fc.constant(-1), whole(1, 2 ** 31 - 1)),
    maxRetryDuration: whole(1, 10 ** 9).map((seconds) => ({ seconds })),
    minBackoff: duration(1, 1000),
    maxBackoff: duration(1000, 10 ** 9),
    maxDoublings: whole(1, 100),
  }),
  stackdriverLoggingConfig: fc.record({
    samplingRatio: fc.double({ min: 0.001, max: 1, noNaN: true }),
  }),
  type: fc.constant('PUSH'),
  taskTtl: whole(10 * DAY_SECONDS, 3650 * DAY_SECONDS).map((seconds) => ({ seconds })),
  tombstoneTtl: whole(3600, 9 * DAY_SECONDS).map((seconds) => ({ seconds })),
  httpTarget,
  appEngineHttpQueue: fc.record({
    appEngineRoutingOverride: optional({ service: fc.constant('worker'), version: text }),
  }),
}) as fc.Arbitrary<Queue>;

const task = fc
  .record({
    target: fc.oneof(
      fc.record({
        httpRequest: fc.record(
          {
            url: fc.webUrl({ validSchemes: ['https'], withQueryParameters: true }),
            httpMethod: fc.constantFrom('POST', 'PUT', 'PATCH'),
            headers: fc.dictionary(headerName, headerValue, { maxKeys: 4 }),
            body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
            oidcToken: fc.record({ serviceAccountEmail: email, audience: text }),
          },
          { requiredKeys: ['url'] },
        ),
      }),
      fc.record({
        appEngineHttpRequest: optional({
          relativeUri: fc.webPath().map((path) => path || '/'),
          httpMethod: fc.constantFrom('POST', 'PUT'),
          body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
          appEngineRouting: optional({ service: fc.constant('worker'), version: text }),
        }),
      }),
    ),
    seconds: whole(1, 29 * DAY_SECONDS),
    microseconds: whole(0, 999_999),
    dispatchDeadline: duration(15_000, 1_800_000),
  })
  .map(({ target, seconds, microseconds, dispatchDeadline }) => ({
    ...target,
    scheduleTime: { seconds: nowSeconds + seconds, nanos: microseconds * 1000 },
    dispatchDeadline,
  })) as fc.Arbitrary<Task>;

let made = 0;

const queueName = () => `${LOCATION}/queues/made-${++made}`;

/** Read by both; they must not differ. */
async function readQueue(name: string): Promise<Queue> {
  const readMask = { paths: ['*', 'stats'] };
  const [byGrpc] = await grpc.getQueue({ name, readMask });
  const [byRest] = await rest.getQueue({ name, readMask });
  expect(byRest).toEqual(byGrpc);
  return byGrpc;
}

test('a queue is the same by REST and by gRPC, whichever made it', async () => {
  await fc.assert(
    fc.asyncProperty(queue, async (settings) => {
      const [one, two] = [queueName(), queueName()];
      const [byGrpc] = await grpc.createQueue({
        parent: LOCATION,
        queue: { ...settings, name: one },
      });
      const [byRest] = await rest.createQueue({
        parent: LOCATION,
        queue: { ...settings, name: two },
      });
      expect({ ...byRest, name: one }).toEqual(byGrpc);
      expect({ ...(await readQueue(two)), name: one }).toEqual(await readQueue(one));
    }),
  );
}, 60_000);

const MASKS = [
  'rate_limits',
  'rate_limits.max_burst_size',
  'retry_config.max_backoff',
  'stackdriver_logging_config',
  'task_ttl',
  'tombstone_ttl',
  'http_target',
  'http_target.header_overrides',
  'app_engine_http_queue',
];

test('an update by REST and by gRPC changes the same, and nothing that its mask leaves out', async () => {
  await fc.assert(
    fc.asyncProperty(
      queue,
      queue,
      fc.subarray(MASKS, { minLength: 1 }),
      async (before, change, paths) => {
        const [one, two] = [queueName(), queueName()];
        for (const name of [one, two]) {
          await grpc.createQueue({ parent: LOCATION, queue: { ...before, name } });
        }
        const request = (name: string) => ({
          queue: { ...change, name },
          updateMask: { paths },
        });
        const was = await readQueue(one);
        const outcomes = await Promise.allSettled([
          grpc.updateQueue(request(one)),
          rest.updateQueue(request(two)),
        ]);
        // Some pairs make no sense together, a backoff above its most for one: both are refused.
        expect(new Set(outcomes.map(({ status }) => status)).size).toBe(1);
        const is = await readQueue(one);
        expect({ ...(await readQueue(two)), name: one }).toEqual(is);
        const changed = new Set(paths.map((path) => path.split('.')[0]));
        const untouched: [string, keyof Queue][] = [
          ['task_ttl', 'taskTtl'],
          ['tombstone_ttl', 'tombstoneTtl'],
          ['retry_config', 'retryConfig'],
          ['http_target', 'httpTarget'],
          ['app_engine_http_queue', 'appEngineHttpQueue'],
        ];
        for (const [path, field] of untouched) {
          if (!changed.has(path)) expect(is[field]).toEqual(was[field]);
        }
      },
    ),
  );
}, 60_000);

test('a task is the same by REST and by gRPC, whichever made it', async () => {
  const parent = queueName();
  await grpc.createQueue({ parent: LOCATION, queue: { name: parent } });
  await fc.assert(
    fc.asyncProperty(task, async (input) => {
      const request = { parent, task: input, responseView: 'FULL' as const };
      const [byGrpc] = await grpc.createTask(request);
      const [byRest] = await rest.createTask(request);
      expect({ ...plain(byRest), name: byGrpc.name }).toEqual(plain(byGrpc));
      for (const { name } of [byGrpc, byRest]) {
        const read = { name: name ?? '', responseView: 'FULL' as const };
        const [one] = await grpc.getTask(read);
        const [two] = await rest.getTask(read);
        expect(plain(two)).toEqual(plain(one));
        expect(one.scheduleTime).toMatchObject({ nanos: input.scheduleTime?.nanos });
      }
    }),
  );
}, 60_000);

/** The client's bytes are a `Buffer` by one way and an array by the other. */
function plain(answer: Task): object {
  const bytes = (body: unknown) => Buffer.from((body ?? []) as Uint8Array).toString('base64');
  return {
    ...answer,
    ...(answer.httpRequest
      ? { httpRequest: { ...answer.httpRequest, body: bytes(answer.httpRequest.body) } }
      : {}),
    ...(answer.appEngineHttpRequest
      ? {
          appEngineHttpRequest: {
            ...answer.appEngineHttpRequest,
            body: bytes(answer.appEngineHttpRequest.body),
          },
        }
      : {}),
  };
}
