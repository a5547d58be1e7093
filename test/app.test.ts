/** The whole path: enqueued over HTTP, dispatched with proof of its origin, handled, logged. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'undici';
import { Loopback } from './support/loopback.js';
import { TestApp } from './support/test-app.js';

const loopback = new Loopback();
let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
});

afterAll(async () => {
  await app.close();
  await loopback.close();
});

async function enqueue(path: string, body: object): Promise<string> {
  const { status, json } = await app.send('POST', path, body);
  expect({ status, json }).toMatchObject({ status: 202 });
  const { name } = json as { name: string };
  return name.slice(name.lastIndexOf('/') + 1);
}

describe('/tasks/example', () => {
  test('prints the payload of a task, in a log line that names the task', async () => {
    const id = await enqueue('/add_task_app_engine', { payload: { hello: 'wörld', n: 1 } });
    expect(await app.logged('Received task with payload: {"hello":"wörld","n":1}')).toMatchObject({
      severity: 'INFO',
      context: 'Example',
      task: id,
      queue: 'default',
    });
  });

  test('says so when there is none', async () => {
    await enqueue('/add_task_app_engine', {});
    await app.logged('Received task with payload: (empty payload)');
  });

  test('refuses whoever forges a task', async () => {
    const lines = app.lines.length;
    for (const headers of [
      {},
      { 'x-appengine-queuename': 'default', 'x-appengine-taskname': '1' },
      { 'x-cloudtasks-queuename': 'default', authorization: 'Bearer a.b.c' },
      { 'x-engine-signature': 'v1=00' },
    ]) {
      const { status, json } = await app.send('POST', '/tasks/example', 'forged', headers);
      expect({ status, json }).toEqual({
        status: 401,
        json: {
          statusCode: 401,
          code: 'UNAUTHENTICATED',
          message: 'Only verified tasks are let in.',
        },
      });
    }
    expect(JSON.stringify(app.lines.slice(lines))).not.toMatch(/forged|a\.b\.c/);
  });
});

describe('/event-display', () => {
  test('logs on one line whatever comes', async () => {
    await enqueue('/add_task_app_engine', {
      relativeUri: '/event-display',
      payload: 'Hello\r\n{"severity":"ERROR"}\u001b[31m \u202e',
      headers: { 'Content-Type': 'text/html' },
    });
    await app.logged(
      'Event Display received event: Hello\\r\\n{"severity":"ERROR"}\\u001b[31m \\u202e',
    );
  });

  test('logs an empty event', async () => {
    await enqueue('/add_task_app_engine', { relativeUri: '/event-display' });
    await app.logged('Event Display received event: ');
  });

  test.each([
    ['text/html', 'application/octet-stream'],
    ['text/plain; charset=latin1', 'text/plain; charset=latin1'],
    ['application/json', 'application/json'],
    ['image/svg+xml', 'application/octet-stream'],
  ])('echoes the bytes of %s as %s', async (type, echoed) => {
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe, 10]);
    const signed = await dispatched(bytes, type);
    const { statusCode, headers, body } = await request(`${app.url}/event-display`, {
      method: 'POST',
      headers: signed,
      body: bytes,
    });
    expect(Buffer.from(await body.arrayBuffer())).toEqual(bytes);
    expect({
      statusCode,
      type: headers['content-type'],
      sniff: headers['x-content-type-options'],
    }).toEqual({
      statusCode: 200,
      type: echoed,
      sniff: 'nosniff',
    });
  });

  /** The headers with which the engine would send such a task here: an ID token for this app. */
  async function dispatched(bytes: Buffer, type: string): Promise<Record<string, string>> {
    const received = Promise.withResolvers<IncomingHttpHeaders>();
    const target = await loopback.http((incoming, response) => {
      received.resolve(incoming.headers);
      incoming.resume();
      response.end();
    });
    await app.api.createTask({
      parent: app.queueName(),
      task: {
        httpRequest: {
          url: target,
          body: bytes,
          oidcToken: { serviceAccountEmail: 'tasks@local', audience: app.url },
        },
      },
    });
    return { authorization: String((await received.promise).authorization), 'content-type': type };
  }
});

test('an external task arrives with its very body and headers, and a token that verifies', async () => {
  const received = Promise.withResolvers<{
    headers: IncomingHttpHeaders;
    body: string;
    url: string;
  }>();
  const target = await loopback.http((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      received.resolve({
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
        url: [incoming.method, incoming.url].join(' '),
      });
      response.end();
    });
  });
  const id = await enqueue('/add_task_external', {
    url: `${target}/hook?x=1`,
    payload: { some: ['work', 1.5] },
    headers: { 'X-Request-Id': '42' },
  });
  const { headers, body, url } = await received.promise;
  expect(url).toBe('POST /hook?x=1');
  expect(body).toBe('{"some":["work",1.5]}');
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'x-request-id': '42',
    'x-cloudtasks-taskname': id,
    'x-cloudtasks-queuename': 'default',
    'user-agent': 'Google-Cloud-Tasks',
  });
  const keys = await request(`${app.engineUrl}/jwks`);
  const { payload } = await jwtVerify(
    String(headers.authorization).replace('Bearer ', ''),
    createLocalJWKSet((await keys.body.json()) as never),
  );
  expect(payload).toMatchObject({ aud: target, email: 'tasks@local', email_verified: true });
});

test('tells what it is', async () => {
  const { status, json } = await app.send('GET', '/');
  expect(status).toBe(200);
  const { endpoints } = json as { endpoints: Record<string, string> };
  for (const endpoint of Object.keys(endpoints)) {
    const [method = '', path = ''] = endpoint.split(' ');
    const { status: answered, headers } = await app.send(method, path, '');
    // What is only there on App Engine.
    if (endpoint !== 'GET /_cron/:name') expect(answered).not.toBe(404);
    // Whatever a browser is made to open, and whether or not it is let in.
    expect(headers).toMatchObject({
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors/),
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    expect(headers).not.toHaveProperty('x-powered-by');
  }
});

test('lives, and is ready until it drains', async () => {
  expect(await app.send('GET', '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
  expect(await app.send('GET', '/readyz')).toMatchObject({
    status: 200,
    json: { status: 'ready' },
  });
});

test('answers a path that is not there in the same form', async () => {
  expect(await app.send('GET', '/nowhere')).toMatchObject({
    status: 404,
    json: { statusCode: 404, code: 'NOT_FOUND', message: 'Cannot GET /nowhere' },
    headers: { 'x-content-type-options': 'nosniff' },
  });
});
