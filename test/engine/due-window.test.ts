import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueWindow } from '../../src/engine/due-window.js';
import type { DueTask } from '../../src/engine/ports.js';

const inOrder = (a: DueTask, b: DueTask) => a.scheduleTime - b.scheduleTime || a.seq - b.seq;

/** All that waits, sorted: what a store is to the window. */
class Waiting {
  tasks: DueTask[] = [];
  reads = 0;

  readonly read = (after: DueTask | undefined, limit: number): DueTask[] => {
    this.reads++;
    const sorted = [...this.tasks].sort(inOrder);
    return sorted.filter((task) => !after || inOrder(after, task) < 0).slice(0, limit);
  };
}

type Step = { readonly create: number } | 'take';

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(fc.record({ create: fc.nat(50) }), fc.constant('take' as const)),
  { maxLength: 300 },
);

test('always yields the task that is due first, however small the window', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), (run, limit) => {
      const store = new Waiting();
      const window = new DueWindow(store.read, limit);
      let seq = 0;
      for (const step of run) {
        if (step === 'take') {
          const first = [...store.tasks].sort(inOrder)[0];
          expect(window.peek()).toEqual(first);
          expect(window.pop()).toEqual(first);
          store.tasks = store.tasks.filter((task) => task !== first);
        } else {
          const task = { seq: ++seq, scheduleTime: step.create };
          store.tasks.push(task);
          window.offer(task);
        }
      }
    }),
  );
});

test('holds at most twice its limit, and reads the rest when it is wanted', () => {
  const store = new Waiting();
  const window = new DueWindow(store.read, 10);
  expect(window.peek()).toBeUndefined();
  for (let seq = 1; seq <= 1000; seq++) {
    const task = { seq, scheduleTime: (seq * 7919) % 1000 };
    store.tasks.push(task);
    window.offer(task);
  }
  const taken: DueTask[] = [];
  while (window.peek()) {
    const task = window.pop();
    if (task) taken.push(task);
  }
  expect(taken).toEqual([...store.tasks].sort(inOrder));
  expect(store.reads).toBeGreaterThan(50);
});

test('does not read an empty queue again and again', () => {
  const store = new Waiting();
  const window = new DueWindow(store.read, 10);
  for (let look = 0; look < 5; look++) expect(window.peek()).toBeUndefined();
  expect(store.reads).toBe(1);
});
