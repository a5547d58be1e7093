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
  /** When the first attempt is due. */
  readonly scheduleTime: Date;
}

/**
 * The handlers of a controller as delayed calls: `tasks.send.delay(email)` makes a task whose
 * delivery calls `send(email)`.
 */
export type Tasks<Controller> = {
  readonly [
    Method in keyof Controller as Controller[Method] extends Handler ? Method : never
  ]: Controller[Method] extends Handler ? Delayable<HandlerArguments<Controller[Method]>> : never;
};

/** A value of the same name, since decorator metadata of `tasks: Tasks<EmailTasks>` names one. */
export const Tasks = Object;

export interface Delayable<Arguments extends readonly unknown[]> extends Delayed<Arguments> {
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
