/** A call is cancelled while it waits, or is under way: it ends, its task goes, and that is told. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { closeApps } from '../../support/tasks-app.js';
import type { RelayApp } from './relay-bench.js';
import { startRelay, Target } from './relay-bench.js';

let target: Target;
let app: RelayApp;

beforeAll(async () => {
  target = await Target.start();
});

beforeEach(async () => {
  target.seen.length = 0;
  target.answer = () => undefined;
  app = await startRelay([{ origin: target.url }]);
});

afterEach(() => closeApps());
afterAll(() => target.close());

test('a redriven dead letter, while it waits', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  const over = app.attempt();
  const { id } = await app.relay.call({ url: target.url });
  await over;
  await app.api.pauseQueue({ name: app.queueName() });
  for await (const { error } of app.app.get(DeadLetters).redrive({})) expect(error).toBeUndefined();
  expect(await app.relay.status(id)).toMatchObject({ state: 'accepted' });
  expect(await app.relay.cancel(id)).toMatchObject({ id, state: 'cancelled', attempts: 0 });
  expect(await app.relay.status(id)).toMatchObject({ state: 'cancelled' });
  expect(await app.tasks()).toEqual([]);
});
