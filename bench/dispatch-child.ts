/** The process that `dispatch.ts` measures: a Nest handler, and an engine in its worker thread. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../src/host/start-engine.js';
import { startEcho } from './echo.js';

export interface Drain {
  readonly queues: number;
  readonly tasksPerQueue: number;
  readonly body: string;
}

const LOCATION = 'projects/bench/locations/here';
const MINUTE = 60_000_000;
/** In flight a queue, in all about as many as the load generator has: more only wait in sockets. */
const CONCURRENCY = 2;

const url = await startEcho();
process.on('message', (drain: Drain) => {
  void measure(drain).then((seconds) => process.send?.({ seconds }));
});
process.send?.({ url });

/** Seconds from the first dispatch of a backlog made beforehand to the last outcome on disk. */
async function measure({ queues, tasksPerQueue, body }: Drain): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-bench-'));
  const total = queues * tasksPerQueue;
  const done = Promise.withResolvers<unknown>();
  let succeeded = 0;
  const engine = await startEngine({
    dataDir,
    port: 0,
    thread: 'worker',
    onEvent: (event) => {
      const { type } = event;
      if (type !== 'attempt' || event.result.kind !== 'response' || event.result.status !== 200) {
        done.reject(new Error(`An attempt failed: ${JSON.stringify(event)}`));
      } else if (++succeeded === total) {
        done.resolve(undefined);
      }
    },
  });
  const httpRequest = {
    url,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(body),
  };
  for (let queue = 0; queue < queues; queue++) {
    const parent = `${LOCATION}/queues/q${queue}`;
    const rateLimits = { maxConcurrentDispatches: CONCURRENCY };
    await engine.api.createQueue({ parent: LOCATION, queue: { name: parent, rateLimits } });
    for (let created = 0; created < tasksPerQueue; created += 500) {
      const batch = Array.from({ length: Math.min(500, tasksPerQueue - created) });
      await Promise.all(batch.map(() => engine.api.createTask({ parent, task: { httpRequest } })));
    }
  }
  const start = performance.now();
  await engine.dispatch({});
  await done.promise;
  // The events came with the outcomes; drained, they are on disk.
  await engine.drain(MINUTE);
  const seconds = (performance.now() - start) / 1000;
  await engine.close();
  await rm(dataDir, { recursive: true });
  return seconds;
}
