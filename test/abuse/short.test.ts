/** Each random run of `npm run test:abuse`, with few cases; jest's `--seed` has them again. */
import { jest, test } from '@jest/globals';
import { RUNS } from './runs.js';

/** Of the full size, and at least so many. */
const SHARE = 0.005;
const FEWEST = 20;

test.each(Object.keys(RUNS))('%s', async (name) => {
  const { size, run } = (await RUNS[name]?.()) ?? { size: 0, run: undefined };
  const seed = jest.getSeed() >>> 0;
  try {
    await run?.(Math.max(Math.ceil(size * SHARE), Math.min(FEWEST, size)), seed);
  } catch (error) {
    throw new Error(`npm run test:abuse -- ${name} --seed ${seed}`, { cause: error });
  }
});
