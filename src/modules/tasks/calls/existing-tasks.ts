/** What can be done with a task after its create: cancel it, or have it attempted at once. */
import { Inject, Injectable } from '@nestjs/common';
import type { CloudTasksApi } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import { taskName } from '../../../engine/resource-name.js';
import { CLOUD_TASKS, QueueBackend } from '../../cloud-tasks/queue-backend.js';
import { legalId, readTaskId } from './task-id.js';
import { TaskStatuses } from '../attempts/task-statuses.js';
import type { TaskRef } from '../tasks.js';

@Injectable()
export class ExistingTasks {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    private readonly backend: QueueBackend,
    private readonly statuses: TaskStatuses,
  ) {}

  /** @returns false when there is none: it has ended, or never was */
  async cancel(task: string | TaskRef, queue: string): Promise<boolean> {
    try {
      await this.onTask(this.nameOf(task, queue), (name) => this.api.deleteTask({ name }));
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async runNow(task: string | TaskRef, queue: string): Promise<void> {
    await this.onTask(this.nameOf(task, queue), (name) => this.api.runTask({ name }));
  }

  /** What has ended may have left its work to another task, which is meant then. */
  private async onTask(name: string, act: (name: string) => Promise<unknown>): Promise<void> {
    try {
      await act(name);
    } catch (error) {
      const successor = isNotFound(error) ? await this.statuses.successorOf(name) : undefined;
      if (successor === undefined) throw error;
      await act(successor);
    }
  }

  /**
   * The full name of a task.
   *
   * @param task its id as it was given, its full name, or what its create answered
   * @throws CloudTasksError INVALID_ARGUMENT
   */
  nameOf(task: string | TaskRef, queue: string): string {
    if (typeof task === 'object' && typeof task.name === 'string') return task.name;
    const id = readTaskId(task);
    if (typeof id !== 'string') {
      throw invalidArgument('taskId: expected a text or what .delay answered.', 'taskId');
    }
    if (id.startsWith(`${this.backend.location}/queues/`)) return id;
    return taskName(this.backend.queueName(queue), legalId(id));
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof CloudTasksError && error.code === 'NOT_FOUND';
}
