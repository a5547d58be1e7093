/** The engine in a thread of its own, so that a busy event loop of the app can't stall a queue. */
import { Worker } from 'node:worker_threads';
import type { Duration } from '../engine/time.js';
import { CloudTasksError } from '../engine/errors.js';
import type { EngineOptions, RunningEngine } from './running-engine.js';
import type { Answer, Call, FromWorker, Started } from './worker-calls.js';
import { apiOver, fromFailure, outbox } from './worker-calls.js';

/**
 * Starts the worker and resolves once its engine runs.
 *
 * An engine that dies later takes the process with it: its error is not caught here, since a queue
 * that silently stands still is worse than a restart, which loses nothing.
 */
export async function workerEngine(options: EngineOptions): Promise<RunningEngine> {
  const { onEvent, ...workerData } = options;
  const worker = new Worker(new URL('./engine-worker.js', import.meta.url), { workerData });
  const post = outbox<Call>((batch) => worker.postMessage(batch));
  const waiting = new Map<number, Caller>();
  let nextId = 0;
  let ended = false;

  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      ended = true;
      for (const { reject } of waiting.values()) reject(hasEnded());
      waiting.clear();
      resolve();
    });
  });

  const call = (verb: Call['verb'], argument?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(hasEnded());
        return;
      }
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      post({ id, verb, argument });
    });

  const settle = (answer: Answer): void => {
    const caller = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('failure' in answer) caller?.reject(fromFailure(answer.failure));
    else caller?.resolve(answer.value);
  };

  const started = await new Promise<Started>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (messages: readonly FromWorker[]) => {
      for (const message of messages) {
        if ('event' in message) {
          onEvent?.(message.event);
        } else if ('id' in message) {
          settle(message);
        } else {
          worker.off('error', reject);
          resolve(message);
        }
      }
    });
  });
  if ('refused' in started) {
    await exited;
    throw fromFailure(started.refused);
  }

  return {
    ...started.started,
    api: apiOver(call),
    dispatch: async (appEngineHosts) => {
      await call('dispatch', appEngineHosts);
    },
    idToken: async (claims) => (await call('idToken', claims)) as string,
    drain: async (limit: Duration) => {
      await call('drain', limit);
    },
    close: async () => {
      // A second close finds nothing left to end.
      if (!ended) await call('close');
      await exited;
    },
  };
}

interface Caller {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function hasEnded(): CloudTasksError {
  return new CloudTasksError('UNAVAILABLE', 'The engine has ended.');
}
