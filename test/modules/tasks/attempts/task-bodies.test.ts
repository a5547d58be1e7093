/** What reaches a handler's `@Body()`: any JSON and other content up to a task's size. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Body, Controller, HttpCode, Post, RawBody } from '@nestjs/common';
import type { CloudTasksApi } from '../../../../src/engine/cloud-tasks-api.js';
import type { EngineEvent } from '../../../../src/engine/ports.js';
import { QueueBackend } from '../../../../src/modules/cloud-tasks/queue-backend.js';
import type { EndedAttempt } from '../../../../src/modules/dead-letters/outcomes.js';
import { Outcomes } from '../../../../src/modules/dead-letters/outcomes.js';
import { Task, TaskController, tasksToken } from '../../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../../support/tasks-app.js';

let called: PromiseWithResolvers<unknown>;

@TaskController('bodies')
class Bodies {
  @Task('any')
  async any(@Body() body: unknown): Promise<void> {
    called.resolve(body);
  }
}

@Controller('open')
class Open {
  @Post()
  @HttpCode(200)
  take(@Body() body: unknown, @RawBody() raw: Buffer | undefined): void {
    called.resolve([body, raw]);
  }
}

let api: CloudTasksApi;
let queue: string;
let url: string;
let tasks: Tasks<Bodies>;
let outcomes: Outcomes;
/** By the ids of tasks: told the status of their attempts. */
const onEnd = new Map<string, (status: number) => void>();
let tasksMade = 0;

beforeAll(async () => {
  const onEvent = (event: EngineEvent) => {
    if (event.type !== 'attempt') return;
    onEnd.get(event.task)?.(event.result.kind === 'response' ? event.result.status : 0);
  };
  const server = await startApp(
    { controllers: [Bodies, Open], features: [Bodies] },
    { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent } },
  );
  const backend = server.app.get(QueueBackend);
  ({ api } = backend);
  ({ url } = server);
  outcomes = server.app.get(Outcomes);
  queue = backend.queueName('default');
  tasks = server.app.get(tasksToken(Bodies));
});
afterAll(closeApps);
beforeEach(() => {
  called = Promise.withResolvers();
});

/** Creates a task as another client would; its body arrives, or the status of its attempt. */
async function deliver(body: string | Uint8Array, type?: string): Promise<unknown> {
  called = Promise.withResolvers();
  const id = String(++tasksMade);
  const ended = new Promise<number>((resolve) => onEnd.set(id, resolve));
  await api.createTask({
    parent: queue,
    task: {
      name: `${queue}/tasks/${id}`,
      appEngineHttpRequest: {
        relativeUri: '/bodies/any',
        body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
        headers: type === undefined ? {} : { 'Content-Type': type },
      },
    },
  });
  const status = await ended;
  return status === 200 ? called.promise : status;
}

describe('a handler is given', () => {
  test('a body far beyond 100 KB', async () => {
    const text = 'é'.repeat(500_000);
    await tasks.any.delay({ text });
    expect(await called.promise).toEqual({ text });
  });

  test.each([null, true, 0, 'text', [], {}])('%j, whole', async (value) => {
    await tasks.any.delay(value);
    expect(await called.promise).toEqual(value);
  });

  test('text as a string, other types as bytes, nothing as undefined', async () => {
    expect(await deliver('hello', 'text/plain; charset=utf-8')).toBe('hello');
    expect(await deliver('{"a":1}', 'application/vnd.x+json')).toEqual({ a: 1 });
    const bytes = Uint8Array.of(0, 255, 1);
    expect(await deliver(bytes)).toEqual(Buffer.from(bytes));
    expect(await deliver(bytes, 'image/png')).toEqual(Buffer.from(bytes));
    expect(await deliver('a=1&b=2', 'application/x-www-form-urlencoded')).toEqual({
      a: '1',
      b: '2',
    });
    expect(await deliver('')).toBeUndefined();
    expect(await deliver('', 'application/json')).toBeUndefined();
  });

  test('nothing of JSON that is none: it is parked', async () => {
    const parked = Promise.withResolvers<EndedAttempt>();
    outcomes.listen((ended) => parked.resolve(ended));
    void deliver('{"a":', 'application/json');
    expect(await parked.promise).toMatchObject({ kind: 'dead-lettered', error: { status: 400 } });
  });
});

describe('other routes', () => {
  const post = (body: string) =>
    fetch(`${url}/open`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    });

  test('are as they were: open, and limited to 100 KB', async () => {
    expect((await post('{"a":1}')).status).toBe(200);
    expect(await called.promise).toEqual([{ a: 1 }, undefined]);
    expect((await post(JSON.stringify('x'.repeat(200_000)))).status).toBe(413);
  });
});
