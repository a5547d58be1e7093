/** A day is a day: on the virtual clock, calls are held for 24 hours, and end a moment later. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { Relay } from '../../../src/modules/relay/relay.js';
import type { TasksTestbed } from '../../../src/testing/tasks-testbed.js';
import { Target, virtualRelay } from './relay-bench.js';

let target: Target;
let testbed: TasksTestbed;
let relay: Relay;

beforeEach(async () => {
  target = await Target.start(() => undefined);
  testbed = await virtualRelay(target);
  relay = testbed.app.get(Relay);
});

afterEach(async () => {
  await testbed.close();
  await target.close();
});

/** A call that may take a day has come to its target, which stays silent. */
async function silent() {
  const { id } = await relay.call({ url: target.url, timeout: '24h' });
  const advanced = testbed.advance('1s', { mayHang: true });
  await target.count(1);
  await advanced;
  return id;
}

test('an answer after nearly 24 hours counts', async () => {
  const id = await silent();
  await testbed.advance('1430m', { mayHang: true });
  expect(await relay.status(id)).toMatchObject({ state: 'started', attempts: 1 });
  target.seen[0]?.response.end('at last');
  await testbed.advance('1s', { mayHang: true });
  expect(await relay.status(id)).toMatchObject({ state: 'done', attempts: 1 });
  expect(target.seen).toHaveLength(1);
});

test('after 24 hours it is over, with a proper answer to the queue', async () => {
  const id = await silent();
  const closed = new Promise((resolve) => target.seen[0]?.response.once('close', resolve));
  await testbed.advance('24h', { mayHang: true });
  await closed;
  const record = await relay.status(id);
  expect(record).toMatchObject({ message: 'The call failed: not done in time.' });
});

test.each([
  ['1790s', 'http'],
  ['1791s', 'app-engine'],
] as const)('a call of %s goes to a target of kind %s by itself', async (timeout, kind) => {
  const { name } = await relay.call({ url: target.url, timeout }, { countdown: '1h' });
  const task = await testbed.app.get<CloudTasksApi>(CLOUD_TASKS).getTask({ name });
  expect(task.httpRequest === undefined ? 'app-engine' : 'http').toBe(kind);
});

test.each<[string, object, object]>([
  ["timeout: expected at most '1790s'", { timeout: '2h' }, { target: 'http' }],
  ["timeout: expected \"'1s' to '24h'\"", { timeout: '25h' }, {}],
  ['dispatchDeadline: expected', { timeout: '60s' }, { dispatchDeadline: '60s' }],
])('%s', async (message, request, options) => {
  await expect(relay.call({ url: target.url, ...request }, options)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    field: message.split(':')[0],
  });
});
