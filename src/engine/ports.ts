/** What the engine needs from outside: time, calendar, chance, disk, network, tokens, and somebody to tell. */
import type { Job } from './cloud-scheduler-api.js';
import type { HttpMethod, Queue, Task, View } from './cloud-tasks-api.js';
import type { Duration, Instant } from './time.js';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** The wall clock: it jumps when somebody sets it. */
  now(): Instant;
  /** Calls once, at or after `instant`, also when that has passed; never before returning. */
  at(instant: Instant, callback: () => void): Timer;
  /** Calls once so much time has passed, wherever the wall clock is set to meanwhile. */
  after(duration: Duration, callback: () => void): Timer;
}

/** When the ticks of a schedule are: the calendar, its time zones and their leaps. */
export interface Cron {
  /**
   * @param schedule unix-cron, such as `0 3 * * *`, or App Engine's form, such as `every 5 minutes`
   * @param timeZone of the tz database: `America/Los_Angeles`
   * @throws CloudTasksError INVALID_ARGUMENT: of field `schedule`, with what was expected, what came
   *   and where; of field `timeZone` with its name
   */
  parse(schedule: string, timeZone: string): Ticks;
}

export interface Ticks {
  readonly form: 'unix-cron' | 'groc';
  /** Counted from the end of the run before, as in `every 5 minutes`, not by a clock on a wall. */
  readonly fromEnd: boolean;
  /** The first tick later than `after`; undefined when there is none: 30 February. */
  next(after: Instant): Instant | undefined;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * A task as it is kept: the API's FULL view and what the headers of the next attempt need.
 * Everything but `state` never changes after the create.
 */
export interface StoredTask {
  /** Order of creation, unique in the store, given by it, never used twice. */
  readonly seq: number;
  readonly queue: string;
  readonly id: string;
  readonly request: StoredRequest;
  readonly state: TaskState;
}

export type StoredRequest = Pick<
  Task,
  'httpRequest' | 'appEngineHttpRequest' | 'createTime' | 'dispatchDeadline'
>;

export interface TaskState extends Pick<
  Task,
  'scheduleTime' | 'dispatchCount' | 'responseCount' | 'firstAttempt' | 'lastAttempt'
> {
  /** The execution count header's value: which responses count depends on the target. */
  readonly executionCount: number;
  /** HTTP status of the last attempt as the headers report it; absent before one has ended. */
  readonly previousResponse?: number;
}

/** A place in a queue's order of dispatch: by `scheduleTime`, then by `seq`. */
export interface DueTask {
  readonly seq: number;
  readonly scheduleTime: Instant;
}

/** A job as it is kept: what its owner said, and where it is in its schedule. */
export interface StoredJob {
  readonly job: JobConfig;
  readonly state: JobState;
}

/** A job without what is only answered. */
export type JobConfig = Omit<Job, 'scheduleTime' | 'lastAttemptTime' | 'status'>;

export interface JobState {
  /** The tick that comes next; absent while the job is paused, or when there is none. */
  readonly nextTick?: Instant;
  /** The tick that is being carried out; absent between two. */
  readonly execution?: JobExecution;
  /** How many ticks were begun: the number of the last one is its id. */
  readonly executions: number;
  readonly lastAttemptTime?: Instant;
  /** Of the last attempt, where that failed. */
  readonly status?: { readonly code: number; readonly message: string };
}

export interface JobExecution {
  /** Which of the job's executions it is, counted from 1. */
  readonly id: number;
  /** The tick's own time, whenever it is carried out. */
  readonly scheduleTime: Instant;
  /** Attempts that were begun. */
  readonly attempts: number;
  readonly firstAttempt: Instant;
  /** When the next attempt is to be made. At the start of one that is now: a crash begins it again. */
  readonly attemptTime: Instant;
}

/** A record whose checksum failed: never run, kept apart for a person to look at. */
export interface DamagedRecord {
  readonly kind: 'queue' | 'task' | 'job' | 'value';
  /** As much of the name as could be read. */
  readonly name: string;
  readonly reason: string;
}

/**
 * Queues, tasks and tombstones, jobs, and a few texts under keys. One engine owns one store.
 *
 * Reads are synchronous and see what is committed. A write resolves once it is durable; writes
 * take effect in the order they were called, and those that arrive together commit together.
 */
export interface TaskStore {
  queues(): Queue[];
  /** When a deleted queue's name may be used again; undefined when it may be now. */
  queueTombstone(name: string): Instant | undefined;
  task(seq: number): StoredTask | undefined;
  /** BASIC spares reading the body. Default FULL. */
  findTask(queue: string, id: string, view?: View): StoredTask | undefined;
  /** When a finished task's name may be used again; undefined when there is no tombstone. */
  taskTombstone(queue: string, id: string): Instant | undefined;
  /** A queue's tasks in order of creation, those after `afterSeq`. BASIC spares reading the bodies. */
  tasks(queue: string, afterSeq: number, limit: number, view?: View): StoredTask[];
  /** A queue's tasks in order of dispatch, those strictly after `after`; from the first without. */
  due(queue: string, after: DueTask | undefined, limit: number): DueTask[];
  countTasks(queue: string): number;
  /** The earliest instant at which `removeExpired` would find something. */
  nextExpiry(): Instant | undefined;

  jobs(): StoredJob[];

  /** What was kept under this key; undefined when nothing was. */
  value(key: string): string | undefined;

  /** Creates or replaces, its state too. */
  putJob(job: StoredJob): Promise<void>;
  /** Leaves what the owner said, which may be large, as it is. Nothing where the job is gone. */
  putJobState(name: string, state: JobState): Promise<void>;
  deleteJob(name: string): Promise<void>;
  /** Undefined removes it. */
  putValue(key: string, value: string | undefined): Promise<void>;
  /** Creates or replaces. */
  putQueue(queue: Queue): Promise<void>;
  /** With its tasks and their tombstones. */
  deleteQueue(name: string, tombstoneUntil: Instant): Promise<void>;
  /** Keeps the queue as given, and turns the tasks that were created before into tombstones. */
  purgeQueue(queue: Queue, tombstoneUntil: Instant): Promise<void>;
  /** Refuses an id that is live or has a tombstone later than `now`. */
  createTask(task: Omit<StoredTask, 'seq'>, now: Instant): Promise<CreateOutcome>;
  /**
   * Reads, changes and writes in one step. Resolves to the new state; to undefined when the task
   * is gone, or is removed by a write that commits together with this one.
   * `change` sees the task without its body, and has no effects: it may be called more than once.
   * Nobody waits for an attempt's record, so that it may wait a moment for others to commit with.
   */
  updateTask(seq: number, change: (task: StoredTask) => TaskState): Promise<TaskState | undefined>;
  /**
   * Leaves a tombstone. Resolves to false when the task was gone already.
   *
   * @param urgency `soon` may wait a moment for others to commit with. Default `now`.
   */
  removeTask(seq: number, tombstoneUntil: Instant, urgency?: 'now' | 'soon'): Promise<boolean>;
  /** Drops tombstones that ended, tasks too (queue and task names). */
  removeExpired(now: Instant): Promise<void>;
  close(): Promise<void>;
}

export type CreateOutcome =
  { readonly created: StoredTask } | { readonly refused: 'LIVE' | 'TOMBSTONED' };

/** One attempt, ready to send. Header names and values are final, but for the token. */
export interface Dispatch {
  /** Full name of the task, or of the job. */
  readonly task: string;
  readonly target: DispatchTarget;
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export type DispatchTarget =
  | { readonly kind: 'http'; readonly url: string }
  | {
      readonly kind: 'app-engine';
      readonly service: string;
      readonly version: string;
      readonly instance: string;
      readonly relativeUri: string;
    };

export type DispatchResult =
  | { readonly kind: 'response'; readonly status: number; readonly retryAfter?: string }
  /** No connection, or it broke before a response. */
  | { readonly kind: 'no-response'; readonly reason: string };

/** This machine lacked what it takes to open a connection: it is no attempt, and says nothing of the target. */
export interface NotSent {
  readonly kind: 'not-sent';
  readonly reason: string;
}

export interface Transport {
  /**
   * Sends one attempt and resolves once the response's head is there and its body was let go.
   * Never follows a redirect. Never rejects, also when `signal` aborts: that is a no-response.
   */
  send(dispatch: Dispatch, signal: AbortSignal): Promise<DispatchResult | NotSent>;
}

export interface TokenIssuer {
  /** A signed ID token that lives one hour from about now. */
  idToken(claims: { email: string; audience: string }): Promise<string>;
}

/** Told what happened, for logs; must not throw and must not block. */
export type EngineEvents = (event: EngineEvent) => void;

export type EngineEvent =
  | {
      readonly type: 'attempt';
      readonly queue: string;
      readonly task: string;
      readonly dispatchCount: number;
      readonly duration: Duration;
      readonly result: DispatchResult | { readonly kind: 'deadline' };
      /** When it is tried again; absent when it succeeded or was given up. */
      readonly retryTime?: Instant;
      readonly gaveUp: boolean;
    }
  | {
      readonly type: 'execution';
      /** Full name. */
      readonly job: string;
      readonly scheduleTime: Instant;
      /** Counted from 1. */
      readonly attempt: number;
      readonly duration: Duration;
      readonly result: DispatchResult | { readonly kind: 'deadline' };
      /** When it is tried again; absent when it succeeded or was given up. */
      readonly retryTime?: Instant;
      readonly gaveUp: boolean;
    }
  | { readonly type: 'damaged-record'; readonly record: DamagedRecord }
  /** Targets are overloaded or mostly fail, so a queue that sent at its full rate sends less now. */
  | { readonly type: 'throttled'; readonly queue: string }
  /** Tasks were deleted for their age, sent or not. */
  | { readonly type: 'tasks-expired'; readonly queue: string; readonly count: number }
  | {
      readonly type: 'store-failure' | 'network-failure' | 'server-failure';
      readonly error: unknown;
    };
