import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { googleCloudTasks } from '../../src/adapters/google-cloud-tasks.js';
import type {
  CloudTasksApi,
  HttpMethod,
  QueueInput,
  TaskInput,
} from '../../src/engine/cloud-tasks-api.js';
import { MILLISECOND, SECOND } from '../../src/engine/time.js';
import { engineUnderTest } from '../support/engine-under-test.js';
import { grpcPort } from '../support/grpc-port.js';
import { restPort } from '../support/rest-port.js';

const PARENT = 'projects/demo/locations/here';

let now: number;
let grpc: CloudTasksApi;
let rest: CloudTasksApi;
let close: () => Promise<void>;

beforeAll(async () => {
  const { engine, clock } = await engineUnderTest({ target: () => 'hold' });
  now = clock.now();
  const ports = await Promise.all([grpcPort(engine), restPort(engine)]);
  const [byGrpc, byRest] = await Promise.all([
    googleCloudTasks({ emulatorHost: ports[0].url }),
    googleCloudTasks({ emulatorHost: ports[1].url, fallback: true }),
  ]);
  grpc = byGrpc;
  rest = byRest;
  close = async () => {
    await Promise.all([byGrpc.close(), byRest.close()]);
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

const queue: fc.Arbitrary<Omit<QueueInput, 'name'>> = optional({
  rateLimits: optional({
    maxDispatchesPerSecond: fc.double({ min: 0.001, max: 500, noNaN: true }),
    maxConcurrentDispatches: whole(1, 5000),
  }),
  retryConfig: optional({
    maxAttempts: fc.oneof(fc.constant(-1), whole(1, 2 ** 31 - 1)),
    maxRetryDuration: whole(1, 10 ** 9).map((seconds) => seconds * SECOND),
    minBackoff: whole(1, 1000).map((time) => time * MILLISECOND),
    maxBackoff: whole(1000, 10 ** 9).map((time) => time * MILLISECOND),
    maxDoublings: whole(1, 100),
  }),
  stackdriverLoggingConfig: fc.record({
    samplingRatio: fc.double({ min: 0.001, max: 1, noNaN: true }),
  }),
  appEngineRoutingOverride: optional({ service: fc.constant('worker'), version: text }),
});

const name = fc.stringMatching(/^X-[A-Z][a-z]{1,9}$/);
const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
const withBody = {
  httpMethod: fc.constantFrom<HttpMethod>('POST', 'PUT'),
  headers: fc.dictionary(name, value, { maxKeys: 4 }),
  body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
};
const email = fc.constant('caller@demo.iam.gserviceaccount.com');
const task = fc
  .record({
    target: fc.oneof(
      fc.record({
        httpRequest: fc.record(
          {
            ...withBody,
            url: fc.webUrl({ validSchemes: ['https'], withQueryParameters: true }),
            oidcToken: fc.record({ serviceAccountEmail: email, audience: text }),
          },
          { requiredKeys: ['url'] },
        ),
      }),
      fc.record({
        appEngineHttpRequest: optional({
          ...withBody,
          relativeUri: fc.webPath().map((path) => path || '/'),
        }),
      }),
    ),
    // To the microsecond, which the engine keeps.
    later: whole(1, 29 * 24 * 3600).chain((s) => whole(0, 999_999).map((us) => s * SECOND + us)),
    dispatchDeadline: whole(15_000, 1_800_000).map((time) => time * MILLISECOND),
  })
  .map(({ target, later, dispatchDeadline }): TaskInput => {
    return { ...(target as TaskInput), scheduleTime: now + later, dispatchDeadline };
  });

let made = 0;

test('a queue is the same by REST and by gRPC, whichever made it', async () => {
  await fc.assert(
    fc.asyncProperty(queue, async (settings) => {
      const create = (api: CloudTasksApi, id: string) =>
        api.createQueue({ parent: PARENT, queue: { ...settings, name: id } });
      const ids = [++made, ++made].map((id) => `${PARENT}/queues/made-${id}`);
      const [one = '', two = ''] = ids;
      const queues = [await create(grpc, one), await create(rest, two)];
      expect({ ...queues[1], name: one }).toEqual(queues[0]);
      for (const id of ids) {
        expect(await rest.getQueue({ name: id })).toEqual(await grpc.getQueue({ name: id }));
      }
    }),
  );
}, 60_000);

test('a task is the same by REST and by gRPC, whichever made it', async () => {
  const parent = `${PARENT}/queues/tasks`;
  await grpc.createQueue({ parent: PARENT, queue: { name: parent } });
  await fc.assert(
    fc.asyncProperty(task, async (input) => {
      const request = { parent, task: input, responseView: 'FULL' } as const;
      const [one, two] = [await grpc.createTask(request), await rest.createTask(request)];
      expect({ ...two, name: one.name }).toEqual(one);
      for (const { name: id } of [one, two]) {
        const read = { name: id, responseView: 'FULL' } as const;
        expect(await rest.getTask(read)).toEqual(await grpc.getTask(read));
      }
    }),
  );
}, 60_000);
