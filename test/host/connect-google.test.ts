import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectGoogle } from '../../src/host/connect-google.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { SECOND } from '../../src/engine/time.js';
import { Loopback } from '../support/loopback.js';

const PARENT = 'projects/demo/locations/here';
const QUEUE = `${PARENT}/queues/work`;

let engine: RunningEngine;
let google: Awaited<ReturnType<typeof connectGoogle>>;
let targets: Loopback;

beforeEach(async () => {
  targets = new Loopback();
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
  google = await connectGoogle({ emulatorHost: engine.url });
});

afterEach(async () => {
  await google.close();
  await engine.close();
  await targets.close();
});

test("a task that Google's client creates on the engine's port comes to its target", async () => {
  const arrived = Promise.withResolvers<string>();
  const url = await targets.http((request, response) => {
    request.setEncoding('utf8').on('data', (body: string) => arrived.resolve(body));
    response.end();
  });
  await engine.dispatch({});
  await google.createQueue({ parent: PARENT, queue: { name: QUEUE } });
  const body = new TextEncoder().encode('from the wire');
  const { name } = await google.createTask({
    parent: QUEUE,
    task: { httpRequest: { url, body, oidcToken: { serviceAccountEmail: 'tasks@local' } } },
  });
  expect(await arrived.promise).toBe('from the wire');
  // Gone once the answer is settled, which the next call may be just too early for.
  await engine.drain(5 * SECOND);
  await expect(google.getTask({ name })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('the engine closes though a client is still connected', async () => {
  await google.createQueue({ parent: PARENT, queue: { name: QUEUE } });
  await engine.close();
  await expect(google.createTask({ parent: QUEUE, task: {} })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
});
