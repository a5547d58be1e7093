/** Who reaches a handler of a real app, by real requests: verified tasks, and nobody else. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { TaskInput } from '../../../src/engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../src/engine/errors.js';
import type { EngineEvent } from '../../../src/engine/ports.js';
import { TaskGuard } from '../../../src/modules/auth/task-guard.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import type { TaskContext } from '../../../src/modules/tasks/task-context.js';
import { Task, TaskController, TaskInfo } from '../../../src/modules/tasks/task-decorators.js';
import type { TestApp } from '../../support/tasks-app.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';
import { ACCOUNT, AUDIENCE, TestIssuer } from '../../support/test-issuer.js';

let calls: { body: unknown; task?: TaskContext }[] = [];

@TaskController('tasks')
class Handlers {
  @Task('work')
  work(@Body() body: unknown, @TaskInfo() task: TaskContext): void {
    calls.push({ body, task });
  }

  /** An ordinary route of a task controller. */
  @Post('plain')
  @HttpCode(200)
  plain(@Body() body: unknown): void {
    calls.push({ body });
  }
}

@Controller('ordinary')
class Ordinary {
  @Post('guarded')
  @UseGuards(TaskGuard)
  @HttpCode(200)
  guarded(@Body() body: unknown): void {
    calls.push({ body });
  }
}

const ROUTES = ['/tasks/work', '/tasks/plain', '/ordinary/guarded'];
const parts = { controllers: [Handlers, Ordinary], features: [] };

const UNAUTHENTICATED = {
  statusCode: 401,
  code: 'UNAUTHENTICATED',
  message: 'Only verified tasks are let in.',
};
const PERMISSION_DENIED = {
  statusCode: 403,
  code: 'PERMISSION_DENIED',
  message: 'This caller is not let in.',
};

/** Headers as they go out, a pair each, so that one may come twice. */
type Headers = readonly (readonly [name: string, value: string])[];

async function post(
  url: string,
  headers: Headers = [],
  body = '{"made": "up"}',
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      let text = '';
      response
        .on('data', (chunk: Buffer) => (text += chunk.toString()))
        .on('end', () => {
          const json = text === '' ? undefined : (JSON.parse(text) as unknown);
          resolve({ status: response.statusCode ?? 0, body: json });
        });
    });
    request.on('error', reject);
    for (const [name] of headers) {
      request.setHeader(
        name,
        headers.filter(([other]) => other === name).map(([, value]) => value),
      );
    }
    request.setHeader('Content-Type', 'application/json');
    request.end(body);
  });
}

beforeEach(() => {
  calls = [];
});
afterEach(closeApps);

describe('with tokens of an issuer', () => {
  let issuer: TestIssuer;
  let server: TestApp;

  beforeEach(async () => {
    issuer = await TestIssuer.start();
    server = await startApp(parts, {
      backend: 'google',
      // Nobody is there; nothing is enqueued here.
      emulatorHost: '127.0.0.1:1',
      project: 'demo',
      serviceUrl: AUDIENCE,
      serviceAccount: ACCOUNT,
      auth: { issuer: issuer.url },
    });
  });
  afterEach(() => issuer.close());

  const token = (changes: object = {}) =>
    issuer.first.sign(issuer.claims(Math.floor(Date.now() / 1000), { ...changes }));
  const bearer = (text: string) => ['Authorization', `Bearer ${text}`] as const;

  test.each(ROUTES)('lets a good one in to %s', async (route) => {
    expect((await post(server.url + route, [bearer(token())])).status).toBe(200);
    expect(calls).toMatchObject([{ body: { made: 'up' } }]);
  });

  test.each(ROUTES)('refuses everything else at %s, in the same words', async (route) => {
    const url = server.url + route;
    const good = bearer(token());
    const spoofed: Headers = ['AppEngine', 'CloudTasks'].flatMap((kind) => [
      [`X-${kind}-QueueName`, 'default'] as const,
      [`X-${kind}-TaskName`, '1'] as const,
      [`X-${kind}-TaskRetryCount`, '0'] as const,
    ]);
    const nobody: Headers[] = [
      [],
      [['Authorization', 'Basic dXNlcjpwYXNz']],
      spoofed,
      [...spoofed, ['User-Agent', 'Google-Cloud-Tasks'], ['X-Forwarded-For', '0.1.0.2']],
      [['X-Appengine-User-Ip', '0.1.0.2']],
      [['X-Serverless-Authorization', good[1]]],
      [['X-Engine-Signature', `v1=${'0'.repeat(64)}`]],
      [good, bearer(token({ aud: 'https://evil.example' }))],
      [bearer(token({ aud: `${AUDIENCE}/` }))],
      [bearer(token({ iss: 'https://evil.example' }))],
      [bearer(token({ exp: Math.floor(Date.now() / 1000) - 120 }))],
      [bearer(`${token().split('.').slice(0, 2).join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`)],
    ];
    for (const headers of nobody) {
      expect(await post(url, headers)).toEqual({ status: 401, body: UNAUTHENTICATED });
    }
    const another = [bearer(token({ email: 'tasks@other.iam.gserviceaccount.com' }))];
    expect(await post(url, another)).toEqual({ status: 403, body: PERMISSION_DENIED });
    expect(calls).toEqual([]);
  });

  test('has no way around by a query, a method or a path of another form', async () => {
    const text = token();
    for (const path of [
      `/tasks/work?access_token=${text}`,
      `/tasks/work?authorization=Bearer%20${text}`,
      '/TASKS/WORK',
      '/tasks/work/',
      '/tasks/%77ork',
      '//tasks/work',
      '/tasks/../tasks/work',
    ]) {
      const { status } = await post(server.url + path, [['X-HTTP-Method-Override', 'GET']]);
      expect([401, 404]).toContain(status);
    }
    expect(calls).toEqual([]);
  });

  test('tells the log why, and neither the log nor the caller any part of the token', async () => {
    const text = token({ email: 'someone@else.example' });
    const { body } = await post(`${server.url}/tasks/work?secret=1`, [bearer(text)]);
    expect(server.log.text).toContain(
      "Refused POST /tasks/work: the account 'someone@else.example' is not one that may call",
    );
    for (const part of [...text.split('.').map((segment) => segment.slice(0, 20)), 'secret=1']) {
      expect(server.log.text + JSON.stringify(body)).not.toContain(part);
    }
  });

  test('answers 503 while there are no keys to verify with', async () => {
    issuer.broken = (response) => response.writeHead(500).end();
    expect(await post(`${server.url}/tasks/work`, [bearer(token())])).toEqual({
      status: 503,
      body: {
        statusCode: 503,
        code: 'UNAVAILABLE',
        message: 'Nobody can be verified at the moment.',
      },
    });
  });

  test('reads the task off headers of verified requests only, odd ones as unknown', async () => {
    const headers: Headers = [
      bearer(token()),
      ['X-CloudTasks-QueueName', 'q'],
      ['X-CloudTasks-TaskName', 't'],
      ['X-CloudTasks-TaskRetryCount', '3'],
      ['X-CloudTasks-TaskExecutionCount', '-1'],
      ['X-CloudTasks-TaskETA', '1721236265.266817'],
      ['X-CloudTasks-TaskPreviousResponse', '503'],
      ['X-CloudTasks-TaskRetryReason', ''],
      ['X-AppEngine-TaskRetryCount', '9'],
    ];
    await post(`${server.url}/tasks/work`, headers);
    expect(calls[0]?.task).toMatchObject({
      queue: 'q',
      taskId: 't',
      retryCount: 3,
      executionCount: 0,
      scheduledAt: new Date('2024-07-17T17:11:05.266Z'),
      previousResponse: 503,
      retryReason: undefined,
    });
    for (const value of ['-1', '1e9', 'abc', '99999999999']) {
      await post(`${server.url}/tasks/work`, [
        bearer(token()),
        ['X-CloudTasks-TaskRetryCount', value],
      ]);
    }
    await post(`${server.url}/tasks/work`, [
      bearer(token()),
      ['X-CloudTasks-TaskRetryCount', '1'],
      ['X-CloudTasks-TaskRetryCount', '2'],
    ]);
    expect(calls.slice(1).map(({ task }) => task?.retryCount)).toEqual([0, 0, 0, 0, 0]);
  });

  test('answers 401 before it has read a body', async () => {
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    const answer = new Promise<string>((resolve) =>
      socket.once('data', (data) => resolve(data.toString())),
    );
    // A megabyte is promised and not a byte of it sent.
    socket.write(
      'POST /tasks/work HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n',
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });
});

describe('with the embedded engine', () => {
  let server: TestApp;
  let statuses: Map<string, number>;
  let nextAttempt: PromiseWithResolvers<void>;

  beforeEach(async () => {
    statuses = new Map();
    nextAttempt = Promise.withResolvers();
    const onEvent = (event: EngineEvent) => {
      if (event.type !== 'attempt') return;
      statuses.set(event.task, event.result.kind === 'response' ? event.result.status : 0);
      nextAttempt.resolve();
      nextAttempt = Promise.withResolvers();
    };
    server = await startApp(parts, { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent } });
  });

  /** Creates a task as any client of the engine could, and gives the status of its attempts. */
  async function statusOf(task: TaskInput): Promise<number> {
    const backend = server.app.get(QueueBackend);
    const parent = backend.queueName('default');
    const { name } = await backend.api.createTask({ parent, task });
    // Tasks that were refused before are tried again meanwhile.
    for (;;) {
      const status = statuses.get(name.slice(name.lastIndexOf('/') + 1));
      if (status !== undefined) return status;
      await nextAttempt.promise;
    }
  }

  const body = new TextEncoder().encode('{"made":"up"}');
  const content = { body, headers: { 'Content-Type': 'application/json' } };

  test('lets its HTTP tasks in with a token of the account and the audience, and no other', async () => {
    const url = `${server.url}/tasks/work`;
    const http = (oidcToken?: { serviceAccountEmail: string; audience?: string }) =>
      statusOf({ httpRequest: { url, ...content, ...(oidcToken ? { oidcToken } : {}) } });
    expect(await http()).toBe(401);
    expect(await http({ serviceAccountEmail: 'tasks@local' })).toBe(401);
    expect(await http({ serviceAccountEmail: 'else@local', audience: server.url })).toBe(403);
    expect(calls).toEqual([]);
    expect(await http({ serviceAccountEmail: 'tasks@local', audience: server.url })).toBe(200);
    expect(calls).toMatchObject([{ body: { made: 'up' }, task: { queue: 'default' } }]);
  });

  test('lets its App Engine tasks in by their signature', async () => {
    for (const route of ROUTES) {
      expect(await statusOf({ appEngineHttpRequest: { relativeUri: route, ...content } })).toBe(
        200,
      );
    }
    expect(calls).toHaveLength(3);
    expect(calls[0]?.task).toMatchObject({ queue: 'default', retryCount: 0 });
  });

  test('refuses forged App Engine tasks', async () => {
    const forged: Headers = [
      ['X-AppEngine-QueueName', 'default'],
      ['X-AppEngine-TaskName', '1'],
      ['X-AppEngine-TaskRetryCount', '0'],
      ['X-AppEngine-TaskExecutionCount', '0'],
      ['X-AppEngine-TaskETA', '1'],
    ];
    const lines = ['v1', 'POST', '/tasks/work', 'default', '1', '0', '0', '1'];
    const sign = (secret: string, text = lines.join('\n')) =>
      `v1=${createHmac('sha256', secret).update(text).digest('hex')}`;
    const { secret = '' } = server.app.get(QueueBackend).proof;
    const good = sign(secret);
    const url = `${server.url}/tasks/work`;
    const signature = (value: string) => ['X-Engine-Signature', value] as const;

    expect((await post(url, [...forged, signature(good)])).status).toBe(200);
    calls = [];
    for (const headers of [
      forged,
      [...forged, signature('')],
      [...forged, signature('v1=')],
      [...forged, signature(sign('another secret'))],
      [...forged, signature(good.toUpperCase())],
      [...forged, signature(good.slice(3))],
      [...forged, signature(good), signature(good)],
      // Of another path, queue, attempt; of a header that came twice.
      [...forged, signature(sign(secret, lines.join('\n').replace('work', 'plain')))],
      [...forged.slice(1), signature(good), ['X-AppEngine-QueueName', 'other'] as const],
      [...forged, signature(good), ['X-AppEngine-TaskRetryCount', '0'] as const],
      [signature(good)],
    ]) {
      expect(await post(url, headers)).toEqual({ status: 401, body: UNAUTHENTICATED });
    }
    // A good signature of another path doesn't open this one.
    expect((await post(`${server.url}/tasks/plain`, [...forged, signature(good)])).status).toBe(
      401,
    );
    expect((await post(`${url}?x=1`, [...forged, signature(good)])).status).toBe(401);
    expect(calls).toEqual([]);
  });
});

describe('a module that could not be safe', () => {
  test.each([
    ['auth mode cloud-run-iam', { ...EMBEDDED, auth: { mode: 'cloud-run-iam' as 'oidc' } }],
    ['auth mode none', { ...EMBEDDED, auth: { mode: 'none' as 'oidc' } }],
    ['an empty audience', { ...EMBEDDED, auth: { audience: '' } }],
    ['no account', { ...EMBEDDED, auth: { accounts: [] } }],
    ['an account that is none', { ...EMBEDDED, auth: { accounts: ['*'] } }],
    [
      'mode local on Google',
      {
        backend: 'google' as const,
        project: 'demo',
        serviceUrl: AUDIENCE,
        serviceAccount: ACCOUNT,
        auth: { mode: 'local' as const },
      },
    ],
    [
      'Google without an account',
      { backend: 'google' as const, project: 'p', serviceUrl: AUDIENCE },
    ],
    [
      'Google without an address',
      { backend: 'google' as const, project: 'p', serviceAccount: ACCOUNT },
    ],
  ])('does not start: %s', async (_, options) => {
    await expect(startApp(parts, options)).rejects.toBeInstanceOf(CloudTasksError);
  });
});
