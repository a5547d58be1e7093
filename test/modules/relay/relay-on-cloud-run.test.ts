/** On Cloud Run a process gets CPU for requests alone, unless it is told otherwise. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { closeApps } from '../../support/tasks-app.js';
import { deliver, startRelay, Target, taskBody } from './relay-bench.js';

const before = process.env['K_SERVICE'];
let target: Target;

beforeAll(async () => {
  target = await Target.start(() => undefined);
});
beforeEach(() => {
  process.env['K_SERVICE'] = 'app';
  target.seen.length = 0;
});
afterEach(async () => {
  await closeApps();
  if (before === undefined) delete process.env['K_SERVICE'];
  else process.env['K_SERVICE'] = before;
});
afterAll(() => target.close());

const start = (cpuAlwaysAllocated?: boolean) =>
  startRelay([{ origin: target.url }], { cpuAlwaysAllocated });

test.each([[undefined], [false]])('a call may not go on without its caller: %s', async (cpu) => {
  const { relay } = await start(cpu);
  await expect(relay.call({ url: target.url, onCallerGone: 'finish' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    field: 'onCallerGone',
    message:
      "onCallerGone: expected 'abort', as on Cloud Run a call that nobody waits for gets no CPU.",
  });
});

test('it may where the CPU is always allocated, and on other platforms', async () => {
  const asked = { url: target.url, onCallerGone: 'finish' } as const;
  const later = { countdown: '1h' } as const;
  const { relay } = await start(true);
  await expect(relay.call(asked, later)).resolves.toHaveProperty('id');
  delete process.env['K_SERVICE'];
  const elsewhere = await start();
  await expect(elsewhere.relay.call(asked, later)).resolves.toHaveProperty('id');
});

test.each([
  [true, 'goes on'],
  [false, 'ends'],
])('CPU always allocated, %s: a call that would finish by default %s', async (cpu, _what) => {
  const app = await start(cpu);
  await app.api.pauseQueue({ name: app.queueName() });
  const body = await taskBody(app, { url: target.url, idempotencyKey: `key-${cpu}` });
  const controller = new AbortController();
  const gone = deliver(app, body, { signal: controller.signal }).catch(() => undefined);
  const [seen] = await target.count(1);
  const closed = new Promise((resolve) => seen?.response.once('close', () => resolve('cut off')));
  controller.abort();
  await gone;
  if (cpu) {
    // Whoever comes next finds it under way, and gets its answer.
    const next = deliver(app, body, { attempt: 1 });
    seen?.response.end('done');
    expect(await next).toMatchObject({ status: 200 });
    expect(target.seen).toHaveLength(1);
  } else expect(await closed).toBe('cut off');
});
