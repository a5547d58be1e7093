/** An engine with very many tasks that wait: what creating, keeping and starting with them costs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { startEngineAlone } from '../support/app-process.js';
import { Receiver } from '../support/receiver.js';

const LOCATION = 'projects/local/locations/us-central1';
const QUEUE = `${LOCATION}/queues/many`;
/** As many as one call may create. */
const BATCH = 100;
/** Calls under way at once: enough to share commits, and few enough to tell the rate at an end. */
const CALLERS = 4;
const HOUR_MS = 3_600_000;
const BEGAN = Date.now();

export interface Figures {
  /** Creates a second, each answered after it was on disk, in each tenth of them. */
  readonly rates: readonly number[];
  /** Microseconds of the engine's own processor time for each of them: who else is busy matters less. */
  readonly cost: readonly number[];
  /** Of the engine's process, in MB: at its largest while they were created, and with them all after a new start. */
  readonly memory: { readonly loading: number; readonly restarted: number };
  /** Seconds from the start of a new process to the first request of a task that is due. */
  readonly firstDispatch: number;
  /** As the new process counts them by `stats.tasksCount`. */
  readonly tasksAfterRestart: number;
}

type Call = (method: 'GET' | 'POST', path: string, body?: object) => Promise<unknown>;

/** How schedule times follow each other: as countdowns make them, or all over a day. */
export type Order = 'rising' | 'scattered';

/**
 * Creates the tasks over the real engine's port, by batches through REST, from this process; the
 * engine runs alone in its own. All but one are for later hours.
 */
export async function manyTasks(count: number, order: Order): Promise<Figures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'many-tasks-'));
  const receiver = await Receiver.listen();
  const agent = new Agent();
  let engine = await startEngineAlone(dataDir);
  const call: Call = async (method, path, body) => {
    const answer = await request(`${engine.url}/${path}`, {
      method,
      dispatcher: agent,
      headers: { 'Content-Type': 'application/json' },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${path} answered ${text}`);
    return JSON.parse(text) as unknown;
  };
  try {
    await call('POST', `v2/${LOCATION}/queues`, { name: QUEUE });
    const spent = await createTasks(
      call,
      (number) => ({
        scheduleTime: scheduleTime(number, order),
        httpRequest: { url: `${receiver.url}/later`, body: BODY },
      }),
      count,
      engine.child.pid,
    );
    const loading = memoryOf(engine.child.pid).most;

    // One that is due at the next start, since its first attempt has no end.
    receiver.reply = () => 'never';
    const task = { httpRequest: { url: `${receiver.url}/now` } };
    await call('POST', `v2/${QUEUE}/tasks`, { task });
    await receiver.reached(1);
    await engine.kill('SIGKILL');
    await receiver.deserted();

    const killed = performance.now();
    const again = receiver.until(() => receiver.deliveries.length === 2);
    engine = await startEngineAlone(dataDir);
    await again;
    const firstDispatch = (performance.now() - killed) / 1000;
    const { stats } = (await call('GET', `v2beta3/${QUEUE}?readMask=stats`)) as {
      stats: { tasksCount: string };
    };
    return {
      ...spent,
      memory: { loading, restarted: memoryOf(engine.child.pid).now },
      firstDispatch,
      tasksAfterRestart: Number(stats.tasksCount) - 1,
    };
  } finally {
    await engine.kill('SIGKILL');
    await agent.close();
    await receiver.close();
    rmSync(dataDir, { recursive: true });
  }
}

/** A few callers, each with one batch under way. */
async function createTasks(
  call: Call,
  newTask: (number: number) => object,
  count: number,
  pid: number | undefined,
): Promise<Pick<Figures, 'rates' | 'cost'>> {
  const rates: number[] = [];
  const cost: number[] = [];
  let asked = 0;
  let created = 0;
  let began = performance.now();
  let spent = processorTime(pid);
  const caller = async (): Promise<void> => {
    while (asked < count) {
      const size = Math.min(BATCH, count - asked);
      const first = asked;
      const requests = Array.from({ length: size }, (_, n) => ({ task: newTask(first + n) }));
      asked += size;
      await call('POST', `v2beta3/${QUEUE}/tasks:batchCreate`, { requests });
      created += size;
      if (created < ((rates.length + 1) * count) / 10) continue;
      const [now, time] = [performance.now(), processorTime(pid)];
      rates.push(count / 10 / ((now - began) / 1000));
      cost.push((time - spent) / (count / 10));
      [began, spent] = [now, time];
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { rates, cost };
}

const BODY = Buffer.from(
  JSON.stringify({ to: 'someone@example.com', text: 'x'.repeat(100) }),
).toString('base64');

/** An hour ahead and more. */
function scheduleTime(number: number, order: Order): string {
  // A step that shares nothing with a day's milliseconds spreads them over it.
  const more = order === 'rising' ? number : (number * 7_654_321) % (24 * HOUR_MS);
  return new Date(BEGAN + HOUR_MS + more).toISOString();
}

/** The resident set now and at its largest, in MB. */
function memoryOf(pid: number | undefined): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8');
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { now: megabytes('VmRSS'), most: megabytes('VmHWM') };
}

/** User's and system's, in microseconds; Linux counts it in hundredths of a second. */
function processorTime(pid: number | undefined): number {
  const stat =
    readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8')
      .split(') ')
      .at(-1)
      ?.split(' ') ?? [];
  return (Number(stat[11]) + Number(stat[12])) * 10_000;
}
