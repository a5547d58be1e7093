/** A body that is too large for a task: kept apart, given back to the handler, cleared by age. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Controller, Post } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { existsSync, watch } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import type { EngineEvent } from '../../../src/engine/ports.js';
import { DAY, MINUTE } from '../../../src/engine/time.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import type { PayloadStoreOptions } from '../../../src/modules/payloads/payload-options.js';
import { readPayloadOptions } from '../../../src/modules/payloads/payload-options.js';
import { Payloads } from '../../../src/modules/payloads/payloads.js';
import { Delayable } from '../../../src/modules/tasks/routes/delayable.js';
import { Task, TaskController, tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { StorageServer } from '../../support/storage-server.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const MIB = 1024 * 1024;
const large = { text: 'ä'.repeat(MIB), list: [1, 2, 3] };

let received: PromiseWithResolvers<unknown>;

@TaskController('large')
class Large {
  @Task('any')
  async any(@Body() body: unknown): Promise<void> {
    received.resolve(body);
  }
}

/** Anybody may call it, and tasks may too. */
@Controller('open')
class Open {
  @Post()
  @Delayable()
  take(@Body() body: unknown): void {
    received.resolve(body);
  }
}

interface Started {
  readonly app: INestApplication;
  readonly api: CloudTasksApi;
  readonly queue: string;
  readonly tasks: Tasks<Large>;
  /** The status of the next attempt. */
  readonly attempted: () => Promise<number>;
}

async function start(payloadStore: PayloadStoreOptions): Promise<Started> {
  let ended = Promise.withResolvers<number>();
  const onEvent = (event: EngineEvent) => {
    if (event.type !== 'attempt') return;
    ended.resolve(event.result.kind === 'response' ? event.result.status : 0);
    ended = Promise.withResolvers();
  };
  const { app } = await startApp(
    { controllers: [Large, Open] },
    { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent }, payloadStore },
  );
  const backend = app.get(QueueBackend);
  return {
    app,
    api: backend.api,
    queue: backend.queueName('default'),
    tasks: app.get(tasksToken(Large)),
    attempted: () => ended.promise,
  };
}

let folder: string;

beforeEach(async () => {
  received = Promise.withResolvers();
  folder = await mkdtemp(join(tmpdir(), 'payloads-'));
});
afterEach(() => rm(folder, { recursive: true }));
afterAll(closeApps);

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The one payload in the folder. */
async function keptFile(): Promise<string> {
  const [day = ''] = await readdir(folder);
  const [name = '', ...more] = await readdir(join(folder, day));
  expect(more).toEqual([]);
  return join(folder, day, name);
}

describe('a body that is too large for a task', () => {
  test('arrives by way of a folder, and stays there for a late duplicate', async () => {
    const { tasks, attempted } = await start({ folder });
    const status = attempted();
    await tasks.any.delay(large);
    expect(await received.promise).toEqual(large);
    expect(await status).toBe(200);
    expect(await readFile(await keptFile(), 'utf8')).toBe(JSON.stringify(large));
  });

  test('arrives by way of a bucket', async () => {
    const server = await StorageServer.listen('my-payloads');
    const { tasks } = await start({ bucket: 'my-payloads', apiEndpoint: server.url });
    await tasks.any.delay(large);
    expect(await received.promise).toEqual(large);
    expect([...server.objects.keys()]).toEqual([
      expect.stringMatching(/^task-payloads\/\d{4}-\d{2}-\d{2}\/[\da-f-]{36}$/),
    ]);
    await server.close();
  });

  test('arrives at a route that is open to others', async () => {
    const { app } = await start({ folder });
    await app.get<Tasks<Open>>(tasksToken(Open)).take.delay(large);
    expect(await received.promise).toEqual(large);
  });

  test('arrives by App Engine too', async () => {
    const { tasks } = await start({ folder });
    await tasks.any.options({ target: 'app-engine' }).delay(large);
    expect(await received.promise).toEqual(large);
  });

  test('leaves a task without a body, with a header that names it', async () => {
    const { app, api, queue, tasks } = await start({ folder });
    await app.get(QueueBackend).api.pauseQueue({ name: queue });
    const { name } = await tasks.any.delay(large);
    const { httpRequest } = await api.getTask({ name, responseView: 'FULL' });
    expect(httpRequest?.body?.length ?? 0).toBe(0);
    expect(httpRequest?.headers).toMatchObject({
      'content-type': 'application/json',
      'X-Tasks-Payload': expect.stringMatching(/;size=\d+;sha256=[\da-f]{64}$/),
    });
  });

  test('is not kept apart when it fits', async () => {
    const { tasks } = await start({ folder });
    await tasks.any.delay({ text: 'x'.repeat(MIB - 30_000) });
    await received.promise;
    expect(await readdir(folder)).toEqual([]);
  });

  test('is refused when it is larger than the store may take, and nothing is kept', async () => {
    const { tasks } = await start({ folder, maxBytes: 2 * MIB });
    await expect(tasks.any.delay('x'.repeat(2 * MIB - 1))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('payloadStore.maxBytes allows 2097152'),
    });
    expect(await readdir(folder)).toEqual([]);
    await tasks.any.delay('x'.repeat(2 * MIB - 2));
    expect(await received.promise).toHaveLength(2 * MIB - 2);
  });

  test('is refused without a store, with the option that would help', async () => {
    const { app } = await startApp({ controllers: [Large] });
    const tasks = app.get<Tasks<Large>>(tasksToken(Large));
    await expect(tasks.any.delay(large)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('the option payloadStore allows more'),
    });
  });

  test.each([
    ['changed', async (file: string) => writeFile(file, JSON.stringify({ ...large, list: [4] }))],
    ['cut short', async (file: string) => writeFile(file, '{')],
    ['gone', async (file: string) => rm(file)],
  ])('that is %s never reaches a handler: its task is parked, to be redriven', async (_, harm) => {
    const { app, api, queue, tasks, attempted } = await start({ folder });
    await api.pauseQueue({ name: queue });
    await tasks.any.delay(large);
    const file = await keptFile();
    await harm(file);
    let isCalled = false;
    void received.promise.then(() => (isCalled = true));
    const status = attempted();
    await api.resumeQueue({ name: queue });
    expect(await status).toBe(200);
    const letters = app.get(DeadLetters);
    expect(await all(letters.list())).toMatchObject([
      { message: expect.stringContaining("The task's payload can't be read") },
    ]);
    expect(isCalled).toBe(false);
    expect(await all(letters.export())).toMatchObject([
      { body: new Uint8Array(), bodyError: expect.stringContaining("can't be read") },
    ]);
    await writeFile(file, JSON.stringify(large));
    const [exported] = await all(letters.export());
    expect(Buffer.from(exported?.body ?? []).toString()).toBe(JSON.stringify(large));
    expect(exported).not.toHaveProperty('bodyError');
    await all(letters.redrive());
    expect(await received.promise).toEqual(large);
  });

  test('is tried again while its store is out of reach', async () => {
    const server = await StorageServer.listen('my-payloads');
    const { api, queue, tasks, attempted } = await start({
      bucket: 'my-payloads',
      apiEndpoint: server.url,
    });
    await api.updateQueue({
      queue: { name: queue, retryConfig: { minBackoff: 1000 } },
      updateMask: ['retryConfig.minBackoff'],
    });
    await api.pauseQueue({ name: queue });
    await tasks.any.delay(large);
    server.failures.push(403);
    const status = attempted();
    await api.resumeQueue({ name: queue });
    expect(await status).toBe(500);
    expect(await received.promise).toEqual(large);
    await server.close();
  });
});

describe('a reference', () => {
  const sha256 = 'a'.repeat(64);

  test.each([
    ['is no reference', 'what'],
    ['leads out of the store', `2030-01-01/../../etc/passwd;size=1;sha256=${sha256}`],
    ['has no size', `2030-01-01/${randomUUID()};sha256=${sha256}`],
    ['names a payload of another store', `2030-01-01/${randomUUID()};size=1;sha256=${sha256}`],
    ['says more than may be read', `2030-01-01/${randomUUID()};size=999999999;sha256=${sha256}`],
  ])('that %s makes a dead letter of its task', async (_, reference) => {
    const { app, api, queue, attempted } = await start({ folder });
    const status = attempted();
    const oidcToken = { serviceAccountEmail: 'tasks@local', audience: await app.getUrl() };
    await api.createTask({
      parent: queue,
      task: {
        httpRequest: {
          url: `${await app.getUrl()}/large/any`,
          headers: { 'X-Tasks-Payload': reference },
          oidcToken,
        },
      },
    });
    expect(await status).toBe(200);
    expect(await all(app.get(DeadLetters).list())).toMatchObject([
      { message: expect.stringContaining("The task's payload can't be read") },
    ]);
  });

  test.each(['large/any', 'open'])('is not believed of who proves nothing: %s', async (path) => {
    const { app } = await start({ folder });
    const response = await fetch(`${await app.getUrl()}/${path}`, {
      method: 'POST',
      headers: {
        'X-Tasks-Payload': `2030-01-01/${randomUUID()};size=1;sha256=${sha256}`,
        'X-CloudTasks-QueueName': 'default',
      },
    });
    expect(response.status).toBe(401);
  });
});

describe('payloads over time', () => {
  async function open(clock: VirtualClock): Promise<Payloads> {
    const payloads = new Payloads(readPayloadOptions({ folder, keep: '2d' }), clock);
    await payloads.onModuleInit();
    payloads.onApplicationBootstrap();
    return payloads;
  }
  const days = async () => (await readdir(folder)).sort();
  /** Resolves with the next name that is taken out of the folder. */
  const removed = () =>
    new Promise((resolve) => {
      const watcher = watch(folder, (_, name) => {
        if (existsSync(join(folder, name ?? ''))) return;
        watcher.close();
        resolve(name);
      });
    });

  test('are removed once they are older than they are kept, and no sooner', async () => {
    const clock = new VirtualClock(Date.UTC(2030, 0, 1, 12) * 1000);
    const payloads = await open(clock);
    await payloads.keep(Buffer.from('first'));
    await clock.advance(DAY);
    await payloads.keep(Buffer.from('second'));
    await clock.advance(DAY + 11 * 60 * MINUTE);
    expect(await days()).toEqual(['2030-01-01', '2030-01-02']);
    const gone = removed();
    await clock.advance(DAY);
    expect(await gone).toBe('2030-01-01');
    expect(await days()).toEqual(['2030-01-02']);
    payloads.onModuleDestroy();
    expect(clock.timers).toBe(0);
  });

  test('are copied for a task that takes the place of another on a later day', async () => {
    const clock = new VirtualClock(Date.UTC(2030, 0, 1, 12) * 1000);
    const payloads = await open(clock);
    const headers = { 'content-type': 'text/plain', ...(await payloads.keep(Buffer.from('x'))) };
    expect(await payloads.carryOn(headers)).toEqual(headers);
    await clock.advance(DAY);
    const carried = await payloads.carryOn(headers);
    expect(carried).toEqual({
      'content-type': 'text/plain',
      'X-Tasks-Payload': expect.stringMatching(/^2030-01-02\//),
    });
    expect(await days()).toEqual(['2030-01-01', '2030-01-02']);
    expect(await payloads.carryOn({ a: 'b' })).toEqual({ a: 'b' });
    payloads.onModuleDestroy();
  });
});

test.each([
  [{ folder: '' }, 'payloadStore.folder: expected a path'],
  [{ bucket: 'UPPER' }, "payloadStore.bucket: expected a bucket's name"],
  [{ bucket: 'my-payloads', prefix: '../x/' }, 'payloadStore.prefix'],
  [{ bucket: 'my-payloads', apiEndpoint: 'storage' }, 'payloadStore.apiEndpoint'],
  [{ folder: 'x', keep: '1h' as const }, "payloadStore.keep: expected '1d' or more, got '1h'"],
  [{ folder: 'x', maxBytes: 0 }, 'payloadStore.maxBytes: expected 1 to'],
  [{ folder: 'x', foldr: 'y' }, "Unknown option 'foldr'"],
  [{ bucket: 'my-payloads', folder: 'x' }, "Unknown option 'folder'"],
])('%j is refused: %s', (payloadStore, message) => {
  const start = () =>
    startApp({ controllers: [Large] }, { ...EMBEDDED, payloadStore: payloadStore as never });
  return expect(start()).rejects.toMatchObject({ message: expect.stringContaining(message) });
});
