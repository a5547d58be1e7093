/** Puts another task in the place of one that is delivered: a successor, or a dead letter. */
import type { CloudTasksApi, Task } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import { taskName } from '../../engine/resource-name.js';
import type { Instant } from '../../engine/time.js';
import { deadLetterQueue } from '../../foundation/dead-letter-queue.js';
import type { Epitaph } from './dead-letter.js';
import { deadLetterHeader, withoutDeadLetter } from './dead-letter.js';
import type { DeliveredTask } from './delivered-task.js';
import type { Lineage } from './lineage.js';
import {
  hasUid,
  hopTaskId,
  lineageHeaders,
  parkedTaskId,
  successor,
  uidOfName,
  withoutLineage,
} from './lineage.js';
import { nextTask } from './next-task.js';

/** The headers of a task that takes another's place, with its payload where that is kept apart. */
export type CarryOn = (
  headers: Readonly<Record<string, string>>,
) => Promise<Record<string, string>>;

export class TaskSuccession {
  constructor(
    private readonly api: CloudTasksApi,
    /** Full name of a queue by its id. */
    private readonly queueName: (id: string) => string,
    private readonly carryOn: CarryOn,
  ) {}

  /**
   * Creates the task that is tried at that instant, just once for each hop.
   *
   * @throws CloudTasksError
   */
  async later(delivered: DeliveredTask, at: Instant): Promise<void> {
    const current = await this.read(delivered);
    const next = successor(lineageOfReused(delivered.lineage, current), delivered.ownRetries + 1);
    const parent = this.queueName(delivered.queue);
    const task = await nextTask(current, async (headers) => ({
      ...(await this.carryOn(withoutLineage(withoutDeadLetter(headers)))),
      ...lineageHeaders(next),
    }));
    await createOnce(this.api, parent, {
      ...task,
      name: taskName(parent, hopTaskId(next)),
      scheduleTime: at,
    });
  }

  /**
   * Parks the task beside its queue, just once.
   *
   * @throws CloudTasksError
   */
  async park(
    delivered: DeliveredTask,
    why: Pick<Epitaph, 'reason' | 'message' | 'attempts' | 'diedAt'>,
  ): Promise<void> {
    const { queue, taskId, previousResponse } = delivered;
    const current = await this.read(delivered);
    const lineage = lineageOfReused(delivered.lineage, current);
    const parent = this.queueName(deadLetterQueue(queue));
    const epitaph: Epitaph = {
      ...why,
      queue,
      taskId,
      renewals: 0,
      ...(previousResponse === undefined ? {} : { lastError: lastError(previousResponse) }),
    };
    const task = await nextTask(current, async (headers) => ({
      ...(await this.carryOn(withoutLineage(withoutDeadLetter(headers)))),
      ...lineageHeaders(lineage),
      ...deadLetterHeader(epitaph),
    }));
    await createOnce(this.api, parent, { ...task, name: taskName(parent, parkedTaskId(lineage)) });
  }

  /** The task as it was created: what a delivery shows has been through proxies. */
  private read({ queue, taskId }: DeliveredTask): Promise<Task> {
    const name = taskName(this.queueName(queue), taskId);
    return this.api.getTask({ name, responseView: 'FULL' });
  }
}

/** Its name says what it is for, so one that is there already is what is wanted. */
export async function createOnce(
  api: CloudTasksApi,
  parent: string,
  task: Parameters<CloudTasksApi['createTask']>[0]['task'],
): Promise<void> {
  try {
    await api.createTask({ parent, task });
  } catch (error) {
    if (!(error instanceof CloudTasksError && error.code === 'ALREADY_EXISTS')) throw error;
  }
}

/**
 * A name that somebody else gave may be given again, to a task of another day: when it was created
 * tells the two apart, or the second one's dead letter would be taken for the first one's.
 */
function lineageOfReused(lineage: Lineage, { createTime, ...task }: Task): Lineage {
  const { headers = {} } = task.httpRequest ?? task.appEngineHttpRequest ?? {};
  if (hasUid(headers)) return lineage;
  return { ...lineage, uid: uidOfName(lineage.uid, String(createTime)), firstAttempt: createTime };
}

function lastError(status: number): string {
  return status === 0
    ? 'the attempt before got no answer'
    : `the attempt before was answered ${status}`;
}
