/** What is remembered of a call, and how long: on the virtual clock. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { Relay } from '../../../src/modules/relay/relay.js';
import { RelayModule } from '../../../src/modules/relay/relay.module.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../../src/testing/tasks-testbed.js';
import { EMBEDDED } from '../../support/tasks-app.js';
import { Target } from './relay-bench.js';

let target: Target;
let testbed: TasksTestbed;
let relay: Relay;

beforeEach(async () => {
  target = await Target.start(({ response }) => response.end('done'));
  const rules = [{ origin: target.url }];
  testbed = await TasksTestbed.create(
    Test.createTestingModule({
      imports: [TasksModule.forRoot(EMBEDDED), RelayModule.forRoot({ rules, loopback: 'by-rule' })],
    }),
    { patience: '1s' },
  );
  relay = testbed.app.get(Relay);
});

afterEach(async () => {
  await testbed.close();
  await target.close();
});

async function redrive(): Promise<void> {
  for await (const { error } of testbed.app.get(DeadLetters).redrive({})) {
    expect(error).toBeUndefined();
  }
}

test('a redriven call is found, and ended, also when nobody remembers its first run', async () => {
  target.answer = ({ response }) => response.writeHead(400).end();
  const { id } = await relay.call({ url: target.url, timeout: '2h' });
  await testbed.advance('5s');
  expect(await relay.status(id)).toMatchObject({ state: 'dead', attempts: 1 });
  await testbed.advance('192h');
  target.answer = () => undefined;
  await redrive();
  const advanced = testbed.advance('1s', { mayHang: true });
  const [, seen] = await target.count(2);
  await advanced;
  expect(await relay.status(id)).toMatchObject({ state: 'started', attempts: 1 });
  const closed = new Promise((resolve) => seen?.response.once('close', resolve));
  expect(await relay.cancel(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  await closed;
  await testbed.advance('5s');
  expect(await relay.status(id)).toMatchObject({ state: 'cancelled', attempts: 1 });
});
