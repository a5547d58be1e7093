import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import type { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { Readiness } from '../../../src/modules/health/readiness.js';
import { TestApp } from '../../support/test-app.js';
import { VirtualClock } from '../../support/virtual-clock.js';

let app: TestApp;

beforeAll(async () => {
  app = await TestApp.start();
});

afterAll(() => app.close());

test('an app that drains lives, but wants no more work', async () => {
  expect(await app.send('GET', '/readyz')).toMatchObject({ status: 200 });
  app.app.get(Readiness).drain();
  expect(await app.send('GET', '/healthz')).toMatchObject({ status: 200 });
  expect(await app.send('GET', '/readyz')).toMatchObject({
    status: 503,
    json: { statusCode: 503, code: 'UNAVAILABLE', message: 'This process is shutting down.' },
  });
});

/** Only what readiness asks for. */
function readiness(kind: 'embedded' | 'google', listQueues: () => Promise<never>) {
  const clock = new VirtualClock();
  const api = { listQueues } as Partial<CloudTasksApi> as CloudTasksApi;
  const backend = { kind, location: 'projects/p/locations/l' } as QueueBackend;
  return { clock, readiness: new Readiness(api, clock, backend) };
}

test('an engine that fails, or does not answer within a second, is not ready', async () => {
  const failing = readiness('embedded', () => Promise.reject(new Error('disk')));
  expect(await failing.readiness.obstacle()).toBe('The engine fails.');
  let asked = 0;
  const silent = readiness('embedded', () => {
    asked++;
    return new Promise<never>(() => undefined);
  });
  const obstacles = [silent.readiness.obstacle(), silent.readiness.obstacle()];
  await silent.clock.advance(1_000_000);
  expect(await Promise.all(obstacles)).toEqual(Array(2).fill('The engine does not answer.'));
  expect(asked).toBe(1);
});

test('an outage of Google takes no process of ours away', async () => {
  const { readiness: ready } = readiness('google', () => Promise.reject(new Error('outage')));
  expect(await ready.obstacle()).toBeUndefined();
});
