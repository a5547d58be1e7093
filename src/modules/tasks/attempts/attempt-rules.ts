/** How many attempts a task has. */
import { invalidArgument } from '../../../engine/errors.js';
import { shown } from '../unknown-option.js';

/** That of Cloud Tasks' own queues: with their default backoff it is reached after 3.5 days. */
export const DEFAULT_MAX_ATTEMPTS = 100;

export interface AttemptRules {
  /** `EmailTasks.send`; absent where no handler has the path. */
  readonly handler?: string | undefined;
  /** -1 for as many as it takes. A task that was created with a limit of its own has that. */
  readonly maxAttempts: number;
  /**
   * Whether the journal knows of work that was done, though the answer got lost: then it is asked
   * before a task is given up.
   */
  readonly isDoneOnce?: boolean;
}

/** The last attempt was made, and whoever made it didn't live to say how it ended. */
export class LostLastAttempt extends Error {
  constructor() {
    super('The last attempt ended without an outcome: its process ended, or it took too long.');
  }
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readMaxAttempts(value: unknown): number {
  const isCount = Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 1_000_000;
  if (isCount || value === -1) return Number(value);
  const came = typeof value === 'number' ? String(value) : shown(value);
  throw invalidArgument(
    `maxAttempts: expected a whole number from 1 to 1000000, or -1 for no limit, got ${came}.`,
    'maxAttempts',
  );
}
