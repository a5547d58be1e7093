/** Each run of `npm run test:relay`, with few calls and little time; jest's `--seed` has them again. */
import { jest, test } from '@jest/globals';
import { RUNS } from './runs.js';

process.env['MINUTES'] = '0.02';
process.env['SECONDS'] = '1';
process.env['SILENCE'] = '1,2';

test.each(Object.keys(RUNS))('%s', async (name) => {
  const known = RUNS[name];
  const { run } = (await known?.load()) ?? {};
  const seed = jest.getSeed() >>> 0;
  try {
    await run?.(known?.short ?? 0, seed);
  } catch (error) {
    throw new Error(`npm run test:relay -- ${name} --seed ${seed}`, { cause: error });
  }
});
