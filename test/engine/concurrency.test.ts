import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';
import { LOCATION, engineUnderTest, httpTask } from '../support/engine-under-test.js';
import { VirtualClock } from '../support/virtual-clock.js';

const whole = (min: number, max: number) => fc.integer({ min, max });

/** A queue with its slots, and for each task how long its target takes and whether it fails at first. */
const load = fc.array(
  fc.record({
    slots: whole(1, 20),
    tasks: fc.array(
      fc.record({ takes: whole(0, 3000), due: whole(0, 2000), fails: fc.boolean() }),
      {
        minLength: 30,
        maxLength: 150,
      },
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

test('under any load no queue has more in flight than its slots, it uses them all, and each task is done', async () => {
  await fc.assert(
    fc.asyncProperty(load, async (queues) => {
      const clock = new VirtualClock();
      const inFlight = queues.map(() => 0);
      const most = queues.map(() => 0);
      const done = queues.map(() => 0);
      const { engine, targets } = await engineUnderTest({
        clock,
        target: (attempt, dispatch) => {
          const [, queue = 0, number = 0] = (
            /q-(\d+)\/tasks\/t-(\d+)$/.exec(dispatch.task) ?? []
          ).map(Number);
          const task = queues[queue]?.tasks[number];
          if (!task) throw new Error(`no such task as ${dispatch.task}`);
          const isFirst = dispatch.headers['X-CloudTasks-TaskRetryCount'] === '0';
          inFlight[queue] = (inFlight[queue] ?? 0) + 1;
          most[queue] = Math.max(most[queue] ?? 0, inFlight[queue]);
          clock.after(task.takes * MILLISECOND, () => {
            inFlight[queue] = (inFlight[queue] ?? 0) - 1;
            const fails = task.fails && isFirst;
            if (!fails) done[queue] = (done[queue] ?? 0) + 1;
            targets.sent[attempt - 1]?.answer(fails ? 500 : 200);
          });
          return 'hold';
        },
      });
      const start = clock.now();
      for (const [queue, { slots, tasks }] of queues.entries()) {
        const name = `${LOCATION}/queues/q-${queue}`;
        const rateLimits = { maxConcurrentDispatches: slots };
        await engine.createQueue({ parent: LOCATION, queue: { name, rateLimits } });
        for (const [number, { due }] of tasks.entries()) {
          const { task } = httpTask({
            name: `${name}/tasks/t-${number}`,
            scheduleTime: start + due * MILLISECOND,
          });
          await engine.createTask({ parent: name, task });
        }
      }
      await clock.advance(30 * MINUTE);
      for (const [queue, { slots, tasks }] of queues.entries()) {
        expect(most[queue]).toBeLessThanOrEqual(slots);
        expect(done[queue]).toBe(tasks.length);
        const busy = tasks.reduce((sum, { takes }) => sum + takes, 0) * MILLISECOND;
        // Half a minute of work for all of them, due within two seconds.
        if (busy > slots * 30 * SECOND) expect(most[queue]).toBe(slots);
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);
