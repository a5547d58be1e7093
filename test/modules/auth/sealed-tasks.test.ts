/** Tasks that are signed, from creation to handler, and whatever becomes of them in between. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { request } from 'undici';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { SIGNATURE_HEADER, signedText } from '../../../src/engine/dispatch-signature.js';
import { shortId } from '../../../src/engine/resource-name.js';
import { TaskGuard } from '../../../src/modules/auth/task-guard.js';
import { TaskSeals } from '../../../src/modules/auth/task-seals.js';
import {
  CLOCK,
  CLOUD_TASKS,
  QueueBackend,
  sealing,
} from '../../../src/modules/cloud-tasks/queue-backend.js';
import { deadLetterQueue } from '../../../src/foundation/dead-letter-queue.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import {
  PermanentFailure,
  RetryLater,
} from '../../../src/modules/dead-letters/handler-failures.js';
import type { OutcomeKind } from '../../../src/modules/dead-letters/outcomes.js';
import { Outcomes } from '../../../src/modules/dead-letters/outcomes.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { Task, TaskController, tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

const ENGINE_SECRET = 'secret-of-the-engine-0123456789-0123456789';
const SECRET = 'current-secret-of-the-envelope-012345';
const BEFORE = 'previous-secret-of-the-envelope-01234';
const OPTIONS: TasksModuleOptions = {
  ...EMBEDDED,
  engine: { ...EMBEDDED.engine, secret: ENGINE_SECRET },
  auth: { envelope: { secret: SECRET } },
};
const ROUTES = ['/tasks/work', '/tasks/plain', '/ordinary'];

let calls: unknown[];
/** What the next calls throw. */
let failures: Error[];
let called: PromiseWithResolvers<unknown>;
beforeEach(() => {
  calls = [];
  failures = [];
  called = Promise.withResolvers();
});
afterEach(closeApps);

function note(body: unknown): void {
  const failure = failures.shift();
  if (failure) throw failure;
  calls.push(body);
  called.resolve(body);
}

/** Resolves with the next call; to be asked for before it can come. */
async function nextCall(): Promise<unknown> {
  const body = await called.promise;
  called = Promise.withResolvers();
  return body;
}

@TaskController('tasks', { queue: 'mail' })
class Handlers {
  @Task('work')
  work(@Body() body: unknown): void {
    note(body);
  }

  @Task('idle')
  idle(): void {
    note('nothing');
  }

  @Post('plain')
  @HttpCode(200)
  plain(@Body() body: unknown): void {
    note(body);
  }
}

@Controller('ordinary')
class Ordinary {
  @Post()
  @HttpCode(200)
  @UseGuards(TaskGuard)
  ordinary(@Body() body: unknown): void {
    note(body);
  }
}

async function start(options = OPTIONS) {
  const parts = { controllers: [Handlers, Ordinary], features: [Handlers] };
  const { app, url, log } = await startApp(parts, options);
  const ended: OutcomeKind[] = [];
  const parked = Promise.withResolvers<unknown>();
  app.get(Outcomes).listen(({ kind }) => {
    ended.push(kind);
    if (kind === 'dead-lettered') parked.resolve(kind);
  });
  const backend = app.get(QueueBackend);
  return {
    app,
    url,
    log,
    ended,
    parked: parked.promise,
    /** Signs nothing. */
    bare: backend.api,
    sealing: app.get<CloudTasksApi>(CLOUD_TASKS),
    parent: backend.queueName('mail'),
    delayed: app.get<Tasks<Handlers>>(tasksToken(Handlers)),
  };
}

type Headers = Readonly<Record<string, string>>;

const appEngineTask = (relativeUri: string, body: string, headers: Headers = {}) => ({
  appEngineHttpRequest: {
    relativeUri,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: Buffer.from(body),
  },
});

/** The answer to what looks like a dispatch of the engine in all but its envelope. */
async function dispatched(
  url: string,
  path: string,
  { headers, body, taskId }: { headers: Headers; body: string | Readable; taskId: string },
): Promise<number> {
  const values = new Map([
    ['X-AppEngine-QueueName', 'mail'],
    ['X-AppEngine-TaskName', taskId],
  ]);
  const header = (name: string) => values.get(name);
  const text = signedText({ method: 'POST', relativeUri: path, header });
  const mac = createHmac('sha256', ENGINE_SECRET).update(text).digest('hex');
  const all = { ...headers, ...Object.fromEntries(values), [SIGNATURE_HEADER]: `v1=${mac}` };
  const response = await request(`${url}${path}`, { method: 'POST', headers: all, body });
  await response.body.dump();
  return response.statusCode;
}

describe.each(['http', 'app-engine'] as const)('to target %s', (target) => {
  const options = { ...OPTIONS, target };

  test('tasks with a body, without one, and with an id reach their handlers', async () => {
    const { delayed } = await start(options);
    await delayed.work.delay({ some: 'body' });
    expect(await nextCall()).toEqual({ some: 'body' });
    await delayed.idle.delay();
    expect(await nextCall()).toBe('nothing');
    const { taskId } = await delayed.work.options({ taskId: 'welcome-42' }).delay({ id: 42 });
    expect(taskId).toBe('welcome-42');
    expect(await nextCall()).toEqual({ id: 42 });
  });

  test('the successor of one is signed anew', async () => {
    const { delayed, ended } = await start(options);
    failures.push(new RetryLater({ after: '1ms' }));
    await delayed.work.delay({ again: true });
    expect(await nextCall()).toEqual({ again: true });
    expect(ended[0]).toBe('rescheduled');
  });

  test('one that was parked comes back when it is redriven', async () => {
    const { app, delayed, parked } = await start(options);
    failures.push(new PermanentFailure('no such address'));
    await delayed.work.delay({ to: 'nobody' });
    await parked;
    for await (const { error } of app.get(DeadLetters).redrive()) expect(error).toBeUndefined();
    expect(await nextCall()).toEqual({ to: 'nobody' });
  });
});

test('one whose body is kept apart is signed with what it refers to', async () => {
  const { delayed } = await start({
    ...OPTIONS,
    payloadStore: { folder: await mkdtemp(join(tmpdir(), 'sealed-')) },
  });
  const large = 'x'.repeat(1_100_000);
  await delayed.work.delay({ large });
  expect(await nextCall()).toEqual({ large });
});

test('one that was signed with the secret before is let in while that is named', async () => {
  const changed = { ...OPTIONS, auth: { envelope: { secret: SECRET, previous: BEFORE } } };
  const { app, bare, parent } = await start(changed);
  const isOwn = () => Promise.resolve(true);
  const old = new TaskSeals({ envelope: { secret: BEFORE }, isOwn }, app.get(CLOCK));
  await sealing(bare, old).createTask({ parent, task: appEngineTask('/tasks/work', '{"old":1}') });
  expect(await nextCall()).toEqual({ old: 1 });
});

test('a task for somebody else is left as it is', async () => {
  const { sealing: api, parent } = await start();
  await api.pauseQueue({ name: parent });
  const url = 'http://127.0.0.1:1/hook';
  const { name } = await api.createTask({ parent, task: { httpRequest: { url } } });
  const { httpRequest } = await api.getTask({ name, responseView: 'FULL' });
  expect(Object.keys(httpRequest?.headers ?? {})).not.toContain('X-Tasks-Envelope');
});

describe('what somebody else has made', () => {
  test.each(ROUTES)('is refused at %s', async (path) => {
    const { bare, parent, log } = await start();
    const refused = log.line(/Refused POST \S+: there is no X-Tasks-Envelope of ours/);
    await bare.createTask({ parent, task: appEngineTask(path, '{}') });
    await refused;
    expect(calls).toEqual([]);
  });

  test.each(ROUTES)('with our signature is refused at %s but for the very task', async (path) => {
    const { url, bare, sealing: api, parent, log } = await start();
    await bare.pauseQueue({ name: parent });
    const { name } = await api.createTask({ parent, task: appEngineTask(path, '{"sum":1}') });
    const { appEngineHttpRequest } = await bare.getTask({ name, responseView: 'FULL' });
    const { 'Content-Length': _, ...headers } = appEngineHttpRequest?.headers ?? {};
    const good = { headers, body: '{"sum":1}', taskId: shortId(name) };
    const other = ROUTES.find((route) => route !== path) ?? '';

    expect(await dispatched(url, path, { ...good, body: '{"sum":2}' })).toBe(401);
    expect(await dispatched(url, path, { ...good, body: '' })).toBe(401);
    // Nest's own parser, where there is one, takes in less.
    const large = { ...good, body: 'x'.repeat(1_100_000) };
    expect([401, 413]).toContain(await dispatched(url, path, large));
    expect(await dispatched(url, path, { ...good, taskId: 'another' })).toBe(401);
    expect(await dispatched(url, other, good)).toBe(401);
    const more = { ...headers, 'X-Tasks-Max-Attempts': '1' };
    expect(await dispatched(url, path, { ...good, headers: more })).toBe(401);
    expect(calls).toEqual([]);
    expect(log.text).toContain('the X-Tasks-Envelope is of another body');
    expect(log.text).not.toContain(headers['X-Tasks-Envelope'] ?? 'none');

    expect(await dispatched(url, path, good)).toBe(200);
    const inParts = { ...good, body: Readable.from(['{"su', 'm":1}']) };
    expect(await dispatched(url, path, inParts)).toBe(200);
    expect(calls).toEqual([{ sum: 1 }, { sum: 1 }]);
  });

  test('is not made ours by being parked and redriven', async () => {
    const { app, bare, delayed, parent, parked } = await start();
    failures.push(new PermanentFailure('no such address'));
    await delayed.work.delay({ to: 'nobody' });
    await parked;
    const letters = app.get(DeadLetters);
    const shelf = deadLetterQueue(shortId(parent));
    const queue = parent.replace(/[^/]+$/, shelf);
    const [good] = (await bare.listTasks({ parent: queue, responseView: 'FULL' })).tasks;
    const headers = (good?.httpRequest ?? good?.appEngineHttpRequest)?.headers;
    await bare.deleteTask({ name: good?.name ?? '' });
    await bare.createTask({ parent: queue, task: appEngineTask('/tasks/work', '{}', headers) });
    const results = [];
    for await (const result of letters.redrive()) results.push(result.error?.code);
    expect(results).toEqual(['FAILED_PRECONDITION']);
    expect(calls).toEqual([]);
  });
});

test('without the secret a parked task is not made anew, since nobody would let it in', async () => {
  const { app, bare, delayed, parked } = await start();
  failures.push(new PermanentFailure('no such address'));
  await delayed.work.delay({ to: 'nobody' });
  await parked;
  const isOwn = () => Promise.resolve(true);
  const seals = new TaskSeals({ isOwn }, app.get(CLOCK));
  const { location } = app.get(QueueBackend);
  const check = seals.check.bind(seals);
  const letters = new DeadLetters(bare, location, app.get(CLOCK), undefined, check);
  const results = [];
  for await (const { error } of letters.redrive()) results.push(error?.message);
  expect(results).toEqual([expect.stringContaining('set ENVELOPE_SECRET')]);
});

test.each([
  ['auth.envelope.secret', { secret: 'too short' }],
  ['auth.envelope.previous', { secret: SECRET, previous: `${BEFORE} with blanks` }],
  ['secrets', { secret: SECRET, secrets: [] }],
])('does not start: %s', async (field, envelope) => {
  const starting = start({ ...OPTIONS, auth: { envelope } });
  await expect(starting).rejects.toMatchObject({ field });
  await expect(starting).rejects.not.toThrow(/too short|with blanks/);
});
