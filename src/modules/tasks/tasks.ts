/** The face of delayed calls: a handler's methods, each called later in place of now. */
import type { CloudTasksError } from '../../engine/errors.js';
import type { TaskContext } from './task-context.js';
import type { TaskIdRule } from './calls/task-id.js';
import type { TaskOptions } from './task-options.js';
import type { TaskStatus } from './attempts/task-statuses.js';

/** A created task. */
export interface TaskRef {
  /** `projects/local/locations/us-central1/queues/default/tasks/0619183634918825267` */
  readonly name: string;
  /** The queue's id. */
  readonly queue: string;
  readonly taskId: string;
  /** When the first attempt is due; of a duplicate, when that of this call would have been. */
  readonly scheduleTime: Date;
  /** Set where a task of this id was there before and `onDuplicate` is `ignore`. */
  readonly duplicate?: true;
}

/**
 * The handlers of a controller as delayed calls: `tasks.send.delay(email)` makes a task whose
 * delivery calls `send(email)`.
 */
export type Tasks<Controller> = {
  readonly [
    Method in keyof Controller as Controller[Method] extends Handler ? Method : never
  ]: Controller[Method] extends Handler ? DelayedCall<HandlerArguments<Controller[Method]>> : never;
};

/** A value of the same name, since decorator metadata of `tasks: Tasks<EmailTasks>` names one. */
export const Tasks = Object;

/** A handler's method, called later. */
export interface DelayedCall<Arguments extends readonly unknown[]> extends Delayed<Arguments> {
  /** Options of the next call only; they beat those of `@Task`, `@TaskController`, `forRoot`. */
  options(options: TaskOptions): Delayed<Arguments>;
}

export interface Delayed<Arguments extends readonly unknown[]> {
  /**
   * Creates the task; resolves when it is durable.
   *
   * @throws CloudTasksError INVALID_ARGUMENT naming the argument or option, before anything is
   *   sent; ALREADY_EXISTS for a `taskId` that was used; NOT_FOUND for a queue that isn't there
   */
  delay(...args: Arguments): Promise<TaskRef>;

  /**
   * Creates a task for each list of arguments, `concurrency` at a time. One that fails for a reason
   * that may pass is tried again, five times in all, and never made twice: where no id is given,
   * each task gets one here.
   *
   * @param list an array, or an iterable that makes the arguments on the way
   * @returns a result for each call in the order of the list, as `Promise.allSettled` has them;
   *   with `onResult` nothing, so that memory stays flat however long the list is
   * @throws CloudTasksError INVALID_ARGUMENT for the options; what the list itself throws
   */
  delayMany(
    list: Iterable<Arguments> | AsyncIterable<Arguments>,
    options?: ManyOptions<Arguments> & { readonly onResult?: undefined },
  ): Promise<SettledTask[]>;
  delayMany(
    list: Iterable<Arguments> | AsyncIterable<Arguments>,
    options: ManyOptions<Arguments>,
  ): Promise<void>;

  /**
   * Deletes a task of this handler's queue (or of the `queue` among the options), so that it isn't
   * attempted again; an attempt in flight goes on. Where outcomes are stored, also the task that
   * goes on after a `RetryLater` or a redrive, which has another id.
   *
   * @param task its `taskId` as it was given to `.options()`, or what `.delay` answered
   * @returns whether there was one: false when it has ended or never was
   * @throws CloudTasksError
   */
  cancel(task: string | TaskRef): Promise<boolean>;

  /**
   * What has become of a task: `scheduled`, `running`, `succeeded`, `failed` or `dead-lettered`. One
   * that ended is remembered for an hour, or as long as the `ttl` of `idempotency` says.
   *
   * @param task as for `cancel`
   * @throws CloudTasksError NOT_FOUND when it never was, or ended too long ago
   */
  status(task: string | TaskRef): Promise<TaskStatus>;

  /**
   * Has a task attempted at once, whatever its time, the queue's rate or a pause say.
   *
   * @param task as for `cancel`
   * @throws CloudTasksError NOT_FOUND when it has ended or never was
   */
  runNow(task: string | TaskRef): Promise<void>;
}

/** What became of one call of many. */
export type SettledTask =
  | { readonly status: 'fulfilled'; readonly value: TaskRef }
  | { readonly status: 'rejected'; readonly reason: CloudTasksError };

/** The options of tasks, and how many of them are made at once. */
export interface ManyOptions<Arguments extends readonly unknown[]> extends Omit<
  TaskOptions,
  'taskId'
> {
  /** Gives each call its own id; or a rule. */
  readonly taskId?: ((args: Arguments, index: number) => string) | TaskIdRule | undefined;
  /** How many creates are under way at a time: 1 to 1000. Default 50. */
  readonly concurrency?: number | undefined;
  /** Called with each result as it comes, and waited for. */
  readonly onResult?: ((result: SettledTask, index: number) => unknown) | undefined;
}

type Handler = (...args: never[]) => unknown;

/** The method's own arguments, but for the context, which each attempt brings along. */
export type HandlerArguments<Method extends Handler> =
  Parameters<Method> extends [...infer Rest, infer Last]
    ? IsContext<Last> extends true
      ? Rest
      : Parameters<Method>
    : Parameters<Method>;

/** `any` would be taken for whatever is asked. */
type IsContext<Type> = 0 extends 1 & Type ? false : Type extends TaskContext ? true : false;
