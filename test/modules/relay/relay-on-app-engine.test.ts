/** On App Engine a call is asked for only where its service lets a request take that long. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { SECOND } from '../../../src/engine/time.js';
import type { RunningEngine } from '../../../src/host/running-engine.js';
import { startEngine } from '../../../src/host/start-engine.js';
import type { RelayRequest } from '../../../src/modules/relay/relay.js';
import { RelaySettings } from '../../../src/modules/relay/relay-options.js';
import type { RelayModuleOptions } from '../../../src/modules/relay/relay-options.js';
import type { TaskOptions } from '../../../src/modules/tasks/task-options.js';
import { closeApps } from '../../support/tasks-app.js';
import { startRelay } from './relay-bench.js';

const LOCATION = 'projects/local/locations/us-central1';
const TARGET = 'https://api.example.com';
const before = process.env['GAE_ENV'];

let engine: RunningEngine;

beforeAll(async () => {
  engine = await startEngine({ dataDir: ':memory:', port: 0 });
  for (const id of ['default', 'relay']) {
    const name = `${LOCATION}/queues/${id}`;
    await engine.api.createQueue({ parent: LOCATION, queue: { name } });
    await engine.api.pauseQueue({ name });
  }
});
beforeEach(() => {
  process.env['GAE_ENV'] = 'standard';
});
afterEach(async () => {
  await closeApps();
  if (before === undefined) delete process.env['GAE_ENV'];
  else process.env['GAE_ENV'] = before;
});
afterAll(() => engine.close());

function started(options: Partial<RelayModuleOptions> = { queues: ['relay'] }) {
  return startRelay([{ origin: TARGET }], options, {
    backend: 'google',
    project: 'local',
    emulatorHost: new URL(engine.url).host,
    serviceUrl: 'https://app.example.com',
    serviceAccount: 'tasks@local',
    store: 'memory:',
    engine: undefined,
  });
}

/** What becomes of a call: its queue, and how long that waits for it. */
async function asked(
  request: Partial<RelayRequest>,
  options: TaskOptions = {},
  relayOptions?: Partial<RelayModuleOptions>,
) {
  const { relay, app } = await started(relayOptions);
  const { name, queue } = await relay.call({ url: TARGET, ...request }, options);
  const { dispatchDeadline = 0, appEngineHttpRequest } = await engine.api.getTask({ name });
  await app.close();
  expect(appEngineHttpRequest).toBeDefined();
  return `${queue} ${dispatchDeadline / SECOND}s`;
}

test.each<[string, Partial<RelayRequest>, TaskOptions]>([
  ['relay 86415s', { timeout: '24h' }, {}],
  ['relay 630s', {}, {}],
  ['default 600s', { timeout: '590s' }, { queue: 'default' }],
  ['default 600s', {}, { queue: 'default' }],
])('%s for %j and %j', async (expected, request, options) => {
  expect(await asked(request, options)).toBe(expected);
});

test('a call that its service would cut off is refused', async () => {
  await expect(asked({ timeout: '2h' }, { queue: 'default' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    field: 'timeout',
    message:
      "timeout: expected at most '590s' in the queue 'default', as App Engine ends a request after 10 minutes there, got '7200s'; in the queue 'relay' a call may take 24 hours.",
  });
});

test('so it is where no queue leads to another service', async () => {
  await expect(asked({ timeout: '591s' }, {}, {})).rejects.toThrow(
    /^timeout: expected at most '590s' in the queue 'default'.*RELAY_QUEUES \(the option queues\)/,
  );
  expect(await asked({ timeout: '590s' }, {}, {})).toBe('default 600s');
});

test('tasks of those queues are let in without being named again', async () => {
  const { url, log } = await started();
  const statusOf = async (queue: string) => {
    const headers = {
      'X-AppEngine-QueueName': queue,
      'X-AppEngine-TaskName': '1',
      'X-AppEngine-TaskRetryCount': '0',
      'X-AppEngine-TaskExecutionCount': '0',
      'X-AppEngine-TaskETA': '1700000000',
    };
    const body = JSON.stringify({ url: 'https://forbidden.example.com' });
    return (await fetch(`${url}/relay`, { method: 'POST', headers, body })).status;
  };
  expect(await statusOf('elsewhere')).toBe(403);
  await statusOf('relay');
  expect(log.text).toMatch(/POST https:\/\/forbidden\.example\.com .* given up, policy/);
});

test.each([
  ['app-engine-standard', 600],
  ['app-engine-flexible', 3600],
  ['cloud-run', 86_415],
] as const)('on %s a request has %d seconds', (platform, seconds) => {
  expect(new RelaySettings({}, platform).requestLimit / SECOND).toBe(seconds);
});
