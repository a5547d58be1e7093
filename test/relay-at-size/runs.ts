/** What is shown of the relay at size, by name; each has a short version in the suite. */
import type { AbuseRun } from '../abuse/runs.js';

export interface SizedRun {
  readonly load: () => Promise<AbuseRun>;
  /** Of the suite's. */
  readonly short: number;
}

/** Loaded one by one, each when it is run. */
export const RUNS: Readonly<Record<string, SizedRun>> = {
  capacity: { load: () => import('./capacity.js'), short: 100 },
  direct: { load: () => import('./direct.js'), short: 200 },
  leaving: { load: () => import('./leaving.js'), short: 300 },
  length: { load: () => import('./length.js'), short: 2 },
  crash: { load: () => import('./crash.js'), short: 2 },
  stop: { load: () => import('./stop.js'), short: 1 },
  term: { load: () => import('./term.js'), short: 1 },
  faults: { load: () => import('./faults.js'), short: 200 },
  leak: { load: () => import('./leak.js'), short: 500 },
};
