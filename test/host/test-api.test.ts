/** The test API on a real engine with real targets: what it does, and whom it refuses. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'undici';
import type { CloudTasksApi, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import { HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import type { EngineOptions, RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { Loopback } from '../support/loopback.js';

const LOCATION = 'projects/local/locations/us-central1';
const QUEUE = `${LOCATION}/queues/mail`;
const OTHER = `${LOCATION}/queues/other`;

let engine: RunningEngine;
let api: CloudTasksApi;
let target: string;
let received: IncomingMessage[];
let respond: (request: IncomingMessage, response: ServerResponse) => void;
const servers = new Loopback();

beforeEach(async () => {
  received = [];
  respond = (_, response) => response.end();
  target = await servers.http((incoming, response) => {
    received.push(incoming);
    respond(incoming, response);
  });
  await start();
});

afterEach(async () => {
  await engine.close();
  await servers.close();
});

async function start(options: Partial<EngineOptions> = {}): Promise<void> {
  engine = await startEngine({ dataDir: ':memory:', port: 0, testApi: true, ...options });
  ({ api } = engine);
  await engine.dispatch({ default: target });
  await api.createQueue({
    parent: LOCATION,
    queue: { name: QUEUE, retryConfig: { minBackoff: MINUTE } },
  });
  await api.createQueue({ parent: LOCATION, queue: { name: OTHER } });
}

interface Answered {
  readonly status: number;
  readonly json: unknown;
}

async function call(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  headers: Record<string, string> = { 'Content-Type': 'application/json' },
): Promise<Answered> {
  const answer = await request(`${engine.url}/emulator/v1/${path}`, {
    method,
    headers,
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.statusCode, json: await answer.body.json() };
}

async function create(id: string, task: Partial<TaskInput> = {}, queue = QUEUE): Promise<void> {
  const name = `${queue}/tasks/${id}`;
  const request = task.appEngineHttpRequest ? {} : { httpRequest: { url: `${target}/x` } };
  await api.createTask({ parent: queue, task: { ...request, ...task, name } });
}

async function idle(): Promise<unknown> {
  const { status, json } = await call('POST', 'wait', {});
  expect(status).toBe(200);
  return json;
}

async function attempts(id: string, queue = QUEUE): Promise<unknown[]> {
  const { json } = await call('GET', `${queue}/tasks/${id}/attempts`);
  return (json as { attempts: unknown[] }).attempts;
}

async function policy(verb: 'get' | 'set', body: object): Promise<unknown> {
  const answer = await request(`${engine.url}/v2/${QUEUE}:${verb}IamPolicy`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.statusCode).toBe(200);
  return answer.body.json();
}

function refused(code: number, status: string, message: string): Answered {
  return { status: code, json: { error: { code, message, status } } };
}

const now = () => Date.now() * MILLISECOND;

describe('wait', () => {
  test('ends when nothing is in flight or due, and says when the next task is', async () => {
    expect(await idle()).toEqual({});
    for (let n = 0; n < 50; n++) await create(`t${n}`);
    await create('later', { scheduleTime: now() + HOUR });
    expect(await idle()).toEqual({ nextScheduleTime: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(received).toHaveLength(50);
  });

  test('waits for those that a rate holds back, not for those of a paused queue', async () => {
    await api.updateQueue({ queue: { name: OTHER, rateLimits: { maxDispatchesPerSecond: 50 } } });
    for (let n = 0; n < 15; n++) await create(`t${n}`, {}, OTHER);
    await api.pauseQueue({ name: QUEUE });
    await create('held');
    expect(await idle()).toEqual({});
    expect(received).toHaveLength(15);
  });

  test('has a limit', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    respond = (_, response) => held.resolve(response);
    await create('slow');
    const response = await held.promise;
    expect(await call('POST', 'wait', { limit: '50ms' })).toEqual(
      refused(
        504,
        'DEADLINE_EXCEEDED',
        'Not idle within the limit: tasks are in flight, or due and waiting for their queue to send them.',
      ),
    );
    response.end();
    expect(await idle()).toEqual({});
  });
});

describe('clock', () => {
  test('put ahead, it sends what comes due by that; a retry waits from there', async () => {
    await create('in-20m', { scheduleTime: now() + 20 * MINUTE });
    await create('in-2h', { scheduleTime: now() + 2 * HOUR });
    respond = (_, response) => response.writeHead(500).end();
    expect((await call('POST', 'clock', { advance: '30m' })).json).toEqual({
      time: expect.any(String),
      ahead: '1800s',
    });
    await idle();
    expect(received.map(({ headers }) => headers['x-cloudtasks-taskname'])).toEqual(['in-20m']);
    const { scheduleTime } = await api.getTask({ name: `${QUEUE}/tasks/in-20m` });
    expect(scheduleTime - now()).toBeGreaterThan(30 * MINUTE);
    expect(scheduleTime - now()).toBeLessThan(32 * MINUTE);
    await call('POST', 'clock', { advance: '2h' });
    await idle();
    expect(received).toHaveLength(3);
    expect((await call('GET', 'clock')).json).toMatchObject({ ahead: '9000s' });
  });

  test('leaves tokens in the time of those who verify them', async () => {
    await call('POST', 'clock', { advance: '30d' });
    await create('t', { httpRequest: { url: target, oidcToken: { serviceAccountEmail: 'a@b' } } });
    await idle();
    const [, claims = ''] = received[0]?.headers.authorization?.split('.') ?? [];
    const { iat } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iat: number };
    expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(60);
  });
});

describe('attempts', () => {
  test('has requests and responses, also when the task is gone, without tokens', async () => {
    respond = (incoming, response) => {
      incoming.resume().on('end', () => {
        const headers = { 'X-Mine': '1', 'Set-Cookie': ['a=1', 'b=2'] };
        response.writeHead(received.length === 1 ? 503 : 200, headers);
        response.end(`echo ${incoming.headers.authorization ?? ''}`);
      });
    };
    const oidcToken = { serviceAccountEmail: 'a@b' };
    const headers = { 'Content-Type': 'text/plain', Cookie: 'secret' };
    const body = Buffer.from('häl\0lo');
    await create('t', { httpRequest: { url: `${target}/x?y=1`, headers, body, oidcToken } });
    await idle();
    await call('POST', 'clock', { advance: '1m' });
    await idle();
    const list = await attempts('t');
    expect(list).toEqual([
      {
        dispatchTime: expect.stringMatching(/^\d{4}-.*Z$/),
        duration: expect.stringMatching(/^[\d.]+s$/),
        request: {
          method: 'POST',
          url: `${target}/x?y=1`,
          headers: expect.objectContaining({
            Authorization: 'Bearer (redacted)',
            Cookie: '(redacted)',
            'Content-Type': 'text/plain',
            'X-CloudTasks-TaskName': 't',
            'X-CloudTasks-TaskRetryCount': '0',
          }),
          body: 'häl\0lo',
        },
        response: {
          status: 503,
          headers: expect.objectContaining({
            'x-mine': '1',
            'set-cookie': ['(redacted)', '(redacted)'],
          }),
          body: 'echo Bearer (token)',
        },
      },
      expect.objectContaining({ response: expect.objectContaining({ status: 200 }) }),
    ]);
    expect(JSON.stringify(list)).not.toMatch(/eyJ|secret/);
    expect(await attempts('other')).toEqual([]);
  });

  test('cuts long bodies, and shows what is no text in base64', async () => {
    respond = (incoming, response) => {
      incoming.resume().on('end', () => response.end(Buffer.from([0xff, 0x00, 0xfe])));
    };
    // The limit is in the middle of a character.
    const body = Buffer.from(`a${'ä'.repeat(20_000)}`);
    await create('t', { httpRequest: { url: target, body } });
    await idle();
    expect(await attempts('t')).toMatchObject([
      {
        request: { body: `a${'ä'.repeat(8_191)}`, bodyIsCut: true },
        response: { bodyBase64: '/wD+' },
      },
    ]);
  });

  test('says why there was no response, and of App Engine tasks the service', async () => {
    await create('a', { httpRequest: { url: 'http://127.0.0.1:1/' } });
    await create('b', { appEngineHttpRequest: { relativeUri: '/y' } });
    await idle();
    expect(await attempts('a')).toMatchObject([
      { noResponse: 'connection refused (ECONNREFUSED)' },
    ]);
    expect(await attempts('b')).toMatchObject([
      { request: { service: '', relativeUri: '/y' }, response: { status: 200 } },
    ]);
  });

  test('shows one in flight, and keeps the tasks of two projects apart', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    respond = (_, response) => held.resolve(response);
    await create('t');
    const response = await held.promise;
    expect(await attempts('t')).toEqual([
      {
        dispatchTime: expect.any(String),
        request: expect.objectContaining({ url: `${target}/x` }),
      },
    ]);
    expect(await attempts('t', 'projects/another/locations/us-central1/queues/mail')).toEqual([]);
    response.end();
    await idle();
  });

  test('keeps a thousand of them', async () => {
    for (let n = 0; n < 1001; n++) await create(`t${n}`);
    await idle();
    expect(await attempts('t0')).toEqual([]);
    expect(await attempts('t1000')).toHaveLength(1);
  });
});

describe('faults', () => {
  test('answer in place of the target, so often, and for a queue only if told so', async () => {
    const fault = { count: 2, status: 429, retryAfter: '7', queue: QUEUE };
    expect(await call('POST', 'faults', fault)).toEqual({ status: 200, json: { faults: [fault] } });
    await create('other', {}, OTHER);
    await create('a');
    await create('b');
    await idle();
    await create('c');
    await idle();
    expect(received.map(({ headers }) => headers['x-cloudtasks-taskname'])).toEqual(['other', 'c']);
    expect(await attempts('a')).toMatchObject([{ response: { status: 429 } }]);
    expect((await call('GET', 'faults')).json).toEqual({ faults: [] });
  });

  test('lose a request before the target sees it, or its response after', async () => {
    await call('POST', 'faults', { drop: 'request' });
    await call('POST', 'faults', { drop: 'response' });
    await create('t');
    await idle();
    expect(received).toHaveLength(0);
    await call('POST', 'clock', { advance: '1m' });
    await idle();
    expect(received).toHaveLength(1);
    expect(await attempts('t')).toMatchObject([
      { noResponse: 'dropped by the test API' },
      { noResponse: 'dropped by the test API' },
    ]);
    expect((await api.getTask({ name: `${QUEUE}/tasks/t` })).dispatchCount).toBe(2);
  });

  test('delay an attempt by the clock that tests move, up to its deadline', async () => {
    await call('POST', 'faults', { delay: '5m', count: 2 });
    await create('a');
    await create('b', { dispatchDeadline: 15 * SECOND });
    await call('POST', 'clock', { advance: '16s' });
    expect((await call('POST', 'wait', { limit: '50ms' })).status).toBe(504);
    expect(await attempts('b')).toMatchObject([{ noResponse: expect.any(String) }]);
    expect(received).toHaveLength(0);
    await call('POST', 'clock', { advance: '5m' });
    await idle();
    const names = new Set(received.map(({ headers }) => headers['x-cloudtasks-taskname']));
    expect(names).toEqual(new Set(['a', 'b']));
  });

  test('are forgotten when asked', async () => {
    await call('POST', 'faults', { status: 500, count: 3 });
    expect(await call('DELETE', 'faults')).toEqual({ status: 200, json: { faults: [] } });
    await create('t');
    await idle();
    expect(received).toHaveLength(1);
  });
});

describe('reset', () => {
  test('forgets queues, tasks, names, attempts, faults and the time', async () => {
    await create('gone');
    await create('waits', { scheduleTime: now() + HOUR });
    await idle();
    await call('POST', 'clock', { advance: '10m' });
    await call('POST', 'faults', { status: 500 });
    await policy('set', {
      policy: { bindings: [{ role: 'roles/viewer', members: ['user:a@b'] }] },
    });
    await api.deleteQueue({ name: OTHER });
    expect(await call('POST', 'reset')).toEqual({ status: 200, json: {} });
    expect(await api.listQueues({ parent: LOCATION })).toEqual({ queues: [] });
    expect((await call('GET', 'clock')).json).toMatchObject({ ahead: '0s' });
    for (const name of [QUEUE, OTHER]) await api.createQueue({ parent: LOCATION, queue: { name } });
    expect(await policy('get', {})).not.toHaveProperty('bindings');
    expect(await attempts('gone')).toEqual([]);
    await create('gone');
    await create('waits');
    await idle();
    expect(received).toHaveLength(3);
  });

  test('keeps queues as they are when told so', async () => {
    await api.pauseQueue({ name: OTHER });
    await create('gone');
    await idle();
    await call('POST', 'clock', { advance: '10m' });
    const before = await api.listQueues({ parent: LOCATION });
    await call('POST', 'reset', { keepQueues: true });
    expect(await api.listQueues({ parent: LOCATION })).toEqual(before);
    await create('gone');
    await idle();
    expect(received).toHaveLength(2);
  });

  test('cuts what is in flight, which comes to nothing', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    respond = (_, response) => held.resolve(response);
    await create('t');
    const response = await held.promise;
    const closed = new Promise((resolve) => response.on('close', resolve));
    await call('POST', 'reset', { keepQueues: true });
    await closed;
    respond = (_, answer) => answer.end();
    await create('t');
    expect(await idle()).toEqual({});
    expect(received).toHaveLength(2);
  });
});

describe('refuses', () => {
  test.each<['GET' | 'POST' | 'DELETE', string, unknown, number, string, string]>([
    [
      'GET',
      'nothing',
      undefined,
      404,
      'NOT_FOUND',
      'Nothing is served at this path: it is one of reset, wait, clock, faults and projects/*/locations/*/queues/*/tasks/*/attempts.',
    ],
    [
      'GET',
      '__proto__',
      undefined,
      404,
      'NOT_FOUND',
      'Nothing is served at this path: it is one of reset, wait, clock, faults and projects/*/locations/*/queues/*/tasks/*/attempts.',
    ],
    ['GET', 'reset', undefined, 405, 'UNIMPLEMENTED', 'This path allows POST.'],
    ['GET', 'clock?x=1', undefined, 400, 'INVALID_ARGUMENT', 'The test API takes no query.'],
    [
      'POST',
      'reset',
      { keepQueue: true },
      400,
      'INVALID_ARGUMENT',
      'keepQueue is not a field here, did you mean keepQueues?',
    ],
    [
      'POST',
      'reset',
      { keepQueues: 1 },
      400,
      'INVALID_ARGUMENT',
      'keepQueues: expected true or false, got 1.',
    ],
    ['POST', 'reset', '[]', 400, 'INVALID_ARGUMENT', 'The body must be a JSON object.'],
    ['POST', 'reset', '{', 400, 'INVALID_ARGUMENT', 'The body is not valid JSON.'],
    [
      'POST',
      'reset',
      `{${' '.repeat(70_000)}}`,
      400,
      'INVALID_ARGUMENT',
      'The body is over 65536 bytes.',
    ],
    ['POST', 'clock', {}, 400, 'INVALID_ARGUMENT', "advance is required, for example '30m'."],
    [
      'POST',
      'clock',
      { advance: 30 },
      400,
      'INVALID_ARGUMENT',
      "advance: expected a number with its unit, got 30; write '30s' or '30m'.",
    ],
    ['POST', 'clock', { advance: '367d' }, 400, 'INVALID_ARGUMENT', 'advance: at most 31622400s.'],
    ['POST', 'wait', { limit: '6m' }, 400, 'INVALID_ARGUMENT', 'limit: at most 300s.'],
    ['POST', 'faults', {}, 400, 'INVALID_ARGUMENT', 'A fault needs a status, a drop or a delay.'],
    [
      'POST',
      'faults',
      { status: 500, drop: 'request' },
      400,
      'INVALID_ARGUMENT',
      'A fault has a status or a drop, not both.',
    ],
    [
      'POST',
      'faults',
      { status: 99 },
      400,
      'INVALID_ARGUMENT',
      'status: expected a whole number from 200 to 599, got 99.',
    ],
    [
      'POST',
      'faults',
      { drop: 'all' },
      400,
      'INVALID_ARGUMENT',
      'drop: expected one of request, response, got "all".',
    ],
    [
      'POST',
      'faults',
      { delay: '1s', retryAfter: '3' },
      400,
      'INVALID_ARGUMENT',
      'retryAfter goes with a status.',
    ],
    [
      'POST',
      'faults',
      { status: 500, queue: 'mail' },
      400,
      'INVALID_ARGUMENT',
      'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
    ],
    [
      'GET',
      `${QUEUE}/tasks/a.b/attempts`,
      undefined,
      400,
      'INVALID_ARGUMENT',
      'Task ID "a.b" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.',
    ],
    [
      'GET',
      `${QUEUE}/tasks/%E0%A4%A/attempts`,
      undefined,
      400,
      'INVALID_ARGUMENT',
      'The path is not valid percent-encoding.',
    ],
  ])('%s %s %j', async (method, path, body, code, status, message) => {
    expect(await call(method, path, body)).toEqual(refused(code, status, message));
  });

  test('a body that a page of another site could send', async () => {
    expect(await call('POST', 'reset', '{}', { 'Content-Type': 'text/plain' })).toEqual(
      refused(
        400,
        'INVALID_ARGUMENT',
        'The body must be JSON, with Content-Type: application/json.',
      ),
    );
    expect(
      await call('POST', 'reset', undefined, { Origin: 'https://evil.example' }),
    ).toMatchObject({
      status: 403,
    });
  });

  test('everybody, unless it is asked for', async () => {
    await engine.close();
    await start({ testApi: false });
    expect(await call('POST', 'reset')).toMatchObject({ status: 404 });
  });

  test('to be served beyond loopback', async () => {
    await expect(
      startEngine({ dataDir: ':memory:', host: '0.0.0.0', port: 0, testApi: true }),
    ).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message:
        'the test API lets whoever reaches it undo everything, so it is for loopback only: leave it out, or listen on 127.0.0.1 instead of 0.0.0.0',
    });
  });
});
