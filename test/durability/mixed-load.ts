/** Callers of an engine that is about to be killed, each with a queue of its own, and what they know. */
import type { CloudTasksApi, Queue, Task } from '../../src/engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../src/engine/errors.js';
import { HOUR, MILLISECOND } from '../../src/engine/time.js';
import type { Chance } from '../support/chance.js';
import type { Delivery } from '../support/receiver.js';

export const LOCATION = 'projects/demo/locations/here';

/** A task that was asked for, whether or not the engine could still answer. */
export interface Asked {
  /** Its path at the receiver, and its body. */
  readonly mark: string;
  /** The id that was asked for; else the engine made one. */
  readonly id: string | undefined;
  /** How its target answers while the load lasts: a number of failures first, or never. */
  readonly failures: number;
  readonly isHeld: boolean;
  readonly isFuture: boolean;
  /** The create's answer: from then on the task must not be lost. */
  acknowledged?: Task;
  /** A delete or a purge that covers it was called; `done` once it was answered. */
  removal?: { done: boolean };
  wasRun: boolean;
  /** Attempts that an answer of RunTask has shown to be on record. */
  recordedDispatches: number;
}

/** A verb that was called when the engine was killed, and what the queue is if it took effect. */
export interface Uncertain {
  readonly settings?: Queue;
  /** What a purge would have removed. */
  readonly purged?: readonly Asked[];
}

/** The order of events as this process sees them: one number after the other. */
export class Timeline {
  private last = 0;
  readonly firstSuccess = new Map<string, number>();
  readonly failures = new Map<string, number>();

  next(): number {
    return ++this.last;
  }

  answered({ mark }: Delivery, status: number): void {
    const at = this.next();
    if (status === 200 && !this.firstSuccess.has(mark)) this.firstSuccess.set(mark, at);
    if (status !== 200) this.failures.set(mark, (this.failures.get(mark) ?? 0) + 1);
  }
}

/** Calls verb after verb, so that the order of everything in its queue is known. */
export class Caller {
  readonly name: string;
  readonly asked: Asked[] = [];
  /** As the last verb that was answered left it. */
  queue: Queue | undefined;
  uncertain: Uncertain | undefined;
  /** When each of the writes that were answered was called. */
  private readonly writes: number[] = [];

  constructor(
    private readonly id: string,
    private readonly api: CloudTasksApi,
    private readonly target: string,
    private readonly chance: Chance,
    private readonly timeline: Timeline,
    private readonly onAcknowledged: () => void,
  ) {
    this.name = `${LOCATION}/queues/${id}`;
  }

  /**
   * What was answered before this has its outcome on disk: writes commit in order, and two whole
   * calls later the engine has long read the answer, which came by another connection.
   */
  get settledBefore(): number {
    return this.writes.at(-2) ?? 0;
  }

  /** Returns when the engine is gone. */
  async run(): Promise<void> {
    try {
      this.queue = await this.api.createQueue({ parent: LOCATION, queue: { name: this.name } });
      for (;;) await this.step();
    } catch (error) {
      if (!(error instanceof CloudTasksError && GONE.has(error.code))) throw error;
    }
  }

  private async step(): Promise<void> {
    const began = this.timeline.next();
    if (await this.anyVerb()) this.writes.push(began);
  }

  /** Whether it was a write that took effect. */
  private async anyVerb(): Promise<boolean> {
    const { chance, name, api } = this;
    const verb = chance.between(1, 100);
    if (verb <= 60) return this.createSome(chance.between(1, 8));
    if (verb <= 72) return this.delete();
    if (verb <= 82) return this.runOne();
    if (verb <= 87) return this.change({ state: 'PAUSED' }, () => api.pauseQueue({ name }));
    if (verb <= 93) return this.change({ state: 'RUNNING' }, () => api.resumeQueue({ name }));
    if (verb <= 97) return this.update();
    return this.purge();
  }

  private async createSome(count: number): Promise<boolean> {
    await allSettled(Array.from({ length: count }, () => this.create()));
    return true;
  }

  private async create(): Promise<void> {
    const { chance } = this;
    const mark = `${this.id}-${this.asked.length}`;
    const asked: Asked = {
      mark,
      id: chance.is(0.3) ? `named-${mark}` : undefined,
      failures: chance.is(0.2) ? chance.between(1, 2) : 0,
      isHeld: chance.is(0.03),
      isFuture: chance.is(0.5),
      wasRun: false,
      recordedDispatches: 0,
    };
    this.asked.push(asked);
    const in1Hour = Date.now() * 1000 + HOUR;
    asked.acknowledged = await this.api.createTask({
      parent: this.name,
      task: {
        httpRequest: { url: `${this.target}/${mark}`, body: new TextEncoder().encode(mark) },
        ...(asked.id === undefined ? {} : { name: `${this.name}/tasks/${asked.id}` }),
        ...(asked.isFuture ? { scheduleTime: in1Hour } : {}),
      },
    });
    this.onAcknowledged();
  }

  private async delete(): Promise<boolean> {
    const task = this.anyWaiting();
    if (!task) return false;
    const removal = { done: false };
    task.asked.removal = removal;
    await this.api.deleteTask({ name: task.name });
    removal.done = true;
    return true;
  }

  private async runOne(): Promise<boolean> {
    const task = this.anyWaiting();
    if (!task) return false;
    task.asked.wasRun = true;
    const { dispatchCount } = await this.api.runTask({ name: task.name });
    task.asked.recordedDispatches = dispatchCount;
    return true;
  }

  private update(): Promise<boolean> {
    const { chance, api } = this;
    const retryConfig = {
      maxAttempts: -1,
      maxRetryDuration: 0,
      minBackoff: 100 * MILLISECOND,
      maxBackoff: chance.between(1, 9) * HOUR,
      maxDoublings: chance.between(1, 16),
    };
    const rateLimits = {
      maxDispatchesPerSecond: 500,
      maxConcurrentDispatches: chance.between(50, 900),
      maxBurstSize: 100,
    };
    const queue = { name: this.name, rateLimits, retryConfig };
    return this.change({ rateLimits, retryConfig }, () => api.updateQueue({ queue }));
  }

  private async purge(): Promise<boolean> {
    const purged = this.asked.filter(({ acknowledged }) => acknowledged);
    const removals = purged.map((asked) => (asked.removal ??= { done: false }));
    this.uncertain = { purged };
    this.queue = await this.api.purgeQueue({ name: this.name });
    this.uncertain = undefined;
    for (const removal of removals) removal.done = true;
    return true;
  }

  private async change(settings: Partial<Queue>, call: () => Promise<Queue>): Promise<boolean> {
    if (this.queue) this.uncertain = { settings: { ...this.queue, ...settings } };
    this.queue = await call();
    this.uncertain = undefined;
    return true;
  }

  /** One that waits for its time, so that nothing else can happen to it. */
  private anyWaiting(): { readonly asked: Asked; readonly name: string } | undefined {
    const waiting = this.asked.flatMap((asked) => {
      const { acknowledged, removal, wasRun, isFuture } = asked;
      const isWaiting = acknowledged && isFuture && !removal && !wasRun;
      return isWaiting ? [{ asked, name: acknowledged.name }] : [];
    });
    return waiting.length === 0 ? undefined : this.chance.pick(waiting);
  }
}

/** How calls end when the engine does. */
const GONE: ReadonlySet<string> = new Set(['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED']);

/** Waits for each of them, also when one fails. */
async function allSettled(calls: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
