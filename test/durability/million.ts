/**
 * Fills an engine with a million scheduled tasks and prints what that costs: the rate of creates at
 * the start and at the end, the memory of the engine's process, and a new start's first dispatch.
 *
 *   npm run test:million -- [how many, 1000000 by default] [scattered]
 *
 * Scheduled one after the other, as countdowns are; or scattered over a day, where each create
 * touches a page of its own in the index of what is due, so that they cost a quarter more.
 */
import { manyTasks } from './many-tasks.js';

const count = Number(process.argv[2] ?? 1_000_000);
const order = process.argv[3] === 'scattered' ? 'scattered' : 'rising';
const { rates, cost, memory, firstDispatch, tasksAfterRestart } = await manyTasks(count, order);

const [firstRate = 0] = rates;
const [firstCost = 0] = cost;
const lastRate = rates.at(-1) ?? 0;
const lastCost = cost.at(-1) ?? 0;
const each = (numbers: readonly number[]) => numbers.map(Math.round).join(' ');

console.log(`${count} tasks, created in batches of 100 by REST, schedule times ${order}`);
console.log(`creates/s by tenths       ${each(rates)}`);
console.log(`engine's own µs by tenths ${each(cost)}`);

const verdicts: readonly [what: string, figure: string, isGood: boolean][] = [
  // The wall's rate is everybody's who uses the machine; the engine's own time is its alone.
  [
    'create rate at the end, within 20 % of the start (or its processor time is)',
    `${percent(lastRate / firstRate)} of the rate, ${percent(lastCost / firstCost)} of the time`,
    lastRate >= 0.8 * firstRate || lastCost <= 1.2 * firstCost,
  ],
  [
    'most memory while they were created, under 300 MB',
    `${Math.round(memory.loading)} MB`,
    memory.loading < 300,
  ],
  [
    'memory after a new start, under 300 MB',
    `${Math.round(memory.restarted)} MB`,
    memory.restarted < 300,
  ],
  [
    'from a kill -9 to the first dispatch of a new start, under 3 s',
    `${firstDispatch.toFixed(2)} s`,
    firstDispatch < 3,
  ],
  ['all are there', `${tasksAfterRestart}`, tasksAfterRestart === count],
];
for (const [what, figure, isGood] of verdicts) {
  console.log(`${isGood ? 'good' : 'BAD '} ${what}: ${figure}`);
}
process.exit(verdicts.every(([, , isGood]) => isGood) ? 0 : 1);

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
