/** Tells what has become of a relayed call. */
import { Injectable } from '@nestjs/common';
import { CloudTasksError } from '../../engine/errors.js';
import type { Instant } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import type { TaskStatus } from '../tasks/attempts/task-statuses.js';
import { TaskStatuses } from '../tasks/attempts/task-statuses.js';
import type { EndedRelay, FoundRelay } from './relay-records.js';
import { RelayRecords } from './relay-records.js';

/**
 * `accepted`: its task waits, for its first attempt or another one. `started`: an instance is at it.
 * `done`: the target has answered well. `reported`: and its callback is on its way. `dead`: given up,
 * a dead letter has the task. `cancelled`.
 */
export type RelayState = 'accepted' | 'started' | 'done' | 'reported' | 'dead' | 'cancelled';

/** What is known of a call; what isn't is left out. */
export interface RelayRecord {
  readonly id: string;
  readonly state: RelayState;
  /** Calls that were begun. */
  readonly attempts: number;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  /** While it is `started`: which instance is at it, and until when nobody else may be. */
  readonly instance?: string;
  readonly leaseUntil?: Date;
  /** When the next attempt is due. */
  readonly scheduleTime?: Date;
  /** Of a dead letter. */
  readonly reason?: string;
  readonly message?: string;
  /** What the target answered last. */
  readonly answer?: EndedRelay['answer'];
}

/** A call that was asked for, and of whose end, if it has ended, something is remembered. */
export type SeenRelay =
  | Exclude<FoundRelay, { kind: 'open' }>
  | { readonly kind: 'waiting'; readonly task: TaskStatus; readonly redrive: number };

@Injectable()
export class RelayStatuses {
  constructor(
    private readonly records: RelayRecords,
    private readonly tasks: TaskStatuses,
  ) {}

  /** Who asked for it, where that wasn't the app's own code. */
  async ownerOf(id: string): Promise<string | undefined> {
    return (await this.records.asked(id))?.owner;
  }

  /** @throws CloudTasksError NOT_FOUND for a call that never was, or that ended too long ago */
  async of(id: string): Promise<RelayRecord> {
    const found = await this.look(id);
    if (found.kind === 'waiting') return accepted(id, found.task);
    if (found.kind === 'running') return running(id, found);
    const { ended, redrive } = found;
    const isReported = ended.state === 'done' && (await this.records.isReported(id, redrive));
    return shownEnd(id, ended, isReported);
  }

  /**
   * What the record says, and the queue where it may know more.
   *
   * @throws CloudTasksError NOT_FOUND as `of`
   */
  async look(id: string): Promise<SeenRelay> {
    const seen = await this.find(id);
    if (seen) return seen;
    throw new CloudTasksError('NOT_FOUND', 'There is no such call.', { field: 'id' });
  }

  async isKnown(id: string): Promise<boolean> {
    return (await this.find(id)) !== undefined;
  }

  private async find(id: string): Promise<SeenRelay | undefined> {
    const found = await this.records.find(id);
    const isDead = found.kind === 'ended' && found.ended.state === 'dead';
    if (found.kind !== 'open' && !isDead) return found;
    const task = await this.waiting(id);
    if (isDead) {
      // Redriven, and not begun again.
      if (task?.scheduleTime) return { kind: 'waiting', task, redrive: found.redrive + 1 };
      return found;
    }
    if (task) return { kind: 'waiting', task, redrive: found.redrive };
    // Between the two it may have been carried out.
    const now = await this.records.find(id);
    return now.kind === 'open' ? undefined : now;
  }

  private async waiting(id: string): Promise<TaskStatus | undefined> {
    const asked = await this.records.asked(id);
    if (asked?.task === undefined) return undefined;
    try {
      const status = await this.tasks.of(asked.task);
      // What is remembered of a task that has ended may outlive what is of its call.
      const isThere = status.scheduleTime !== undefined || status.state === 'running';
      return isThere ? status : undefined;
    } catch (error) {
      if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }
}

function running(id: string, { running }: Extract<FoundRelay, { kind: 'running' }>): RelayRecord {
  const { attempts = 0, startedAt, instance, until } = running;
  return {
    id,
    state: 'started',
    attempts,
    ...(startedAt === undefined ? {} : { startedAt: date(startedAt) }),
    ...(instance === undefined ? {} : { instance }),
    leaseUntil: date(until),
  };
}

function accepted(id: string, { attempts, scheduleTime, reason }: TaskStatus): RelayRecord {
  return {
    id,
    state: 'accepted',
    attempts,
    ...(scheduleTime === undefined ? {} : { scheduleTime }),
    ...(reason === undefined ? {} : { message: reason }),
  };
}

export function shownEnd(id: string, ended: EndedRelay, isReported: boolean): RelayRecord {
  const { state, attempts, endedAt, reason, message, answer } = ended;
  return {
    id,
    state: isReported ? 'reported' : state,
    attempts,
    endedAt: date(endedAt),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(answer === undefined ? {} : { answer }),
  };
}

function date(instant: Instant): Date {
  return new Date(instant / MILLISECOND);
}
