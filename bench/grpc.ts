/** Durable creates a second by Google's own client, against what the client reaches at best. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloudTasksApi } from '../src/engine/cloud-tasks-api.js';
import { connectGoogle } from '../src/host/connect-google.js';
import { listeningAt } from './listening.js';
import { compare, writeResults } from './measure.js';

const LOCATION = 'projects/bench/locations/here';
const QUEUE = `${LOCATION}/queues/q`;
const CALLERS = 64;
const SECONDS = 5;

const ceiling = fork(new URL('./grpc-child.js', import.meta.url));
const [{ url: ceilingUrl }] = (await once(ceiling, 'message')) as [{ url: string }];
const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-bench-'));
const engine = spawn(
  process.execPath,
  ['dist-bench/src/cli/main.js', 'engine', '--port', '0', '--data', dataDir],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const atBest = await connectGoogle({ emulatorHost: ceilingUrl });
const google = await connectGoogle({ emulatorHost: await listeningAt(engine) });
await google.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
await google.pauseQueue({ name: QUEUE });

const figures = await compare({
  name: "gRPC: CreateTask by Google's Node client, durable before it is answered",
  unit: 'creates/s',
  baseline: 'the same client against a server that only answers',
  floor: 0.5,
  rounds: 3,
  measureBaseline: () => createsPerSecond(atBest),
  measure: () => createsPerSecond(google),
});
await atBest.close();
await google.close();
ceiling.kill();
engine.kill();
await once(engine, 'exit');
await rm(dataDir, { recursive: true });
await writeResults('grpc', figures);

async function createsPerSecond(api: CloudTasksApi): Promise<number> {
  const httpRequest = { url: 'http://127.0.0.1:9/target', body: Buffer.from('x'.repeat(100)) };
  const start = performance.now();
  const end = start + SECONDS * 1000;
  let created = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await api.createTask({ parent: QUEUE, task: { httpRequest } });
      created++;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (created * 1000) / (performance.now() - start);
}
