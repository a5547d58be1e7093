/** Tells what has become of a task: by its queue while it is there, by the journal afterwards. */
import { Inject, Injectable } from '@nestjs/common';
import type { CloudTasksApi, Task } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../engine/errors.js';
import { shortId, taskName } from '../../../engine/resource-name.js';
import { MILLISECOND } from '../../../engine/time.js';
import { CLOUD_TASKS, QueueBackend } from '../../cloud-tasks/queue-backend.js';
import { hopTaskId } from '../../dead-letters/lineage.js';
import { OutcomeNotes } from '../../journal/outcome-notes.js';
import type { OutcomeRecord } from './outcome-records.js';
import { lineageKey, readRecord, taskKey } from './outcome-records.js';

/** `failed`: its last attempt; while there is a `scheduleTime`, another one follows. */
export type TaskState = 'scheduled' | 'running' | 'succeeded' | 'failed' | 'dead-lettered';

export interface TaskStatus {
  readonly state: TaskState;
  /** The queue's id. */
  readonly queue: string;
  readonly taskId: string;
  /** How many were made, one that is being made included. */
  readonly attempts: number;
  /** When the next attempt is due. */
  readonly scheduleTime?: Date;
  /** When the last attempt ended. */
  readonly endTime?: Date;
  /** Why the last attempt failed. */
  readonly reason?: string;
  /** What the handler returned, where it keeps that. */
  readonly result?: unknown;
}

type Found = Omit<TaskStatus, 'queue' | 'taskId'>;

@Injectable()
export class TaskStatuses {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    private readonly backend: QueueBackend,
    private readonly notes: OutcomeNotes,
  ) {}

  /**
   * @param name full name
   * @throws CloudTasksError NOT_FOUND for a task that never was, or that ended too long ago
   */
  async of(name: string): Promise<TaskStatus> {
    const [parent = ''] = name.split('/tasks/');
    const queue = shortId(parent);
    // First the queue: a task that ends meanwhile is noted before it leaves.
    const task = await this.find(name);
    const record = readRecord(await this.notes.read(taskKey(name)));
    const found = task ? waiting(task, record) : record && (await this.ended(queue, record));
    if (found) return { queue, taskId: shortId(name), ...found };
    const why = this.notes.kept
      ? 'it never was, or ended too long ago'
      : 'those that ended are remembered where STORE_URL names a store';
    throw new CloudTasksError('NOT_FOUND', `Queue ${queue} has no task ${shortId(name)}: ${why}.`, {
      field: 'id',
    });
  }

  /**
   * The task that goes on with the work of one that has ended.
   *
   * @param name full name of the one that has ended
   * @returns undefined where none goes on, or nothing was noted
   */
  async successorOf(name: string): Promise<string | undefined> {
    const record = readRecord(await this.notes.read(taskKey(name)));
    const [parent = ''] = name.split('/tasks/');
    return record && (await this.next(shortId(parent), await this.lastOf(record)))?.name;
  }

  /** What its lineage came to; the task itself may have left its work to another. */
  private async ended(queue: string, first: OutcomeRecord): Promise<Found> {
    const last = await this.lastOf(first);
    const successor = await this.next(queue, last);
    return successor ? waiting(successor, last, last.attempts) : outcome(last);
  }

  private async lastOf(first: OutcomeRecord): Promise<OutcomeRecord> {
    const later = readRecord(await this.notes.read(lineageKey(this.backend.location, first.uid)));
    return later && later.hop > first.hop ? later : first;
  }

  /** Also of a dead letter, which may have been redriven. */
  private async next(queue: string, { state, uid, hop }: OutcomeRecord): Promise<Task | undefined> {
    if (state === 'succeeded') return undefined;
    const id = hopTaskId({ uid, hop: hop + 1 });
    return this.find(taskName(this.backend.queueName(queue), id));
  }

  private async find(name: string): Promise<Task | undefined> {
    try {
      return await this.api.getTask({ name });
    } catch (error) {
      if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }
}

/** @param earlier attempts of the tasks before it */
function waiting(task: Task, record: OutcomeRecord | undefined, earlier = 0): Found {
  const { scheduleTime, dispatchCount, lastAttempt } = task;
  const attempts = earlier + dispatchCount;
  // A response puts the schedule time off to the next attempt.
  const inFlight =
    lastAttempt !== undefined &&
    lastAttempt.responseTime === undefined &&
    scheduleTime <= (lastAttempt.dispatchTime ?? -Infinity);
  // Another delivery of the same work has it.
  if (inFlight || record?.state === 'running') return { state: 'running', attempts };
  const { responseTime, responseStatus } = lastAttempt ?? {};
  const reason = record?.reason ?? responseStatus?.message;
  const endTime = responseTime ?? record?.at;
  return {
    state: attempts > 0 ? 'failed' : 'scheduled',
    attempts,
    scheduleTime: date(scheduleTime),
    ...(attempts > 0 && endTime !== undefined ? { endTime: date(endTime) } : {}),
    ...(attempts > 0 && reason !== undefined ? { reason } : {}),
  };
}

function outcome({ state, attempts, at, reason, result }: OutcomeRecord): Found {
  return {
    state,
    attempts,
    endTime: date(at),
    ...(reason === undefined ? {} : { reason }),
    ...(result === undefined ? {} : { result }),
  };
}

function date(instant: number): Date {
  return new Date(instant / MILLISECOND);
}
