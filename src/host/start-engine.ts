/** Starts the engine, in this thread or in a worker. */
import { localEngine } from './local-engine.js';
import type { EngineOptions, RunningEngine } from './running-engine.js';
import { workerEngine } from './worker-engine.js';

export type { EngineOptions, RunningEngine } from './running-engine.js';

/**
 * Starts an engine: takes its port, opens its store, and answers calls; dispatching waits for
 * `dispatch()`.
 *
 * @throws FAILED_PRECONDITION with one line that says what is wrong, and how to mend it: the port
 *   is in use, the folder can't be written, the database is newer, damaged or another engine's.
 */
export function startEngine(options: EngineOptions): Promise<RunningEngine> {
  return options.thread === 'worker' ? workerEngine(options) : localEngine(options);
}
