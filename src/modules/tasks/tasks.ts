/** The face of delayed calls: a handler's methods, each called later in place of now. */
import type { TaskContext } from './task-context.js';
import type { TaskOptions } from './task-options.js';

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
   * Deletes a task of this handler's queue (or of the `queue` among the options), so that it isn't
   * attempted again; an attempt in flight goes on.
   *
   * @param task its `taskId` as it was given to `.options()`, or what `.delay` answered
   * @returns whether there was one: false when it has ended or never was
   * @throws CloudTasksError
   */
  cancel(task: string | TaskRef): Promise<boolean>;

  /**
   * Has a task attempted at once, whatever its time, the queue's rate or a pause say.
   *
   * @param task as for `cancel`
   * @throws CloudTasksError NOT_FOUND when it has ended or never was
   */
  runNow(task: string | TaskRef): Promise<void>;
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
