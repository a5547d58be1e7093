import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TaskIds } from '../../src/engine/task-id.js';
import { VirtualClock } from '../support/virtual-clock.js';

test('ids are digits, grow, and never repeat, also when many are made in one instant', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { maxLength: 200 }),
      fc.double({ min: 0, max: 0.9999, noNaN: true }),
      async (steps, drawn) => {
        const clock = new VirtualClock();
        const ids = new TaskIds(clock, () => drawn);
        const made: string[] = [];
        for (const step of steps) {
          await clock.advance(step);
          made.push(ids.next());
        }
        for (const id of made) expect(id).toMatch(/^\d{20}$/);
        expect(new Set(made).size).toBe(made.length);
        expect([...made].sort()).toEqual(made);
      },
    ),
    { numRuns: 20 },
  );
});
