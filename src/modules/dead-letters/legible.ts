/** Stands in for what was thrown where looking at it throws again, so that this is a failure like others. */
import type { Failure } from './verdict.js';
import { judge, messageOf } from './verdict.js';

const ANY_ATTEMPT = { now: 0, attempts: 1, maxAttempts: -1 };

/** @returns the same, unless its error has a getter or a proxy that throws */
export function legible(failure: Failure): Failure {
  try {
    messageOf(failure);
    judge(failure, ANY_ATTEMPT);
    return failure;
  } catch {
    return { ...failure, error: new Error('Something was thrown that can only fail when read.') };
  }
}
