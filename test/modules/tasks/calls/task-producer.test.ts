/** Tasks made without a handler's class: by URL, by path, by a handler's name. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Body, Controller, Injectable, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type {
  CloudTasksApi,
  Task as TaskResource,
} from '../../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS } from '../../../../src/modules/cloud-tasks/queue-backend.js';
import type { AppEngineCall, HttpCall } from '../../../../src/modules/tasks/calls/plain-call.js';
import { Task, TaskController } from '../../../../src/modules/tasks/task-decorators.js';
import type { TaskOptions } from '../../../../src/modules/tasks/task-options.js';
import { TaskProducer } from '../../../../src/modules/tasks/calls/task-producer.js';
import type { TaskRef } from '../../../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../../../src/modules/tasks/tasks.module.js';
import { closeApps, EMBEDDED, RecordedLog, startApp } from '../../../support/tasks-app.js';

let called: PromiseWithResolvers<unknown[]>;

@TaskController('tasks', { queue: 'email-queue' })
class EmailTasks {
  @Task('send-email')
  async send(@Body() email: object): Promise<void> {
    called.resolve(['send', email]);
  }

  @Task('fields')
  async fields(@Body('to') to: string, @Body('copies') copies?: number): Promise<void> {
    called.resolve(['fields', to, copies]);
  }

  @Task('of/:id') async of(@Param('id') _id: string): Promise<void> {}

  @Task('nothing') async nothing(): Promise<void> {
    called.resolve(['nothing']);
  }

  @Task('cleanup') async cleanup(): Promise<void> {}
}

@TaskController('other')
class OtherTasks {
  @Task('cleanup') async cleanup(): Promise<void> {
    called.resolve(['other cleanup']);
  }
}

@Controller('open')
class Open {
  @Post() take(@Body() body: unknown): void {
    called.resolve(['open', body]);
  }
}

@Injectable()
class Starter {
  constructor(readonly producer: TaskProducer) {}
}

let producer: TaskProducer;
let api: CloudTasksApi;
let url: string;

beforeAll(async () => {
  const { app, ...rest } = await startApp(
    {
      controllers: [EmailTasks, OtherTasks, Open],
      features: [EmailTasks],
      providers: [Starter],
    },
    { ...EMBEDDED, headers: { 'X-Ours': 'yes' }, oidc: { serviceAccountEmail: 'tasks@local' } },
  );
  ({ producer } = app.get(Starter));
  api = app.get<CloudTasksApi>(CLOUD_TASKS);
  ({ url } = rest);
});
afterAll(closeApps);
beforeEach(() => {
  called = Promise.withResolvers();
});

const later: TaskOptions = { countdown: '1h' };

async function created(ref: Promise<TaskRef>): Promise<TaskResource> {
  return api.getTask({ name: (await ref).name, responseView: 'FULL' });
}

function textOf(body: Uint8Array | undefined): string {
  return new TextDecoder().decode(body);
}

describe('enqueue', () => {
  test.each(['send-email', 'tasks/send-email', '/tasks/send-email', 'EmailTasks.send'])(
    'finds a handler by %s',
    async (type) => {
      const { queue } = await producer.enqueue(type, { to: 'ada@example.com' });
      expect(queue).toBe('email-queue');
      expect(await called.promise).toEqual(['send', { to: 'ada@example.com' }]);
    },
  );

  test('gives the fields of a payload to the parameters that read them', async () => {
    await producer.enqueue('fields', { to: 'ada', copies: 2 });
    expect(await called.promise).toEqual(['fields', 'ada', 2]);
    called = Promise.withResolvers();
    await producer.enqueue('nothing');
    expect(await called.promise).toEqual(['nothing']);
  });

  test('takes the options of .options()', async () => {
    const ref = await producer.enqueue('send-email', {}, { ...later, taskId: 'once' });
    expect(ref.taskId).toBe('once');
    await expect(
      producer.enqueue('send-email', {}, { ...later, taskId: 'once' }),
    ).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('tells handlers of one path apart by more of their names', async () => {
    await expect(producer.enqueue('cleanup')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'type',
      message:
        "TaskProducer.enqueue: type: 'cleanup' may be any of EmailTasks.cleanup, OtherTasks.cleanup; name one of those.",
    });
    await producer.enqueue('/other/cleanup');
    expect(await called.promise).toEqual(['other cleanup']);
  });

  test.each<[type: unknown, payload: unknown, options: object, message: string]>([
    [
      'send-emial',
      {},
      {},
      "TaskProducer.enqueue: type: no handler is called 'send-emial'; did you mean 'send-email'?",
    ],
    [7, {}, {}, "TaskProducer.enqueue: type: expected a handler's name, got number."],
    [
      'of/:id',
      {},
      {},
      'EmailTasks.of: type: it takes more than a payload, so it can only be called by .delay.',
    ],
    [
      'fields',
      { to: 'ada', copys: 2 },
      {},
      "EmailTasks.fields: payload: expected to, copies, got 'copys'.",
    ],
    ['fields', 'ada', {}, 'EmailTasks.fields: payload: expected to, copies, got string.'],
    [
      'send-email',
      undefined,
      {},
      'EmailTasks.send, argument 1, @Body(): expected a value that JSON has, got undefined.',
    ],
    [
      'send-email',
      {},
      { countdwn: '1m' },
      "EmailTasks.send: Unknown option 'countdwn' of a task; did you mean 'countdown'?",
    ],
  ])('refuses %j with %j, %j', async (type, payload, options, message) => {
    await expect(producer.enqueue(type as string, payload, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message,
    });
  });
});

describe('http', () => {
  test('calls a URL of others with its payload, and with nothing of ours', async () => {
    const task = await created(
      producer.http({ url: 'https://api.example.com/hooks?a=ü', payload: { a: [1] } }, later),
    );
    expect(task.httpRequest).toEqual({
      url: 'https://api.example.com/hooks?a=%C3%BC',
      httpMethod: 'POST',
      headers: expect.not.objectContaining({
        'x-ours': 'yes',
        'X-Tasks-Deadline': expect.anything(),
      }),
      body: expect.any(Uint8Array),
    });
    expect(task.httpRequest?.headers['content-type']).toBe('application/json');
    expect(textOf(task.httpRequest?.body)).toBe('{"a":[1]}');
  });

  test.each<[payload: unknown, type: string | undefined, text: string]>([
    ['text', 'text/plain; charset=utf-8', 'text'],
    [Buffer.from('bytes'), 'application/octet-stream', 'bytes'],
    [null, 'application/json', 'null'],
    [undefined, undefined, ''],
  ])('sends %j as %s', async (payload, type, text) => {
    const task = await created(producer.http({ url: 'https://api.example.com/', payload }, later));
    expect(task.httpRequest?.headers['content-type']).toBe(type);
    expect(textOf(task.httpRequest?.body)).toBe(text);
  });

  test('takes a method and a content type', async () => {
    const call: HttpCall = {
      url: 'https://api.example.com/',
      method: 'PUT',
      payload: '<a/>',
      contentType: 'text/xml',
    };
    const task = await created(producer.http(call, { ...later, headers: { 'X-A': 'b' } }));
    expect(task.httpRequest).toMatchObject({
      httpMethod: 'PUT',
      headers: { 'content-type': 'text/xml', 'x-a': 'b' },
    });
  });

  test('calls our own handlers with the token that they accept', async () => {
    await producer.http({ url: `${url}/tasks/send-email`, payload: { to: 'ada' } });
    expect(await called.promise).toEqual(['send', { to: 'ada' }]);
    const task = await created(producer.http({ url: `${url}/tasks/send-email` }, later));
    expect(task.httpRequest).toMatchObject({
      oidcToken: { serviceAccountEmail: 'tasks@local', audience: url },
      headers: { 'x-ours': 'yes' },
    });
  });

  test('sends an ID token to others where it is asked for, with their origin as audience', async () => {
    const target = { url: 'https://worker.example.com/run' };
    const task = await created(producer.http(target, { ...later, oidc: {} }));
    expect(task.httpRequest?.oidcToken).toEqual({
      serviceAccountEmail: 'tasks@local',
      audience: 'https://worker.example.com',
    });
  });

  test("sends an access token to Google's APIs alone", async () => {
    const target = { url: 'https://run.googleapis.com/v2/projects/p/locations/l/jobs/j:run' };
    const scope = 'https://www.googleapis.com/auth/cloud-platform';
    const task = await created(producer.http(target, { ...later, oauth: { scope } }));
    expect(task.httpRequest?.oauthToken).toEqual({ serviceAccountEmail: 'tasks@local', scope });
    expect(task.httpRequest?.oidcToken).toBeUndefined();
  });

  test.each<[field: string, call: object, options: TaskOptions, message: RegExp]>([
    ['url', { url: '/relative' }, {}, /expected an http\(s\) URL .* got '\/relative'/],
    ['url', { url: 'ftp://example.com/' }, {}, /http\(s\)/],
    ['url', { url: 'https://ada:secret@example.com/' }, {}, /got 'https:\/\/…@example\.com\/'/],
    ['url', { url: 'https://example.com/ a' }, {}, /blanks/],
    ['url', { url: `https://example.com/${'é'.repeat(400)}` }, {}, /at most 2083 .* got 2420/],
    ['uri', { uri: 'https://example.com/' }, {}, /Unknown option 'uri' of an HTTP call/],
    ['payload', { url: 'https://example.com/', method: 'GET', payload: 1 }, {}, /only POST, PUT/],
    ['payload.a', { url: 'https://example.com/', payload: { a: 1n } }, {}, /got bigint at \.a/],
    ['payload', { url: 'https://example.com/', payload: '\ud800' }, {}, /lone surrogates/],
    ['method', { url: 'https://example.com/', method: 'TRACE' }, {}, /expected one of POST/],
    ['contentType', { url: 'https://example.com/', contentType: 'xml' }, {}, /text\/xml/],
    ['target', { url: 'https://example.com/' }, { target: 'app-engine' }, /appEngine/],
    ['dispatchDeadline', { url: 'https://example.com/' }, { dispatchDeadline: '1h' }, /'30m'/],
    ['oauth', { url: 'https://googleapis.com.example.com/' }, { oauth: {} }, /googleapis\.com/],
    ['oauth', { url: 'http://run.googleapis.com/' }, { oauth: {} }, /googleapis\.com/],
    ['task', { url: 'https://example.com/', payload: 'x'.repeat(2 ** 20) }, {}, /a task of/],
  ])('refuses %s: %j, %j', async (field, call, options, message) => {
    await expect(producer.http(call as HttpCall, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
      message: expect.stringMatching(message),
    });
    await expect(producer.http(call as HttpCall, options)).rejects.toThrow(/^TaskProducer\.http: /);
  });

  test('refuses others a token that our own handlers would take', async () => {
    const options = { oidc: { audience: url } };
    await expect(
      producer.http(
        { url: url.replace('127.0.0.1', 'localhost').replace('http:', 'https:') },
        options,
      ),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'oidc.audience' });
  });

  test('works in a process without an HTTP application', async () => {
    @Module({ imports: [TasksModule.forRoot(EMBEDDED)] })
    class AppModule {}
    const log = { logger: new RecordedLog(), abortOnError: false };
    const context = await NestFactory.createApplicationContext(AppModule, log);
    try {
      for (const target of ['https://api.example.com/', 'http://127.0.0.1:9/']) {
        const { queue } = await context.get(TaskProducer).http({ url: target }, later);
        expect(queue).toBe('default');
      }
      await expect(context.get(TaskProducer).enqueue('send-email')).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
        field: 'type',
      });
    } finally {
      await context.close();
    }
  });
});

describe('appEngine', () => {
  test('calls a path of a service', async () => {
    await producer.appEngine({ relativeUri: '/open', payload: { a: 1 } });
    expect(await called.promise).toEqual(['open', { a: 1 }]);
    const target = { service: 'worker', version: 'v1' };
    const call: AppEngineCall = { relativeUri: '/a?b=c', payload: 'text', method: 'PUT' };
    const task = await created(producer.appEngine(call, { ...later, target }));
    expect(task.appEngineHttpRequest).toMatchObject({
      relativeUri: '/a?b=c',
      httpMethod: 'PUT',
      appEngineRouting: target,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-ours': 'yes' },
    });
  });

  test.each<[field: string, call: object, options: TaskOptions]>([
    ['relativeUri', { relativeUri: 'tasks' }, {}],
    ['relativeUri', { relativeUri: '//example.com/' }, {}],
    ['relativeUri', { relativeUri: '/ü' }, {}],
    ['relativeUri', { relativeUri: `/${'a'.repeat(2083)}` }, {}],
    ['payload', { method: 'PATCH', payload: 1 }, {}],
    ['target', {}, { target: 'http' }],
    ['relativeUrl', { relativeUrl: '/' }, {}],
  ])('refuses %s: %j, %j', async (field, call, options) => {
    await expect(producer.appEngine(call, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
      message: expect.stringMatching(/^TaskProducer\.appEngine: /),
    });
  });
});
