/** The worker's side of the engine's own thread: it runs an engine and answers calls. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Duration } from '../engine/time.js';
import { localEngine } from './local-engine.js';
import type { EngineOptions, RunningEngine } from './running-engine.js';
import type { Call, FromWorker } from './worker-calls.js';
import { outbox, toFailure } from './worker-calls.js';

const port = parentPort;
if (!port) throw new Error('engine-worker runs in a worker thread only.');

const tell = outbox<FromWorker>((batch) => port.postMessage(batch));

try {
  const engine = await localEngine({
    ...(workerData as EngineOptions),
    onEvent: (event) => tell({ event }),
  });
  port.on('message', (calls: readonly Call[]) => {
    for (const { id, verb, argument } of calls) {
      answer(engine, verb, argument).then(
        (value) => {
          tell({ id, value });
          // After the answer has left.
          if (verb === 'close') setImmediate(() => port.close());
        },
        (error: unknown) => tell({ id, failure: toFailure(error) }),
      );
    }
  });
  const { url, issuer, secret } = engine;
  tell({ started: { url, issuer, secret } });
} catch (error) {
  tell({ refused: toFailure(error) });
}

function answer(engine: RunningEngine, verb: Call['verb'], argument: unknown): Promise<unknown> {
  switch (verb) {
    case 'dispatch':
      return engine.dispatch(argument as Record<string, string>);
    case 'idToken':
      return engine.idToken(argument as Parameters<RunningEngine['idToken']>[0]);
    case 'drain':
      return engine.drain(argument as Duration);
    case 'close':
      return engine.close();
    default: {
      // The caller's side is typed; what crosses is a clone of what its types allowed.
      const verbs = engine.api as unknown as Record<string, (request: unknown) => Promise<unknown>>;
      const run = verbs[verb];
      return run ? run.call(engine.api, argument) : Promise.reject(new Error(`No verb ${verb}.`));
    }
  }
}
