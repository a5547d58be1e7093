/** Tasks a second from durable to settled, against what a load generator gets from the same handler. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Drain } from './dispatch-child.js';
import { requestsPerSecond } from './load.js';
import { compare, writeResults } from './measure.js';

/** A queue dispatches at most 500/s, so that one alone would measure its limit. */
const QUEUES = 64;
const TASKS_PER_QUEUE = 1000;
/** As many connections as the queues have slots in all. */
const LOAD = { seconds: 5, connections: 128 };
const BODY = JSON.stringify({ to: 'someone@example.com', subject: 'hello', body: 'x'.repeat(100) });

const child = fork(new URL('./dispatch-child.js', import.meta.url));
const [{ url, headers }] = (await once(child, 'message')) as [
  { url: string; headers: Record<string, string> },
];

const figures = await compare({
  name: `Dispatch: a backlog of ${QUEUES * TASKS_PER_QUEUE} durable tasks in ${QUEUES} queues`,
  unit: 'tasks/s',
  baseline: 'requests/s that a load generator gets from the same handler',
  floor: 0.5,
  rounds: 3,
  measureBaseline: () => requestsPerSecond({ ...LOAD, url, headers, body: BODY }),
  measure: async () => {
    const drain: Drain = { queues: QUEUES, tasksPerQueue: TASKS_PER_QUEUE, body: BODY };
    child.send(drain);
    const [{ seconds }] = (await once(child, 'message')) as [{ seconds: number }];
    return (QUEUES * TASKS_PER_QUEUE) / seconds;
  },
});
child.kill();
await once(child, 'exit');
await writeResults('dispatch', figures);
