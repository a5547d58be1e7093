/** Makes the task of a request for a handler of ours: of a body as it is, not of a method's arguments. */
import { Inject, Injectable } from '@nestjs/common';
import type { CloudTasksApi, Task, TaskInput } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../engine/errors.js';
import type { Clock } from '../../../engine/ports.js';
import { taskName } from '../../../engine/resource-name.js';
import type { Instant } from '../../../engine/time.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../../cloud-tasks/queue-backend.js';
import type { BaseOptions } from '../task-options.js';
import { HandlerTarget } from './handler-target.js';
import type { RebuiltRequest } from './rebuilt-request.js';
import type { OutgoingCall } from './task-sender.js';
import { TaskSender } from './task-sender.js';

export interface HandlerWork extends Pick<RebuiltRequest, 'method' | 'callee' | 'path'> {
  readonly contentType: string;
  readonly body: string;
}

/** As the backend has it, or as it was asked for. */
export type EnqueuedAs = TaskInput & Pick<Task, 'name' | 'scheduleTime' | 'createTime'>;

@Injectable()
export class HandlerTasks {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly backend: QueueBackend,
    private readonly target: HandlerTarget,
    private readonly sender: TaskSender,
  ) {}

  /**
   * @param ownId an id of the task that only this very request can have: what has it already, this
   *   request made
   * @throws CloudTasksError
   */
  async create(
    { contentType, body, ...called }: HandlerWork,
    options: BaseOptions,
    ownId: string | undefined,
  ): Promise<EnqueuedAs> {
    const content = {
      ...called,
      headers: new Map([['content-type', contentType]]),
      // Not Buffer.from: its bytes may lie in a shared pool, which is copied whole between threads.
      body: new TextEncoder().encode(body),
      largest: () => '',
    };
    const call: OutgoingCall = {
      ...content,
      isOurs: true,
      target: () => this.target.of(content, options),
    };
    try {
      return await this.sender.create(call, options);
    } catch (error) {
      const isOwn = ownId !== undefined && options.taskId === ownId;
      const isThere = error instanceof CloudTasksError && error.code === 'ALREADY_EXISTS';
      if (!isOwn || !isThere) throw error;
      // Created, and then the process ended before it was recorded.
      const name = taskName(this.backend.queueName(options.queue), ownId);
      return madeBefore(this.api, { ...(await call.target()), name }, this.clock.now());
    }
  }
}

/** A task of this name was made before; by now it may have ended. */
export async function madeBefore(
  api: CloudTasksApi,
  task: TaskInput & { readonly name: string },
  now: Instant,
): Promise<EnqueuedAs> {
  try {
    return await api.getTask({ name: task.name });
  } catch (error) {
    if (!(error instanceof CloudTasksError && error.code === 'NOT_FOUND')) throw error;
    return { scheduleTime: now, createTime: now, ...task };
  }
}
