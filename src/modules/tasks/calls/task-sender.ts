/** Makes a task of a call and creates it: its name, its time, its size, what a duplicate means. */
import { Inject, Injectable } from '@nestjs/common';
import type { CloudTasksApi, Task, TaskInput } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../engine/errors.js';
import type { Clock } from '../../../engine/ports.js';
import { shortId, taskName } from '../../../engine/resource-name.js';
import type { Duration, Instant } from '../../../engine/time.js';
import { MILLISECOND } from '../../../engine/time.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../../cloud-tasks/queue-backend.js';
import { lineageHeaders, newLineage } from '../../dead-letters/lineage.js';
import type { CalledTarget } from './handler-target.js';
import { HookChanges } from '../hooks/hook-changes.js';
import { HookRunner } from '../hooks/hook-runner.js';
import { firstAttempt } from './schedule-time.js';
import type { Identified } from './task-id.js';
import { idOf } from './task-id.js';
import { TaskFitting } from './task-fitting.js';
import type { BaseOptions } from '../task-options.js';
import type { TaskRef } from '../tasks.js';

/** A call that is to become a task. */
export interface OutgoingCall extends Identified {
  /** Waited for within the `createTimeout`, since it may wait until the app listens. */
  target(): Promise<CalledTarget>;
  /** Whether a handler of ours receives it, so that a large body may be kept apart from the task. */
  readonly isOurs?: boolean;
  /** Says which of the arguments is the largest, for an error about the size of all. */
  largest(part: 'url' | 'body'): string;
}

/** A call after its hooks, with what is decided of its task. */
interface Draft {
  readonly call: OutgoingCall;
  readonly changes: HookChanges;
  readonly options: BaseOptions;
  /** The queue's full name. */
  readonly queue: string;
  readonly now: Instant;
  /** The task's full name; absent, the backend makes one. */
  readonly name: string | undefined;
  readonly scheduleTime: Instant | undefined;
  /** When the first attempt is. */
  readonly due: Instant;
}

@Injectable()
export class TaskSender {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    private readonly backend: QueueBackend,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly fitting: TaskFitting,
    private readonly hooks: HookRunner,
  ) {}

  /** @throws CloudTasksError */
  async send(call: OutgoingCall, asked: BaseOptions): Promise<TaskRef> {
    const draft = await this.draft(call, asked);
    const { options, name, due } = draft;
    try {
      const created = await this.carryOut(draft);
      return refOf(created.name, options.queue, created.scheduleTime);
    } catch (error) {
      const ignored = options.onDuplicate === 'ignore' && name !== undefined;
      if (!ignored || !(error instanceof CloudTasksError) || error.code !== 'ALREADY_EXISTS') {
        throw error;
      }
      return { ...refOf(name, options.queue, due), duplicate: true };
    }
  }

  /**
   * The same for whoever wants to know all of the task: a duplicate is always an error.
   *
   * @throws CloudTasksError
   */
  async create(call: OutgoingCall, asked: BaseOptions): Promise<Task> {
    return this.carryOut(await this.draft(call, asked));
  }

  private async draft(call: OutgoingCall, asked: BaseOptions): Promise<Draft> {
    const changes = new HookChanges(call, asked);
    await this.hooks.beforeCreate(asked.hooks, changes);
    const { options } = changes;
    const { taskId } = options;
    const queue = this.backend.queueName(options.queue);
    const now = this.clock.now();
    const scheduleTime = firstAttempt(options.when, now);
    const name = taskId === undefined ? undefined : taskName(queue, idOf(taskId, call, now));
    return { call, changes, options, queue, now, name, scheduleTime, due: scheduleTime ?? now };
  }

  private carryOut(draft: Draft): Promise<Task> {
    const { call, changes, options, queue, now, name, scheduleTime, due } = draft;
    return this.within(options.createTimeout, async () => {
      const task: TaskInput = {
        ...(name === undefined ? {} : { name }),
        ...withLineage(changes.apply(await call.target()), call, due),
        ...(scheduleTime === undefined ? {} : { scheduleTime }),
        ...(options.dispatchDeadline === undefined
          ? {}
          : { dispatchDeadline: options.dispatchDeadline }),
      };
      const { isOurs = false } = call;
      const fitting = await this.fitting.fit(task, {
        queue,
        now,
        isOurs,
        largest: (part) => call.largest(part),
      });
      return this.api.createTask({ parent: queue, task: fitting });
    });
  }

  private async within<Result>(
    limit: Duration | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    if (limit === undefined) return work();
    const late = Promise.withResolvers<never>();
    const timer = this.clock.after(limit, () => {
      const message = `createTimeout: no answer within ${limit / MILLISECOND} ms; the task may have been created.`;
      late.reject(new CloudTasksError('DEADLINE_EXCEEDED', message, { field: 'createTimeout' }));
    });
    try {
      return await Promise.race([work(), late.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/** What a handler of ours receives belongs to a piece of work of its own. */
function withLineage(
  { httpRequest, appEngineHttpRequest }: CalledTarget,
  { isOurs = false }: OutgoingCall,
  firstAttempt: Instant,
): CalledTarget {
  const headers = isOurs ? lineageHeaders(newLineage(firstAttempt)) : {};
  return {
    ...(httpRequest
      ? { httpRequest: { ...httpRequest, headers: { ...httpRequest.headers, ...headers } } }
      : {}),
    ...(appEngineHttpRequest
      ? {
          appEngineHttpRequest: {
            ...appEngineHttpRequest,
            headers: { ...appEngineHttpRequest.headers, ...headers },
          },
        }
      : {}),
  };
}

function refOf(name: string, queue: string, scheduleTime: Instant): TaskRef {
  return {
    name,
    queue,
    taskId: shortId(name),
    scheduleTime: new Date(scheduleTime / MILLISECOND),
  };
}
