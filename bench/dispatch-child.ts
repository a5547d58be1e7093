/** The process that `dispatch.ts` measures: a Nest app with a task handler, its engine in a worker. */
import 'reflect-metadata';
import { Body, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudTasksApi, EngineEvent } from '../src/index.js';
import { CLOUD_TASKS, Task, TaskController, TasksModule } from '../src/index.js';

export interface Drain {
  readonly queues: number;
  readonly tasksPerQueue: number;
  readonly body: string;
}

const LOCATION = 'projects/local/locations/us-central1';
/** In flight a queue, in all about as many as the load generator has: more only wait in sockets. */
const CONCURRENCY = 2;
/** Creates that are awaited together. */
const BATCH = 500;

let heard: (event: EngineEvent) => void = () => undefined;

@TaskController('bench')
class BenchTasks {
  @Task('work')
  work(@Body() body: object): object {
    return body;
  }
}

const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-bench-'));

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'embedded',
      engine: { dataDir, port: 0, thread: 'worker', onEvent: (event) => heard(event) },
    }),
    TasksModule.forFeature([BenchTasks]),
  ],
  controllers: [BenchTasks],
})
class BenchModule {}

const app = await NestFactory.create(BenchModule, { logger: false });

/** What the engine sends to the handler: the load generator sends the same. */
const probe = Promise.withResolvers<IncomingHttpHeaders>();
app.use((request: IncomingMessage, _response: unknown, next: () => void) => {
  probe.resolve(request.headers);
  next();
});
await app.listen(0, '127.0.0.1');

const api = app.get<CloudTasksApi>(CLOUD_TASKS);
const audience = await app.getUrl();
const url = `${audience}/bench/work`;

await createQueue('probe');
await createTask('probe', '{}');
const { host, connection, 'content-length': length, ...headers } = await probe.promise;
process.send?.({ url, headers });

let run = 0;
process.on('message', (drain: Drain) => {
  void measure(drain).then((seconds) => process.send?.({ seconds }));
});
process.on('SIGTERM', () => {
  void app
    .close()
    .then(() => rm(dataDir, { recursive: true }))
    .then(() => process.exit(0));
});

/** Seconds from the first dispatch of a backlog made beforehand to the last outcome on disk. */
async function measure({ queues, tasksPerQueue, body }: Drain): Promise<number> {
  const ids = Array.from({ length: queues }, (_, index) => `run-${run}-${index}`);
  run++;
  for (const id of ids) {
    await createQueue(id);
    await api.pauseQueue({ name: nameOf(id) });
    for (let created = 0; created < tasksPerQueue; created += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, tasksPerQueue - created) });
      await Promise.all(batch.map(() => createTask(id, body)));
    }
  }
  const done = successes(queues * tasksPerQueue);
  const start = performance.now();
  await Promise.all(ids.map((id) => api.resumeQueue({ name: nameOf(id) })));
  await done;
  // A write that is awaited commits every outcome before it.
  await api.pauseQueue({ name: nameOf('probe') });
  return (performance.now() - start) / 1000;
}

function successes(count: number): Promise<unknown> {
  const reached = Promise.withResolvers<unknown>();
  let succeeded = 0;
  heard = (event) => {
    if (event.type !== 'attempt' || event.gaveUp || event.retryTime !== undefined) {
      reached.reject(new Error(`An attempt failed: ${JSON.stringify(event)}`));
    } else if (++succeeded === count) {
      reached.resolve(undefined);
    }
  };
  return reached.promise;
}

function nameOf(id: string): string {
  return `${LOCATION}/queues/${id}`;
}

async function createQueue(id: string): Promise<void> {
  const rateLimits = { maxConcurrentDispatches: CONCURRENCY };
  await api.createQueue({ parent: LOCATION, queue: { name: nameOf(id), rateLimits } });
}

async function createTask(id: string, body: string): Promise<void> {
  const httpRequest = {
    url,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(body),
    oidcToken: { serviceAccountEmail: 'tasks@local', audience },
  };
  await api.createTask({ parent: nameOf(id), task: { httpRequest } });
}
