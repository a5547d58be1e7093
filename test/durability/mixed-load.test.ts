/**
 * The engine is killed under mixed load through Google's client, and its next start is compared
 * with what the callers know.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newSigningKey } from '../../src/adapters/oidc-issuer.js';
import type { CloudTasksApi, Queue, Task } from '../../src/engine/cloud-tasks-api.js';
import { MINUTE } from '../../src/engine/time.js';
import { connectGoogle } from '../../src/host/connect-google.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import type { AppProcess } from '../support/app-process.js';
import { startEngineAlone } from '../support/app-process.js';
import { Chance } from '../support/chance.js';
import type { Delivery } from '../support/receiver.js';
import { Receiver } from '../support/receiver.js';
import { everyTask } from '../support/every-task.js';
import type { Asked } from './mixed-load.js';
import { Caller, Timeline } from './mixed-load.js';
import { seeds } from './rounds.js';

const CALLERS = 6;
const LEAST_ACKNOWLEDGED = 100;

let signingKey: string;
let dataDir: string;
let receiver: Receiver;
let killed: AppProcess | undefined;
let restarted: RunningEngine | undefined;
const totals = { rounds: 0, acknowledged: 0, inDoubt: 0, settled: 0, twice: 0, mayComeTwice: 0 };

beforeAll(async () => {
  signingKey = await newSigningKey();
});

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-mixed-'));
  // Making one takes longer than all the rest of a start.
  await writeFile(join(dataDir, 'oidc-key.pem'), signingKey, { mode: 0o600 });
  receiver = await Receiver.listen();
});

afterEach(async () => {
  await killed?.kill('SIGKILL');
  await restarted?.close();
  killed = restarted = undefined;
  await receiver.close();
  await rm(dataDir, { recursive: true, force: true });
});

afterAll(() => console.log(`mixed load: ${JSON.stringify(totals)}`));

test.each(seeds(2, 500))(
  'what was acknowledged under mixed load survives kill -9 (SEED=%i)',
  async (seed) => {
    const load = await killUnderLoad(new Chance(seed));
    const before = receiver.deliveries.length;
    restarted = await startEngine({ dataDir, port: 0 });
    const { api } = restarted;
    const found = new Map<string, Task[]>();
    for (const caller of load.callers) found.set(caller.name, await everyTask(api, caller.name));
    for (const caller of load.callers) {
      await queueIsIntact(api, caller);
      await tasksAreIntact(api, caller, found.get(caller.name) ?? [], load);
    }
    await namesAreTaken(api, load.callers);
    await allArrive(restarted, load, found);
    count(load, before);
  },
  120_000,
);

interface Load {
  readonly callers: readonly Caller[];
  readonly timeline: Timeline;
  /** Outcomes from before this moment are on disk. */
  readonly settledBefore: number;
}

async function killUnderLoad(chance: Chance): Promise<Load> {
  const engine = (killed = await startEngineAlone(dataDir));
  const google = await connectGoogle({ emulatorHost: engine.url });
  const timeline = new Timeline();

  let acknowledged = 0;
  let eventsLeft = chance.between(0, 150);
  const moment = chance.pick(['an acknowledgement', 'a delivery']);
  const happened = (what: typeof moment) => {
    if (what !== moment || acknowledged < LEAST_ACKNOWLEDGED || eventsLeft-- > 0) return;
    engine.child.kill('SIGKILL');
  };
  const callers = Array.from({ length: CALLERS }, (_, number) => {
    const own = new Chance(chance.between(0, 2 ** 32));
    return new Caller(`queue-${number}`, google, receiver.url, own, timeline, () => {
      acknowledged++;
      happened('an acknowledgement');
    });
  });
  const asked = (mark: string) =>
    callers.flatMap((caller) => caller.asked).find((task) => task.mark === mark);
  receiver.reply = (delivery) => {
    happened('a delivery');
    const task = asked(delivery.mark);
    if (task?.isHeld) return 'never';
    const failed = timeline.failures.get(delivery.mark) ?? 0;
    const status = failed < (task?.failures ?? 0) ? 503 : 200;
    timeline.answered(delivery, status);
    return status;
  };

  // Else the client would look for the engine until a delete's deadline has passed.
  const closed = once(engine.child, 'exit').then(() => google.close());
  await Promise.all(callers.map((caller) => caller.run()));
  await closed;
  await receiver.deserted();
  const settledBefore = Math.max(...callers.map((caller) => caller.settledBefore));
  expect(acknowledged).toBeGreaterThanOrEqual(LEAST_ACKNOWLEDGED);
  return { callers, timeline, settledBefore };
}

/** Settings, pause and purge time are as they were answered, or as the last verb would leave them. */
async function queueIsIntact(api: CloudTasksApi, { name, queue, uncertain }: Caller) {
  const now = settingsOf(await api.getQueue({ name }));
  if (!queue) return;
  const possible = [settingsOf(queue)];
  if (uncertain?.settings) possible.push(settingsOf(uncertain.settings));
  if (uncertain?.purged && now.purgeTime) {
    possible.push({ ...settingsOf(queue), purgeTime: now.purgeTime });
  }
  expect(possible).toContainEqual(now);
}

function settingsOf({ rateLimits, retryConfig, state, purgeTime = 0 }: Queue) {
  return { rateLimits, retryConfig, state, purgeTime };
}

async function tasksAreIntact(
  api: CloudTasksApi,
  caller: Caller,
  tasks: readonly Task[],
  { timeline, settledBefore }: Load,
) {
  const byMark = new Map(tasks.map((task) => [markOf(task), task]));
  expect(byMark.size).toBe(tasks.length);
  const invented = tasks.filter((task) => !caller.asked.some(({ mark }) => mark === markOf(task)));
  expect(invented).toEqual([]);

  const wrong: string[] = [];
  for (const asked of caller.asked) {
    const task = byMark.get(asked.mark);
    const { acknowledged, removal } = asked;
    const settledAt = timeline.firstSuccess.get(asked.mark);
    if (task) {
      if (removal?.done) wrong.push(`${asked.mark}: removed, and here`);
      if (settledAt !== undefined && settledAt < settledBefore) {
        wrong.push(`${asked.mark}: settled, and here`);
      }
      wrong.push(...changed(asked, task, timeline));
    } else if (acknowledged) {
      if (!removal && settledAt === undefined) wrong.push(`${asked.mark}: lost`);
      const gone = await api.getTask({ name: acknowledged.name }).catch((error: unknown) => error);
      if (!String(gone).includes('existed recently')) wrong.push(`${asked.mark}: no tombstone`);
    }
  }
  expect(wrong).toEqual([]);
  purgedTogether(caller, byMark, timeline);
}

/** What of a task isn't as it must be. */
function changed(asked: Asked, task: Task, timeline: Timeline): string[] {
  const { mark, acknowledged } = asked;
  const deliveries = receiver.deliveries.filter((delivery) => delivery.mark === mark);
  const known = deliveries.map(({ headers }) => Number(headers['x-cloudtasks-taskretrycount']));
  const wrong: string[] = [];
  const body = new TextDecoder().decode(task.httpRequest?.body);
  if (body !== mark) wrong.push(`${mark}: body ${body}`);
  if (acknowledged && acknowledged.name !== task.name) wrong.push(`${mark}: named ${task.name}`);
  if (asked.id !== undefined && !task.name.endsWith(`/tasks/${asked.id}`)) {
    wrong.push(`${mark}: named ${task.name}`);
  }
  // An attempt knows of those before it by the store.
  const least = Math.max(0, asked.recordedDispatches, ...known);
  // One more may have been sent and cut off.
  const most = deliveries.length + 1;
  if (task.dispatchCount < least || task.dispatchCount > most) {
    wrong.push(`${mark}: ${task.dispatchCount} attempts, not ${least} to ${most}`);
  }
  const failures = timeline.failures.get(mark) ?? 0;
  if (task.responseCount < Math.max(0, ...known) || task.responseCount > failures) {
    wrong.push(`${mark}: ${task.responseCount} responses, not ${failures}`);
  }
  if (acknowledged && deliveries.length === 0 && task.scheduleTime !== acknowledged.scheduleTime) {
    wrong.push(`${mark}: scheduled for ${task.scheduleTime}`);
  }
  return wrong;
}

/** A purge that nobody could hear the end of removed everything or nothing. */
function purgedTogether(
  { uncertain }: Caller,
  byMark: ReadonlyMap<string, Task>,
  timeline: Timeline,
) {
  const open = (uncertain?.purged ?? []).filter(
    ({ mark, removal }) => !timeline.firstSuccess.has(mark) && !removal?.done,
  );
  const left = open.filter(({ mark }) => byMark.has(mark)).length;
  expect([0, open.length]).toContain(left);
}

/** Names of live and of finished tasks can't be used again. */
async function namesAreTaken(api: CloudTasksApi, callers: readonly Caller[]) {
  const named = callers.flatMap(({ name, asked }) =>
    asked
      .filter(({ id, acknowledged }) => id !== undefined && acknowledged)
      .slice(-5)
      .map(({ id = '' }) => ({ parent: name, name: `${name}/tasks/${id}` })),
  );
  for (const { parent, name } of named) {
    const task = { name, httpRequest: { url: `${receiver.url}/again` } };
    await expect(api.createTask({ parent, task })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  }
}

/** Everything that is there arrives, nothing of a paused queue before it is resumed, and no more. */
async function allArrive(
  engine: RunningEngine,
  { callers }: Load,
  found: ReadonlyMap<string, readonly Task[]>,
) {
  const start = receiver.deliveries.length;
  receiver.reply = () => 200;
  const since = () => receiver.deliveries.slice(start);
  const have = (marks: readonly string[]) => {
    const arrived = new Set(since().map(({ mark }) => mark));
    return marks.every((mark) => arrived.has(mark));
  };
  const { api } = engine;
  const queues = await Promise.all(callers.map(({ name }) => api.getQueue({ name })));
  const tasksOf = (state: Queue['state']) =>
    queues.filter((queue) => queue.state === state).flatMap(({ name }) => found.get(name) ?? []);
  const soon = (tasks: readonly Task[]) => tasks.filter((task) => !isFuture(task));

  await engine.dispatch({});
  await receiver.until(() => have(soon(tasksOf('RUNNING')).map(markOf)));
  const paused = new Set(tasksOf('PAUSED').map(markOf));
  expect(since().filter(({ mark }) => paused.has(mark))).toEqual([]);

  for (const { name } of queues) await api.resumeQueue({ name });
  const all = [...found.values()].flat();
  await receiver.until(() => have(soon(all).map(markOf)));
  for (const { name } of all.filter(isFuture)) await api.runTask({ name });
  await receiver.until(() => have(all.map(markOf)));
  await engine.drain(MINUTE);
  const left = await Promise.all(callers.map(({ name }) => everyTask(api, name)));
  expect(left.flat()).toEqual([]);
  expect(since().map(markOfDelivery).sort()).toEqual(all.map(markOf).sort());
}

/** Also one that was run before its time, and then cut off. */
function isFuture({ scheduleTime }: Task): boolean {
  return scheduleTime > Date.now() * 1000 + MINUTE;
}

function markOf(task: Task): string {
  return task.httpRequest?.url.split('/').at(-1) ?? '';
}

function markOfDelivery({ mark }: Delivery): string {
  return mark;
}

function count({ callers, timeline, settledBefore }: Load, before: number): void {
  const asked = callers.flatMap((caller) => caller.asked);
  const again = new Set(receiver.deliveries.slice(before).map(markOfDelivery));
  const settled = [...timeline.firstSuccess];
  totals.rounds++;
  totals.acknowledged += asked.filter(({ acknowledged }) => acknowledged).length;
  totals.inDoubt += asked.filter(({ acknowledged }) => !acknowledged).length;
  totals.settled += settled.length;
  totals.mayComeTwice += settled.filter(([, at]) => at >= settledBefore).length;
  totals.twice += settled.filter(([mark]) => again.has(mark)).length;
}
