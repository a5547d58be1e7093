/**
 * The relay at full size, or some of it:
 *
 *   npm run test:relay
 *   npm run test:relay -- capacity crash
 *   npm run test:relay -- crash --seed 7 --count 20
 *
 * MINUTES, SECONDS: how long `capacity` and `direct` hold their calls; SILENCE: seconds of `length`,
 * with commas. A line each; the first that fails ends the program with status 1.
 */
import { parseArgs } from 'node:util';
import { RUNS } from './runs.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, count: { type: 'string' } },
});
for (const name of positionals.length > 0 ? positionals : Object.keys(RUNS)) {
  const known = RUNS[name];
  if (!known) throw new Error(`There is no '${name}'; there are ${Object.keys(RUNS).join(', ')}.`);
  const { size, run } = await known.load();
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count ?? size);
  const start = performance.now();
  console.log(`${name}: ${count}, seed ${seed}`);
  try {
    const figures = await run(count, seed);
    console.log(`ok  ${name}: ${figures} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
  } catch (error) {
    console.log(`FAILED  ${name}:`, error);
    console.log(`Again: npm run test:relay -- ${name} --seed ${seed} --count ${count}`);
    process.exit(1);
  }
}
process.exit(0);
