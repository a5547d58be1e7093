/** The store that forgets: what the durable one does, in maps, for tests and the test kit. */
import type { Queue, View } from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { CloudTasksError } from '../engine/errors.js';
import type {
  CreateOutcome,
  DueTask,
  JobState,
  StoredJob,
  StoredTask,
  TaskState,
  TaskStore,
} from '../engine/ports.js';
import type { Instant } from '../engine/time.js';

interface Kept {
  queue: Queue;
  readonly tasks: Map<string, StoredTask>;
  /** In order of dispatch. */
  order: DueTask[];
  readonly tombstones: Map<string, Instant>;
}

export class MemoryStore implements TaskStore {
  private readonly kept = new Map<string, Kept>();
  private readonly queueTombstones = new Map<string, Instant>();
  private readonly keptJobs = new Map<string, StoredJob>();
  private readonly values = new Map<string, string>();
  /** Of all queues. */
  private readonly bySeq = new Map<number, StoredTask>();
  private lastSeq = 0;
  private closed = false;

  queues(): Queue[] {
    return [...this.kept.values()].map(({ queue }) => structuredClone(queue));
  }

  queueTombstone(name: string): Instant | undefined {
    return this.queueTombstones.get(name);
  }

  task(seq: number): StoredTask | undefined {
    return structuredClone(this.bySeq.get(seq));
  }

  findTask(queue: string, id: string, view: View = 'FULL'): StoredTask | undefined {
    const task = this.kept.get(queue)?.tasks.get(id);
    return task && structuredClone(inView(task, view));
  }

  taskTombstone(queue: string, id: string): Instant | undefined {
    return this.kept.get(queue)?.tombstones.get(id);
  }

  tasks(queue: string, afterSeq: number, limit: number, view: View = 'FULL'): StoredTask[] {
    const tasks = [...(this.kept.get(queue)?.tasks.values() ?? [])];
    return tasks
      .filter(({ seq }) => seq > afterSeq)
      .sort((a, b) => a.seq - b.seq)
      .slice(0, limit)
      .map((task) => structuredClone(inView(task, view)));
  }

  due(queue: string, after: DueTask | undefined, limit: number): DueTask[] {
    const order = this.kept.get(queue)?.order ?? [];
    const start = after ? place(order, { ...after, seq: after.seq + 1 }) : 0;
    return order.slice(start, start + limit);
  }

  countTasks(queue: string): number {
    return this.kept.get(queue)?.tasks.size ?? 0;
  }

  nextExpiry(): Instant | undefined {
    const all = [this.queueTombstones, ...[...this.kept.values()].map((kept) => kept.tombstones)];
    const earliest = all
      .flatMap((tombstones) => [...tombstones.values()])
      .reduce((earliest, until) => Math.min(earliest, until), Infinity);
    return earliest === Infinity ? undefined : earliest;
  }

  jobs(): StoredJob[] {
    return [...this.keptJobs.values()].map((job) => structuredClone(job));
  }

  value(key: string): string | undefined {
    return this.values.get(key);
  }

  putJob(stored: StoredJob): Promise<void> {
    const copy = structuredClone(stored);
    return this.write(() => void this.keptJobs.set(copy.job.name, copy));
  }

  putJobState(name: string, state: JobState): Promise<void> {
    const copy = structuredClone(state);
    return this.write(() => {
      const kept = this.keptJobs.get(name);
      if (kept) this.keptJobs.set(name, { ...kept, state: copy });
    });
  }

  deleteJob(name: string): Promise<void> {
    return this.write(() => void this.keptJobs.delete(name));
  }

  putValue(key: string, value: string | undefined): Promise<void> {
    return this.write(() => {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    });
  }

  putQueue(queue: Queue): Promise<void> {
    return this.write(() => void this.keep(queue));
  }

  deleteQueue(name: string, tombstoneUntil: Instant): Promise<void> {
    return this.write(() => {
      for (const { seq } of this.kept.get(name)?.tasks.values() ?? []) this.bySeq.delete(seq);
      this.kept.delete(name);
      this.queueTombstones.set(name, tombstoneUntil);
    });
  }

  purgeQueue(queue: Queue, tombstoneUntil: Instant): Promise<void> {
    return this.write(() => {
      const kept = this.keep(queue);
      for (const { seq, id } of kept.tasks.values()) {
        kept.tombstones.set(id, tombstoneUntil);
        this.bySeq.delete(seq);
      }
      kept.tasks.clear();
      kept.order = [];
    });
  }

  createTask(task: Omit<StoredTask, 'seq'>, now: Instant): Promise<CreateOutcome> {
    return this.write<CreateOutcome>(() => {
      const kept = this.kept.get(task.queue);
      // Deleted by a write before this one.
      if (!kept) throw refusal('NO_QUEUE', { field: 'parent' });
      if ((kept.tombstones.get(task.id) ?? -Infinity) > now) return { refused: 'TOMBSTONED' };
      if (kept.tasks.has(task.id)) return { refused: 'LIVE' };
      kept.tombstones.delete(task.id);
      const created = { ...task, seq: ++this.lastSeq };
      this.hold(kept, structuredClone(created));
      return { created };
    });
  }

  updateTask(seq: number, change: (task: StoredTask) => TaskState): Promise<TaskState | undefined> {
    return this.write(() => {
      const task = this.bySeq.get(seq);
      const kept = task && this.kept.get(task.queue);
      if (!kept) return undefined;
      const state = change(structuredClone(inView(task, 'BASIC')));
      this.release(kept, task);
      this.hold(kept, { ...task, state: structuredClone(state) });
      return state;
    });
  }

  removeTask(seq: number, tombstoneUntil: Instant): Promise<boolean> {
    return this.write(() => {
      const task = this.bySeq.get(seq);
      const kept = task && this.kept.get(task.queue);
      if (!kept) return false;
      this.release(kept, task);
      kept.tombstones.set(task.id, tombstoneUntil);
      return true;
    });
  }

  removeExpired(now: Instant): Promise<void> {
    return this.write(() => {
      const all = [this.queueTombstones, ...[...this.kept.values()].map((kept) => kept.tombstones)];
      for (const tombstones of all) {
        for (const [name, until] of tombstones) if (until <= now) tombstones.delete(name);
      }
    });
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** Takes effect in a microtask, in the order of calls. */
  private write<T>(apply: () => T): Promise<T> {
    if (this.closed) {
      return Promise.reject(new CloudTasksError('UNAVAILABLE', 'The store is closed.'));
    }
    return Promise.resolve().then(apply);
  }

  private keep(queue: Queue): Kept {
    const kept = this.kept.get(queue.name) ?? {
      queue,
      tasks: new Map<string, StoredTask>(),
      order: [],
      tombstones: new Map<string, Instant>(),
    };
    kept.queue = structuredClone(queue);
    this.kept.set(queue.name, kept);
    this.queueTombstones.delete(queue.name);
    return kept;
  }

  private hold(kept: Kept, task: StoredTask): void {
    kept.tasks.set(task.id, task);
    this.bySeq.set(task.seq, task);
    const due = dueOf(task);
    kept.order.splice(place(kept.order, due), 0, due);
  }

  private release(kept: Kept, task: StoredTask): void {
    kept.tasks.delete(task.id);
    this.bySeq.delete(task.seq);
    kept.order.splice(place(kept.order, dueOf(task)), 1);
  }
}

function dueOf({ seq, state }: StoredTask): DueTask {
  return { seq, scheduleTime: state.scheduleTime };
}

/** Where a task is, or would be, in the order of dispatch. */
function place(order: readonly DueTask[], { scheduleTime, seq }: DueTask): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = order[middle];
    const isBefore =
      at && (at.scheduleTime < scheduleTime || (at.scheduleTime === scheduleTime && at.seq < seq));
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

function inView(task: StoredTask, view: View): StoredTask {
  if (view === 'FULL') return task;
  const { httpRequest, appEngineHttpRequest } = task.request;
  return {
    ...task,
    request: {
      ...task.request,
      ...(httpRequest ? { httpRequest: withoutBody(httpRequest) } : {}),
      ...(appEngineHttpRequest ? { appEngineHttpRequest: withoutBody(appEngineHttpRequest) } : {}),
    },
  };
}

function withoutBody<Request extends { body?: Uint8Array }>(request: Request): Request {
  const bare = { ...request };
  delete bare.body;
  return bare;
}
