import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { google } from '@google-cloud/tasks/build/protos';
import type { ServiceError } from '@grpc/grpc-js';
import { Client, credentials } from '@grpc/grpc-js';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { EngineApi } from '../../src/engine/engine-api.js';
import type { Engine } from '../../src/engine/engine.js';
import { MILLISECOND, SECOND } from '../../src/engine/time.js';
import { engineUnderTest, LOCATION, QUEUE } from '../support/engine-under-test.js';
import type { GrpcPort } from '../support/grpc-port.js';
import { grpcPort } from '../support/grpc-port.js';

const { v2 } = google.cloud.tasks;

let engine: Engine;
let port: GrpcPort;
let client: Client;

beforeEach(async () => {
  ({ engine } = await engineUnderTest());
  await open(engine);
});

afterEach(async () => {
  client.close();
  await port.close();
  engine.abandon();
});

async function open(api: EngineApi): Promise<void> {
  port = await grpcPort(api);
  client = new Client(new URL(port.url).host, credentials.createInsecure());
}

/** The same API with some verbs of one's own. */
async function reopen(verbs: Partial<EngineApi>): Promise<void> {
  client.close();
  await port.close();
  const api: EngineApi = Object.create(engine) as EngineApi;
  await open(Object.assign(api, verbs));
}

interface Asked {
  readonly service?: string;
  readonly deadline?: Date;
}

function call(method: string, request: Uint8Array, asked: Asked = {}): Promise<Buffer> {
  const { service = 'google.cloud.tasks.v2.CloudTasks', ...options } = asked;
  const asItIs = (bytes: Uint8Array) => Buffer.from(bytes);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${service}/${method}`,
      asItIs,
      asItIs,
      request,
      options,
      (error, answer) => {
        if (error) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      },
    );
  });
}

const getQueue = (name = QUEUE, asked: Asked = {}) =>
  call('GetQueue', v2.GetQueueRequest.encode({ name }).finish(), asked);
const createTask = (task: google.cloud.tasks.v2.ITask) =>
  call('CreateTask', v2.CreateTaskRequest.encode({ parent: QUEUE, task }).finish());
const failure = (asked: Promise<unknown>): Promise<ServiceError> =>
  asked.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: unknown) => error as ServiceError,
  );
const inSeconds = (count: number) => new Date(Date.now() + (count * SECOND) / MILLISECOND);

test('speaks the protocol of the package that it takes it from', async () => {
  expect(v2.Queue.decode(await getQueue()).toJSON()).toMatchObject({
    name: QUEUE,
    state: 'RUNNING',
    rateLimits: { maxDispatchesPerSecond: 500 },
    retryConfig: { minBackoff: { seconds: '0', nanos: 100_000_000 } },
  });
});

test('shares its port with HTTP', async () => {
  await getQueue();
  const socket = connect(Number(new URL(port.url).port), '127.0.0.1');
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString()));
  await once(socket, 'close');
  expect(answer).toContain('200 OK');
  await getQueue();
});

describe('a method that is not served', () => {
  test.each([
    ['google.cloud.tasks.v2.CloudTasks', 'Nonsense'],
    ['google.cloud.tasks.v2beta2.CloudTasks', 'GetQueue'],
  ])('says so: %s/%s', async (service, method) => {
    expect(await failure(call(method, new Uint8Array(), { service }))).toMatchObject({
      code: 12,
      details: `The server does not implement the method /${service}/${method}`,
    });
  });
});

describe('a bad request', () => {
  test('that is no protobuf is refused by what it should be', async () => {
    expect(await failure(call('GetQueue', Buffer.from([0x0a, 0xff])))).toMatchObject({
      code: 3,
      details: 'The request is not a valid GetQueueRequest.',
    });
  });

  test('without its parts is refused like one with empty parts', async () => {
    const nothing = new Uint8Array();
    expect(await failure(call('GetQueue', nothing))).toMatchObject({ code: 3 });
    expect(await failure(call('UpdateQueue', nothing))).toMatchObject({ code: 3 });
    expect(await failure(call('CreateTask', nothing))).toMatchObject({ code: 3 });
    const noTask = v2.CreateTaskRequest.encode({ parent: QUEUE }).finish();
    expect(await failure(call('CreateTask', noTask))).toMatchObject({
      code: 3,
      details: 'Task.payload_type is not set.',
    });
  });

  test('names the field in google.rpc.BadRequest', async () => {
    const { code, metadata } = await failure(
      createTask(v2.Task.fromObject({ httpRequest: { httpMethod: 99 } })),
    );
    expect(code).toBe(3);
    const [bytes] = metadata.get('grpc-status-details-bin');
    const status = google.rpc.Status.decode(bytes as Buffer);
    expect(status).toMatchObject({
      code: 3,
      message: expect.stringContaining('must be one of POST, GET'),
    });
    const [detail] = status.details;
    expect(detail?.type_url).toBe('type.googleapis.com/google.rpc.BadRequest');
    expect(Buffer.from(detail?.value as Uint8Array).toString()).toContain(
      'task.httpRequest.httpMethod',
    );
  });

  test('has a mask in camelCase', async () => {
    const request = v2.UpdateQueueRequest.encode({
      queue: { name: QUEUE },
      updateMask: { paths: ['rateLimits'] },
    });
    expect(await failure(call('UpdateQueue', request.finish()))).toMatchObject({
      code: 3,
      details: 'Invalid mask for Queue: rateLimits',
    });
  });

  test('is larger than any could be', async () => {
    const body = new Uint8Array(5 * 1024 * 1024);
    const asked = createTask({ httpRequest: { url: 'https://a.example', body } });
    expect(await failure(asked)).toMatchObject({ code: 8 });
  });

  test('may be quoted in a text of any length, which is cut', async () => {
    const name = `${QUEUE}/tasks/${'ä'.repeat(100_000)}`;
    const { code, details } = await failure(
      createTask({ name, httpRequest: { url: 'https://a' } }),
    );
    expect(code).toBe(3);
    expect(details).toMatch(/^Task ID "ä+$/);
    expect(details).toHaveLength(2_000);
  });

  test('may be quoted up to the middle of a character', async () => {
    const relativeUri = 'a' + '😀'.repeat(200);
    const asked = createTask({ appEngineHttpRequest: { relativeUri } });
    expect(await failure(asked)).toMatchObject({ code: 3 });
    await getQueue();
  });
});

describe('a deadline', () => {
  test('up to 30 s, or none, is taken', async () => {
    await getQueue(QUEUE, { deadline: inSeconds(29) });
    await getQueue();
  });

  test('beyond is refused, as in production', async () => {
    expect(await failure(getQueue(QUEUE, { deadline: inSeconds(60) }))).toMatchObject({
      code: 3,
      details: expect.stringMatching(
        /^The request deadline is \d{4}-\S+Z\. The deadline cannot be more than 30s in the future\.$/,
      ),
    });
  });
});

test('a failure of the engine itself stays inside, and is reported', async () => {
  const secret = new Error('disk I/O error in /home/me');
  await reopen({ getQueue: () => Promise.reject(secret) });
  expect(await failure(getQueue())).toMatchObject({ code: 13, details: 'Internal error.' });
  expect(port.errors).toEqual([secret]);
});

test('HTTP/2 that is not gRPC is refused', async () => {
  const session = connectHttp2(port.url);
  const stream = session.request({ ':path': '/healthz' });
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  expect(headers[':status']).toBe(415);
  session.destroy();
});

test('bytes that only begin like HTTP/2 do no harm', async () => {
  const socket = connect(Number(new URL(port.url).port), '127.0.0.1');
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand then something else altogether');
  await once(socket.resume(), 'close');
  await getQueue();
  expect(port.errors).toEqual([]);
});

describe('closing', () => {
  test('ends idle connections at once', async () => {
    await getQueue();
    await port.grpc.close(600 * SECOND);
  });

  test('answers the calls that are under way', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answered = Promise.withResolvers<undefined>();
    await reopen({
      getQueue: async (request) => {
        asked.resolve(undefined);
        await answered.promise;
        return engine.getQueue(request);
      },
    });
    const call = getQueue();
    await asked.promise;
    const closed = port.grpc.close(600 * SECOND);
    answered.resolve(undefined);
    expect(v2.Queue.decode(await call).name).toBe(QUEUE);
    await closed;
  });

  test('ends calls that take too long', async () => {
    const asked = Promise.withResolvers<undefined>();
    await reopen({
      getQueue: () => {
        asked.resolve(undefined);
        return new Promise(() => undefined);
      },
    });
    const call = failure(getQueue());
    await asked.promise;
    await port.grpc.close(0);
    // By what the client meets first: the end of the call, with or without a reason, or of all.
    expect([1, 13, 14]).toContain((await call).code);
  });

  test('takes no connection afterwards', async () => {
    await port.grpc.close();
    expect(await failure(getQueue())).toMatchObject({ code: 14 });
  });
});

test('a queue made here is the queue that is there', async () => {
  const name = `${LOCATION}/queues/made`;
  const request = v2.CreateQueueRequest.encode({ parent: LOCATION, queue: { name } });
  await call('CreateQueue', request.finish());
  expect(await engine.getQueue({ name })).toMatchObject({ name });
});
