/** How often each durability test is run, and with which seeds. */
import { SEED } from '../support/chance.js';

const { ROUNDS } = process.env;

/**
 * One seed a run: few in the suite, all of them with `ROUNDS=500`, and in proportion. `SEED` gives
 * the first, so that what failed can be run again with one round.
 */
export function seeds(inSuite: number, inFull: number): number[] {
  const length = ROUNDS === undefined ? inSuite : Math.ceil((inFull * Number(ROUNDS)) / 500);
  return Array.from({ length }, (_, round) => SEED + round);
}
