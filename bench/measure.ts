/** Compares two things by turns in the same minutes, so that a noisy machine is noisy for both. */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  /** The ratio below which this is a regression. */
  readonly floor: number;
  readonly baseline: string;
  readonly measureBaseline: () => Promise<number>;
  readonly measure: () => Promise<number>;
  readonly rounds: number;
}

export interface Figures {
  readonly name: string;
  readonly unit: string;
  readonly baseline: string;
  readonly baselineRounds: readonly number[];
  readonly rounds: readonly number[];
  /** Median against median. */
  readonly ratio: number;
  readonly floor: number;
}

/** Runs baseline and subject by turns, each once before to warm up, and prints both. */
export async function compare(comparison: Comparison): Promise<Figures> {
  const { name, unit, baseline, floor } = comparison;
  console.log(`\n${name}`);
  await comparison.measureBaseline();
  await comparison.measure();
  const baselineRounds: number[] = [];
  const rounds: number[] = [];
  for (let round = 1; round <= comparison.rounds; round++) {
    baselineRounds.push(await comparison.measureBaseline());
    rounds.push(await comparison.measure());
    console.log(
      `  round ${round}: ${shown(rounds.at(-1))} against ${shown(baselineRounds.at(-1))} ${unit}`,
    );
  }
  const ratio = median(rounds) / median(baselineRounds);
  console.log(
    `  ${shown(median(rounds))} ${unit}, ${ratio.toFixed(2)} of ${baseline} (floor ${floor})`,
  );
  return { name, unit, baseline, baselineRounds, rounds, ratio, floor };
}

/** Writes what was measured, and on what, to `bench/results/<name>.json`. */
export async function writeResults(name: string, content: object): Promise<void> {
  const folder = new URL('../../bench/results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model };
  const file = new URL(`${name}.json`, folder);
  await writeFile(file, `${JSON.stringify({ machine, ...content }, null, 2)}\n`);
  console.log(`  written to bench/results/${name}.json`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

function shown(value: number | undefined): string {
  return Math.round(value ?? NaN).toLocaleString('en-US');
}
