/** The engine in a thread of its own, so that a busy event loop of the app can't stall a queue. */
import { Worker } from 'node:worker_threads';
import type { Duration } from '../engine/time.js';
import { CloudTasksError } from '../engine/errors.js';
import type { EngineOptions, RunningEngine } from './start-engine.js';
import type { Call, FromWorker, Started } from './worker-calls.js';
import { apiOver, fromFailure } from './worker-calls.js';

/**
 * Starts the worker and resolves once its engine runs.
 *
 * An engine that dies later takes the process with it: its error is not caught here, since a queue
 * that silently stands still is worse than a restart, which loses nothing.
 */
export async function workerEngine(options: EngineOptions): Promise<RunningEngine> {
  const { onEvent, ...workerData } = options;
  const worker = new Worker(new URL('./engine-worker.js', import.meta.url), { workerData });
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (e: Error) => void }
  >();
  let nextId = 0;

  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      const ended = new CloudTasksError('UNAVAILABLE', 'The engine has ended.');
      for (const { reject } of waiting.values()) reject(ended);
      waiting.clear();
      resolve();
    });
  });

  const call = (verb: Call['verb'], argument?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, verb, argument } satisfies Call);
    });

  const started = await new Promise<Started>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: FromWorker) => {
      if ('event' in message) {
        onEvent?.(message.event);
      } else if ('id' in message) {
        const caller = waiting.get(message.id);
        waiting.delete(message.id);
        if ('failure' in message) caller?.reject(fromFailure(message.failure));
        else caller?.resolve(message.value);
      } else {
        worker.off('error', reject);
        resolve(message);
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
    drain: async (limit: Duration) => {
      await call('drain', limit);
    },
    close: async () => {
      await call('close');
      await exited;
    },
  };
}
