import { expect, test } from '@jest/globals';
import { manyTasks } from './many-tasks.js';

// `npm run test:million` measures the same with a million: what depends on time is left to it.
test('an engine that was killed among many waiting tasks has them all, and sends what is due', async () => {
  const { tasksAfterRestart, rates, memory } = await manyTasks(5000, 'scattered');
  expect(tasksAfterRestart).toBe(5000);
  expect(rates).toHaveLength(10);
  expect(memory.restarted).toBeLessThan(300);
}, 60_000);
