/** The engine in its own thread, which starts from what was built. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { EngineEvent } from '../../src/engine/ports.js';
import { SECOND } from '../../src/engine/time.js';
import type { EngineOptions, RunningEngine } from '../../src/host/running-engine.js';
import type { startEngine as startEngineSource } from '../../src/host/start-engine.js';
import { Loopback } from '../support/loopback.js';

const LOCATION = 'projects/demo/locations/here';
const QUEUE = `${LOCATION}/queues/work`;

const running: RunningEngine[] = [];
const loopback = new Loopback();

async function start(options: Partial<EngineOptions> = {}): Promise<RunningEngine> {
  const { startEngine } = (await import(
    new URL('../../dist/host/start-engine.js', import.meta.url).href
  )) as { startEngine: typeof startEngineSource };
  const engine = await startEngine({ dataDir: ':memory:', port: 0, thread: 'worker', ...options });
  running.push(engine);
  return engine;
}

afterEach(async () => {
  for (const engine of running.splice(0)) await engine.close();
  await loopback.close();
});

describe('the engine in a worker thread', () => {
  test('answers verbs with what crossed unchanged, bytes and errors included', async () => {
    const { api } = await start();
    await api.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await api.pauseQueue({ name: QUEUE });
    const body = new Uint8Array([0, 255, 128, 10]);
    const name = `${QUEUE}/tasks/a`;
    const created = await api.createTask({
      parent: QUEUE,
      task: { name, httpRequest: { url: 'http://127.0.0.1:9/', body } },
      responseView: 'FULL',
    });
    expect(Array.from(created.httpRequest?.body ?? [])).toEqual([0, 255, 128, 10]);
    expect(await api.getTask({ name, responseView: 'FULL' })).toEqual(created);
    expect((await api.listTasks({ parent: QUEUE })).tasks).toHaveLength(1);
    await expect(api.getTask({ name: `${QUEUE}/tasks/b` })).rejects.toMatchObject({
      name: 'CloudTasksError',
      code: 'NOT_FOUND',
      message: 'Requested entity was not found.',
      field: 'name',
    });
  });

  test('serves schedules too', async () => {
    const url = await loopback.http((_request, response) => response.end());
    const event = Promise.withResolvers<EngineEvent>();
    const engine = await start({ onEvent: event.resolve });
    const { api } = engine;
    const name = `${LOCATION}/jobs/a`;
    const body = new Uint8Array([0, 255]);
    const job = { name, schedule: '0 3 * * *', httpTarget: { uri: url, body } };
    expect(await api.createJob({ parent: LOCATION, job })).toEqual(await api.getJob({ name }));
    await engine.dispatch({});
    await api.runJob({ name });
    expect(await event.promise).toMatchObject({ type: 'execution', job: name, attempt: 1 });
    await api.deleteJob({ name });
    expect(await api.listJobs({ parent: LOCATION })).toEqual({ jobs: [] });
  });

  test('dispatches over HTTP once it is let, and tells of each attempt', async () => {
    const url = await loopback.http((_request, response) => response.end());
    const event = Promise.withResolvers<EngineEvent>();
    const engine = await start({ onEvent: event.resolve });
    await engine.api.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await engine.api.createTask({ parent: QUEUE, task: { httpRequest: { url } } });
    await engine.dispatch({});
    expect(await event.promise).toMatchObject({
      type: 'attempt',
      queue: 'work',
      dispatchCount: 1,
      result: { kind: 'response', status: 200 },
    });
    await engine.drain(SECOND);
  });

  test('serves its documents on its own port', async () => {
    const engine = await start();
    const discovery = await fetch(`${engine.url}/.well-known/openid-configuration`);
    expect(await discovery.json()).toMatchObject({ issuer: engine.url });
  });

  test('refuses calls once it was closed, rather than leave them waiting', async () => {
    const engine = await start();
    await engine.close();
    await expect(engine.api.getQueue({ name: QUEUE })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  test('says in one line why it does not start, and leaves no thread behind', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(start({ port })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`),
    });
    taken.close();
  });
});
