/**
 * The random runs at full size, or some of them:
 *
 *   npm run test:abuse
 *   npm run test:abuse -- forged-tokens --seed 7 --count 1000
 *
 * A line each; the first case that gets through ends the program with status 1, and with the
 * command that has it again.
 */
import { parseArgs } from 'node:util';
import { RUNS } from './runs.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, count: { type: 'string' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(RUNS);
for (const name of names) {
  const load = RUNS[name];
  if (!load)
    throw new Error(`There is no run '${name}'; there are ${Object.keys(RUNS).join(', ')}.`);
  const { size, run } = await load();
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count ?? size);
  const start = performance.now();
  console.log(`${name}: ${count} cases, seed ${seed}`);
  try {
    const figures = await run(count, seed);
    console.log(`ok  ${name}: ${figures} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
  } catch (error) {
    console.log(`FAILED  ${name}:`, error);
    console.log(`Again: npm run test:abuse -- ${name} --seed ${seed} --count ${count}`);
    process.exit(1);
  }
}
