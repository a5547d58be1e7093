/** Queues and tasks go through real protobuf bytes and come back as they were. */
import { describe, expect, test } from '@jest/globals';
import { google } from '@google-cloud/tasks/build/protos';
import fc from 'fast-check';
import { policyFromWire, policyToWire } from '../../src/adapters/wire-iam.js';
import { betaQueueInputFromWire, betaQueueToWire } from '../../src/adapters/wire-queue-beta.js';
import { queueFromWire, queueInputFromWire, queueToWire } from '../../src/adapters/wire-queue.js';
import { taskFromWire, taskInputFromWire, taskToWire } from '../../src/adapters/wire-task.js';
import type {
  AppEngineHttpRequest,
  AppEngineRouting,
  Attempt,
  HttpRequest,
  HttpTarget,
  Queue,
  QueueInput,
  Task,
  TaskInput,
  UriOverride,
} from '../../src/engine/cloud-tasks-api.js';
import type { IamBinding } from '../../src/engine/iam-api.js';

const { Queue: ProtoQueue, Task: ProtoTask } = google.cloud.tasks.v2;

/** What Google's client makes of an answer before it hands it out. */
const AS_THE_CLIENT_READS = { longs: String, enums: String, defaults: true, oneofs: true };

/** The two shapes that the wire's objects come in: a server's decoder's, and the client's. */
function queueReadings(wire: google.cloud.tasks.v2.IQueue): google.cloud.tasks.v2.IQueue[] {
  const decoded = ProtoQueue.decode(ProtoQueue.encode(wire).finish());
  return [decoded, ProtoQueue.toObject(decoded, AS_THE_CLIENT_READS)];
}

function taskReadings(wire: google.cloud.tasks.v2.ITask): google.cloud.tasks.v2.ITask[] {
  const decoded = ProtoTask.decode(ProtoTask.encode(wire).finish());
  return [decoded, ProtoTask.toObject(decoded, AS_THE_CLIENT_READS)];
}

const int32 = fc.integer();
const positive = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const time = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
const duration = fc.nat({ max: 3e15 });
const text = fc.string({ minLength: 1, unit: 'grapheme' });
const headers = fc.dictionary(
  text.filter((name) => name !== '__proto__'),
  fc.string({ unit: 'grapheme' }),
  { noNullPrototype: true },
);
const body = fc.uint8Array({ minLength: 1 }).map((bytes) => new Uint8Array(bytes));
const httpMethod = fc.constantFrom(
  'POST' as const,
  'GET' as const,
  'HEAD' as const,
  'PUT' as const,
  'DELETE' as const,
  'PATCH' as const,
  'OPTIONS' as const,
);

const record = <Fields extends object>(
  fields: { [Key in keyof Required<Fields>]: fc.Arbitrary<Required<Fields>[Key]> },
  requiredKeys: readonly (keyof Fields)[],
): fc.Arbitrary<Fields> =>
  fc.record(fields, {
    requiredKeys: [...requiredKeys],
    noNullPrototype: true,
  });

const routing = record<AppEngineRouting>(
  { service: text, version: text, instance: text, host: text },
  [],
);

/** What v2 shows of a queue, and what it takes. */
type V2Queue = Omit<Queue, 'httpTarget' | 'taskTtl' | 'tombstoneTtl' | 'stats'>;
type V2QueueInput = Omit<QueueInput, 'httpTarget' | 'taskTtl' | 'tombstoneTtl' | 'type'>;

const queues = record<V2Queue>(
  {
    name: text,
    appEngineRoutingOverride: routing,
    rateLimits: fc.record({
      maxDispatchesPerSecond: fc.double({ noNaN: true }).map((rate) => rate + 0),
      maxBurstSize: int32,
      maxConcurrentDispatches: int32,
    }),
    retryConfig: fc.record({
      maxAttempts: int32,
      maxRetryDuration: duration,
      minBackoff: duration,
      maxBackoff: duration,
      maxDoublings: int32,
    }),
    state: fc.constantFrom('RUNNING' as const, 'PAUSED' as const, 'DISABLED' as const),
    purgeTime: time,
    stackdriverLoggingConfig: fc.record({ samplingRatio: fc.double({ min: 0, max: 1 }) }),
  },
  ['name', 'rateLimits', 'retryConfig', 'state'],
);

const queueInputs = record<V2QueueInput>(
  {
    name: text,
    appEngineRoutingOverride: routing,
    rateLimits: record<NonNullable<QueueInput['rateLimits']>>(
      {
        maxDispatchesPerSecond: fc.double({ min: 0.001 }),
        maxBurstSize: positive,
        maxConcurrentDispatches: positive,
      },
      [],
    ),
    retryConfig: record<NonNullable<QueueInput['retryConfig']>>(
      {
        maxAttempts: fc.constantFrom(-1, 1, 100),
        maxRetryDuration: duration,
        minBackoff: duration,
        maxBackoff: duration,
        maxDoublings: positive,
      },
      [],
    ),
    stackdriverLoggingConfig: record<NonNullable<QueueInput['stackdriverLoggingConfig']>>(
      { samplingRatio: fc.double({ min: 0.001, max: 1 }) },
      [],
    ),
  },
  ['name'],
);

const attempt = record<Attempt>(
  {
    scheduleTime: time,
    dispatchTime: time,
    responseTime: time,
    responseStatus: fc.record({ code: int32, message: fc.string({ unit: 'grapheme' }) }),
  },
  [],
);

const httpRequest = fc
  .tuple(
    record<HttpRequest>(
      {
        url: text,
        httpMethod,
        headers,
        body,
        oidcToken: record({ serviceAccountEmail: text, audience: text }, ['serviceAccountEmail']),
        oauthToken: record({ serviceAccountEmail: text, scope: text }, ['serviceAccountEmail']),
      },
      ['url', 'httpMethod', 'headers'],
    ),
    fc.boolean(),
  )
  .map(([request, oidc]) => {
    // At most one of the two may be there.
    const { oidcToken, oauthToken, ...rest } = request;
    if (oidc) return oidcToken ? { ...rest, oidcToken } : rest;
    return oauthToken ? { ...rest, oauthToken } : rest;
  });

const appEngineHttpRequest = record<AppEngineHttpRequest>(
  { httpMethod, appEngineRouting: routing, relativeUri: text, headers, body },
  ['httpMethod', 'appEngineRouting', 'relativeUri', 'headers'],
);

const target = fc.oneof(
  httpRequest.map((request) => ({ httpRequest: request })),
  appEngineHttpRequest.map((request) => ({ appEngineHttpRequest: request })),
);

const inputs: fc.Arbitrary<TaskInput> = fc
  .tuple(
    target,
    record<Omit<TaskInput, 'httpRequest' | 'appEngineHttpRequest'>>(
      { name: text, scheduleTime: time, dispatchDeadline: duration },
      [],
    ),
  )
  .map(([request, rest]) => ({ ...request, ...rest }));

const tasks: fc.Arbitrary<Task> = fc
  .tuple(
    target,
    record<Omit<Task, 'httpRequest' | 'appEngineHttpRequest'>>(
      {
        name: text,
        scheduleTime: time,
        createTime: time,
        dispatchDeadline: duration,
        dispatchCount: int32,
        responseCount: int32,
        firstAttempt: attempt,
        lastAttempt: attempt,
        view: fc.constantFrom('BASIC' as const, 'FULL' as const),
      },
      ['name', 'scheduleTime', 'createTime', 'dispatchCount', 'responseCount', 'view'],
    ),
  )
  .map(([request, rest]) => ({ ...request, ...rest }));

describe('a queue', () => {
  test('comes back as a server sent it', () => {
    fc.assert(
      fc.property(queues, (queue) => {
        for (const wire of queueReadings(queueToWire(queue))) {
          expect(queueFromWire(wire)).toEqual(queue);
        }
      }),
    );
  });

  test('comes back as a caller gave it', () => {
    fc.assert(
      fc.property(queueInputs, (input) => {
        for (const wire of queueReadings(queueToWire(input))) {
          expect(queueInputFromWire(wire)).toStrictEqual(input);
        }
      }),
    );
  });

  test('leaves out what proto3 counts as not given, but keeps empty parts', () => {
    expect(
      queueInputFromWire({
        name: 'q',
        rateLimits: { maxDispatchesPerSecond: 0 },
        retryConfig: { maxAttempts: 0, minBackoff: null },
        stackdriverLoggingConfig: {},
        appEngineRoutingOverride: { service: '' },
      }),
    ).toStrictEqual({
      name: 'q',
      rateLimits: {},
      retryConfig: {},
      stackdriverLoggingConfig: {},
      appEngineRoutingOverride: {},
    });
  });

  test('with numbers that would wrap around or lose a fraction is refused before it is sent', () => {
    const bad: QueueInput[] = [
      { name: 'q', retryConfig: { maxAttempts: 1.5 } },
      { name: 'q', retryConfig: { maxDoublings: 2 ** 32 } },
      { name: 'q', rateLimits: { maxConcurrentDispatches: NaN } },
      { name: 'q', retryConfig: { minBackoff: 0.5 } },
    ];
    for (const queue of bad) {
      expect(() => queueToWire(queue)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  });
});

const uriOverride = record<UriOverride>(
  {
    scheme: fc.constantFrom('HTTP' as const, 'HTTPS' as const),
    // Empty, too: it must be refused, not taken for absent.
    host: fc.string({ unit: 'grapheme' }),
    port: fc.integer(),
    pathOverride: record({ path: text }, []),
    queryOverride: record({ queryParams: text }, []),
    uriOverrideEnforceMode: fc.constantFrom('IF_NOT_EXISTS' as const, 'ALWAYS' as const),
  },
  [],
);

const httpTarget = fc
  .tuple(
    record<HttpTarget>(
      {
        uriOverride,
        httpMethod,
        headerOverrides: fc.array(
          record({ header: record({ key: text, value: text }, ['key', 'value']) }, ['header']),
          { minLength: 1 },
        ),
        oauthToken: record({ serviceAccountEmail: text, scope: text }, ['serviceAccountEmail']),
        oidcToken: record({ serviceAccountEmail: text, audience: text }, ['serviceAccountEmail']),
      },
      [],
    ),
    fc.boolean(),
  )
  .map(([{ oauthToken, oidcToken, ...rest }, oidc]): HttpTarget => {
    if (oidc) return oidcToken ? { ...rest, oidcToken } : rest;
    return oauthToken ? { ...rest, oauthToken } : rest;
  });

const betaQueueInputs: fc.Arbitrary<QueueInput> = fc
  .tuple(
    queueInputs,
    record<Pick<QueueInput, 'httpTarget' | 'taskTtl' | 'tombstoneTtl'>>(
      { httpTarget, taskTtl: duration, tombstoneTtl: duration },
      [],
    ),
    fc.constantFrom('PUSH' as const, 'PULL' as const),
  )
  .map(([queue, rest, type]) => ({ ...queue, ...rest, type }));

const { Queue: BetaQueue } = google.cloud.tasks.v2beta3;

describe('a queue of v2beta3', () => {
  test('comes back as a caller gave it', () => {
    fc.assert(
      fc.property(betaQueueInputs, (input) => {
        const wire = BetaQueue.decode(BetaQueue.encode(betaQueueToWire(input)).finish());
        expect(betaQueueInputFromWire(wire)).toStrictEqual(input);
        const read = BetaQueue.toObject(wire, AS_THE_CLIENT_READS);
        expect(betaQueueInputFromWire(read)).toStrictEqual(input);
      }),
    );
  });

  test('has a scheme of HTTPS where one is given that says nothing', () => {
    const wire = { name: 'q', httpTarget: { uriOverride: { scheme: 0 } } };
    expect(betaQueueInputFromWire(wire).httpTarget).toEqual({ uriOverride: { scheme: 'HTTPS' } });
  });
});

const policies = fc.record({
  version: fc.constantFrom(1, 3),
  bindings: fc.array(
    record<IamBinding>(
      {
        role: text,
        members: fc.array(text),
        condition: fc.record({
          expression: fc.string(),
          title: fc.string(),
          description: fc.string(),
          location: fc.string(),
        }),
      },
      ['role', 'members'],
    ),
  ),
  etag: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('base64')),
});

test('an IAM policy comes back as it was', () => {
  const { Policy } = google.iam.v1;
  fc.assert(
    fc.property(policies, (policy) => {
      const wire = Policy.decode(Policy.encode(policyToWire(policy)).finish());
      expect(policyFromWire(wire)).toEqual(policy);
      expect(policyFromWire(Policy.toObject(wire, AS_THE_CLIENT_READS))).toEqual(policy);
    }),
  );
});

describe('a task', () => {
  test('comes back as a server sent it', () => {
    fc.assert(
      fc.property(tasks, (task) => {
        for (const wire of taskReadings(taskToWire(task))) {
          expect(taskFromWire(wire)).toEqual(task);
        }
      }),
    );
  });

  test('comes back as a caller gave it', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        for (const wire of taskReadings(taskToWire(input))) {
          expect(taskInputFromWire(wire)).toStrictEqual(input);
        }
      }),
    );
  });

  test('is plain data that crosses a thread', () => {
    fc.assert(
      fc.property(tasks, (task) => {
        const [wire] = taskReadings(taskToWire(task));
        const read = taskFromWire(wire ?? {});
        expect(structuredClone(read)).toEqual(read);
      }),
    );
  });

  test('with two targets or two tokens is refused: the wire would keep one without a word', () => {
    const both: TaskInput = { httpRequest: { url: 'https://a.example' }, appEngineHttpRequest: {} };
    expect(() => taskToWire(both)).toThrow(expect.objectContaining({ field: 'task' }));
    const tokens: TaskInput = {
      httpRequest: {
        url: 'https://a.example',
        oidcToken: { serviceAccountEmail: 'a@b' },
        oauthToken: { serviceAccountEmail: 'a@b' },
      },
    };
    expect(() => taskToWire(tokens)).toThrow(
      expect.objectContaining({ field: 'task.httpRequest' }),
    );
  });

  test('with a method that the API does not know is refused by its field', () => {
    const wire = { httpRequest: { url: 'https://a.example', httpMethod: 99 } };
    expect(() => taskInputFromWire(wire)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'task.httpRequest.httpMethod' }),
    );
  });
});
