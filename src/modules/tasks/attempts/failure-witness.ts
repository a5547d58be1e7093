/** Sees the failures that never reach a handler's interceptors: of guards, and of interceptors. */
import type { Type } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { AsyncLocalStorage } from 'node:async_hooks';

const witnesses = new AsyncLocalStorage<(error: unknown) => void>();

/** Has `witness` told of every error that a filter is asked for while `work` runs. */
export function witnessed(witness: (error: unknown) => void, work: () => void): void {
  witnesses.run(witness, work);
}

/**
 * Nest asks each filter in turn whether an error is of its kind. This kind is nobody's, but is
 * asked: so the app's own filters go on to log and to answer as they do elsewhere.
 */
const ANY_FAILURE = {
  [Symbol.hasInstance](error: unknown): boolean {
    witnesses.getStore()?.(error);
    return false;
  },
} as unknown as Type<unknown>;

@Catch(ANY_FAILURE)
export class FailureWitness {
  catch(): void {
    // Nothing is of that kind.
  }
}
