/** How late tasks start: 100,000 of them, due over a minute on 8 queues, seen at their target. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECOND } from '../src/engine/time.js';
import { startEngine } from '../src/host/start-engine.js';
import { writeResults } from './measure.js';

const TASKS = 100_000;
const QUEUES = 8;
const SPREAD = 60 * SECOND;
/** Time to create them all before the first is due. */
const AHEAD = 30 * SECOND;
const BATCH = 500;
const LOCATION = 'projects/bench/locations/here';

const lateness: number[] = [];
const done = Promise.withResolvers<unknown>();
const target = createServer((request, response) => {
  const due = Number(request.headers['x-cloudtasks-tasketa']) * 1000;
  lateness.push(performance.timeOrigin + performance.now() - due);
  request.resume().on('end', () => response.end());
  if (lateness.length === TASKS) done.resolve(undefined);
});
await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}/`;

const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-bench-'));
const engine = await startEngine({ dataDir, port: 0, thread: 'worker' });
const queues = Array.from({ length: QUEUES }, (_, index) => `${LOCATION}/queues/q${index}`);
for (const name of queues) await engine.api.createQueue({ parent: LOCATION, queue: { name } });
await engine.dispatch({});

console.log(`\nPunctuality: ${TASKS} tasks due over a minute on ${QUEUES} queues`);
const first = Date.now() * 1000 + AHEAD;
for (let created = 0; created < TASKS; created += BATCH) {
  await Promise.all(
    Array.from({ length: BATCH }, (_, index) => {
      const place = created + index;
      const scheduleTime = first + Math.floor((place * SPREAD) / TASKS);
      const parent = queues[place % QUEUES] ?? '';
      return engine.api.createTask({ parent, task: { scheduleTime, httpRequest: { url } } });
    }),
  );
}
const spare = (first / 1000 - Date.now()) / 1000;
console.log(`  created with ${spare.toFixed(1)} s to spare`);
await done.promise;
await engine.close();
target.close();
await rm(dataDir, { recursive: true });

lateness.sort((a, b) => a - b);
const percentile = (share: number) => lateness[Math.ceil(share * lateness.length) - 1] ?? NaN;
const figures = { p50: percentile(0.5), p99: percentile(0.99), most: percentile(1) };
console.log(
  `  started late by ${figures.p50.toFixed(1)} ms in the median, ${figures.p99.toFixed(1)} ms at p99, ${figures.most.toFixed(1)} ms at most`,
);
await writeResults('punctuality', { tasks: TASKS, queues: QUEUES, milliseconds: figures });
