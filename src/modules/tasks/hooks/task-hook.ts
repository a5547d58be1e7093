/** What an app hangs onto its tasks: before one is created, around its handler, after its outcome. */
import type { Type } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { DurationText } from '../../../foundation/duration.js';
import { invalidArgument } from '../../../engine/errors.js';
import type { TaskContext } from '../task-context.js';

/**
 * Each method may be left out. Those of `forRoot` come first, then the controller's, the handler's
 * and the call's, each in the order in which they are listed. `.options({ hooks })` knows only
 * `beforeCreate`: the handler may run in another process.
 */
export interface TaskHook {
  /**
   * Before a task is created, by `.delay` and by `TaskProducer`. What it returns changes the task;
   * the next hook sees it changed. What it throws is what the caller gets, and nothing is created.
   */
  beforeCreate?(draft: TaskDraft): TaskChanges | undefined | Promise<TaskChanges | undefined>;

  /**
   * Around a handler with its pipes, once for each attempt. Must call `next` once and return what
   * that does, or something in its place; what it throws is the handler's failure.
   */
  aroundHandler?(attempt: TaskAttempt, next: () => Promise<unknown>): Promise<unknown>;

  /**
   * After it is decided what becomes of an attempt, before that is answered. It can't change the
   * outcome: what it throws is logged.
   */
  afterOutcome?(outcome: TaskOutcome): void | Promise<void>;
}

/** A class that some module provides, or the hook itself. */
export type TaskHookOption = Type<TaskHook> | TaskHook;

/** A task that is about to be created. */
export interface TaskDraft {
  /** What is called, without its arguments: `POST /tasks/send-email`. */
  readonly callee: string;
  /** With the arguments; of `TaskProducer.http` a whole URL. */
  readonly path: string;
  /** The queue's id. */
  readonly queue: string;
  /** Undefined where Cloud Tasks gives it one, or a rule does. */
  readonly taskId: string | undefined;
  /** By lower-case name, without those of this library. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** Headers are added to those that are there; all else takes the place of what is there. */
export interface TaskChanges {
  readonly queue?: string | undefined;
  readonly taskId?: string | undefined;
  readonly countdown?: DurationText | undefined;
  readonly scheduleTime?: Date | undefined;
  readonly dispatchDeadline?: DurationText | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Of the same content type. */
  readonly body?: Uint8Array | undefined;
}

/** A verified delivery that reaches its handler. */
export interface TaskAttempt {
  /** `EmailTasks.send` */
  readonly handler: string;
  readonly task: TaskContext;
  readonly headers: Readonly<IncomingHttpHeaders>;
}

/** What became of an attempt. */
export interface TaskOutcome {
  /** `EmailTasks.send`; undefined for a path that no handler has. */
  readonly handler: string | undefined;
  /** Known also where guard or body parser let nothing through. */
  readonly task: Pick<TaskContext, 'queue' | 'taskId' | 'retryCount'>;
  /**
   * `succeeded`; `failed`, so that the queue tries again; `rescheduled` by `RetryLater`; or
   * `dead-lettered`, so that nobody tries again unless it is redriven.
   */
  readonly kind: 'succeeded' | 'failed' | 'rescheduled' | 'dead-lettered';
  /** What the handler, a pipe, a guard, the body parser or a hook threw, if anything. */
  readonly error: unknown;
}

const METHODS = ['beforeCreate', 'aroundHandler', 'afterOutcome'] as const;

/** @throws CloudTasksError INVALID_ARGUMENT for what can be no hook */
export function readHooks(hooks: unknown): readonly TaskHookOption[] {
  if (!Array.isArray(hooks)) {
    throw invalidArgument(`hooks: expected a list of hooks, got ${typeof hooks}.`, 'hooks');
  }
  for (const [index, hook] of (hooks as unknown[]).entries()) {
    if (typeof hook === 'function' || isHook(hook)) continue;
    throw invalidArgument(
      `hooks[${index}]: expected a class, or an object with ${METHODS.join(', ')}, got ${typeof hook}.`,
      `hooks[${index}]`,
    );
  }
  return Object.freeze([...(hooks as TaskHookOption[])]);
}

function isHook(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    METHODS.some((name) => typeof (value as TaskHook)[name] === 'function')
  );
}
