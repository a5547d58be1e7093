/** How the app's thread and the engine's thread talk: one call, one answer, plain data only. */
import type { ErrorCode, ErrorDetail } from '../engine/errors.js';
import { CloudTasksError } from '../engine/errors.js';
import type { EngineEvent } from '../engine/ports.js';
import type { LocalApi, RunningEngine } from './running-engine.js';

/** What the worker says once: the engine runs, or why it doesn't. */
export type Started =
  | { readonly started: Pick<RunningEngine, 'url' | 'issuer' | 'secret'> }
  | { readonly refused: Failure };

export interface Call {
  readonly id: number;
  readonly verb: keyof LocalApi | 'dispatch' | 'idToken' | 'drain' | 'close';
  readonly argument: unknown;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure };

export type FromWorker = Started | Answer | { readonly event: EngineEvent };

/** An error as it crosses: a structured clone would lose its class and its fields. */
interface Failure {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly field?: string | undefined;
  readonly details?: readonly ErrorDetail[];
}

export function toFailure(error: unknown): Failure {
  if (error instanceof CloudTasksError) {
    const { message, code, field, details } = error;
    return { message, code, field, details };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}

export function fromFailure({ message, code, field, details = [] }: Failure): Error {
  return code ? new CloudTasksError(code, message, { field, details }) : new Error(message);
}

/** Complete by its type: a verb that is added to the API must be added here. */
const VERBS: Record<keyof LocalApi, true> = {
  listQueues: true,
  getQueue: true,
  createQueue: true,
  updateQueue: true,
  deleteQueue: true,
  purgeQueue: true,
  pauseQueue: true,
  resumeQueue: true,
  listTasks: true,
  getTask: true,
  createTask: true,
  deleteTask: true,
  runTask: true,
  getIamPolicy: true,
  setIamPolicy: true,
  testIamPermissions: true,
  listJobs: true,
  getJob: true,
  createJob: true,
  updateJob: true,
  deleteJob: true,
  pauseJob: true,
  resumeJob: true,
  runJob: true,
};

/** Every verb of the API as a call of that name. */
export function apiOver(
  call: (verb: keyof LocalApi, request: unknown) => Promise<unknown>,
): LocalApi {
  const verbs = Object.keys(VERBS) as (keyof LocalApi)[];
  return Object.fromEntries(
    verbs.map((verb) => [verb, (request: unknown) => call(verb, request)]),
  ) as unknown as LocalApi;
}

/** So many cross at most at once: the other thread begins while this one makes the next. */
const BATCH = 64;

/**
 * Sends what one turn of the event loop brings in batches: a crossing costs about as much as the
 * work that it asks for.
 */
export function outbox<Item>(post: (batch: readonly Item[]) => void): (item: Item) => void {
  let batch: Item[] = [];
  const flush = () => {
    const full = batch;
    batch = [];
    if (full.length > 0) post(full);
  };
  return (item) => {
    if (batch.length === 0) setImmediate(flush);
    batch.push(item);
    if (batch.length === BATCH) flush();
  };
}
