/** The dead letters of all queues: listed, shown, redriven, discarded, exported, kept from ageing. */
import { deadLetterQueue, isDeadLetterQueue } from '../../foundation/dead-letter-queue.js';
import type { CloudTasksApi, Task } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import { shortId, taskName } from '../../engine/resource-name.js';
import type { Duration } from '../../engine/time.js';
import { DAY } from '../../engine/time.js';
import type { Clock } from '../../engine/ports.js';
import { PAYLOAD_HEADER } from '../payloads/payload-reference.js';
import type { DeadLetter } from './dead-letter.js';
import { deadLetterHeader, readDeadLetter, withoutDeadLetter } from './dead-letter.js';
import { hopTaskId, lineageHeaders, parkedTaskId, redriven, withoutLineage } from './lineage.js';
import { nextTask } from './next-task.js';
import type { CarryOn } from './task-succession.js';
import { createOnce } from './task-succession.js';

/** Which dead letters are meant; those that fit everything that is said. */
export interface DeadLetterFilter {
  /** Id of the queue that they come from. Default: all queues. */
  readonly queue?: string | undefined;
  /** Id or full name of the parked task, or id of the task that it was. */
  readonly task?: string | undefined;
  /** A kind such as `exhausted`, or any part of the message. */
  readonly reason?: string | undefined;
}

export interface DeadLetterContent extends DeadLetter {
  /** Of the request, without those that keep account of the dead letter. */
  readonly headers: Readonly<Record<string, string>>;
  /** Also where it is kept apart from the task. */
  readonly body: Uint8Array;
  /** Why `body` is empty though the task has one: what keeps it doesn't have it, or is out of reach. */
  readonly bodyError?: string;
}

/** Bodies that are kept apart from their tasks. */
export interface KeptBodies {
  readonly carryOn: CarryOn;
  /** Undefined for a task that has its body itself; rejects where it can't be had. */
  bodyOf(headers: Readonly<Record<string, string>>): Promise<Uint8Array | undefined>;
}

const NONE_KEPT: KeptBodies = {
  carryOn: (headers) => Promise.resolve({ ...headers }),
  bodyOf: (headers) =>
    headers[PAYLOAD_HEADER] === undefined
      ? Promise.resolve(undefined)
      : Promise.reject(new Error('It is kept apart, and no payload store is named.')),
};

/** What became of one. */
export interface DeadLetterResult {
  readonly letter: DeadLetter;
  /** Absent when it was done. */
  readonly error?: CloudTasksError;
}

/** Parked anew this long before Cloud Tasks would delete it. */
const RENEW_BEFORE: Duration = 7 * DAY;

export class DeadLetters {
  constructor(
    private readonly api: CloudTasksApi,
    /** Full name of the location of the queues. */
    private readonly location: string,
    private readonly clock: Clock,
    private readonly kept: KeptBodies = NONE_KEPT,
    /** Throws for a task that isn't ours to make anew: what is made of it would be taken for ours. */
    private readonly checkSeal: (task: Task) => void = () => undefined,
  ) {}

  /**
   * In order of their queues. Read a page at a time, so any number fits into memory.
   *
   * @throws CloudTasksError
   */
  async *list(filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetter> {
    for await (const { letter } of this.parked(filter, 'BASIC')) yield letter;
  }

  /**
   * With headers and body.
   *
   * @throws CloudTasksError
   */
  async *export(filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetterContent> {
    for await (const { letter, task } of this.parked(filter, 'FULL')) {
      yield { ...letter, ...(await this.contentOf(task)) };
    }
  }

  /** @throws CloudTasksError NOT_FOUND, also when several tasks fit that are not the same one */
  async show(task: string, queue?: string): Promise<DeadLetterContent> {
    const found: DeadLetter[] = [];
    for await (const letter of this.list({ task, queue })) found.push(letter);
    const [letter, ...others] = found;
    if (!letter) throw new CloudTasksError('NOT_FOUND', `No dead letter is called ${task}.`);
    if (others.length > 0) {
      const names = found.map(({ name }) => name).join(', ');
      throw invalidArgument(`task: expected the name of one, got that of ${names}.`, 'task');
    }
    const full = await this.api.getTask({ name: letter.name, responseView: 'FULL' });
    return { ...letter, ...(await this.contentOf(full)) };
  }

  /**
   * Makes tasks of them again: the same path, headers and body, attempts counted from the start.
   * Cut off half way it can be run again: the new task's name follows from the old one's.
   */
  async *redrive(filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetterResult> {
    yield* this.each(filter, async (letter) => {
      const parked = await this.parkedByUs(letter);
      const lineage = redriven(letter.lineage);
      const parent = this.queueName(letter.queue);
      const task = await nextTask(parked, async (headers) => ({
        ...(await this.kept.carryOn(withoutLineage(withoutDeadLetter(headers)))),
        ...lineageHeaders(lineage),
      }));
      await createOnce(this.api, parent, { ...task, name: taskName(parent, hopTaskId(lineage)) });
      await this.remove(letter.name);
    });
  }

  /** Deletes them, for good. */
  async *discard(filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetterResult> {
    yield* this.each(filter, (letter) => this.remove(letter.name));
  }

  /**
   * Parks anew those that Cloud Tasks would delete within a week, since no task gets older than 31
   * days. Safe to run at any time, and at the same time in several processes.
   */
  async *renew(): AsyncGenerator<DeadLetterResult> {
    const due = ({ expiresAt }: DeadLetter) => expiresAt - this.clock.now() <= RENEW_BEFORE;
    yield* this.each(
      {},
      async (letter) => {
        const parked = await this.parkedByUs(letter);
        const parent = this.queueName(deadLetterQueue(letter.queue));
        const renewals = letter.renewals + 1;
        const task = await nextTask(parked, async (headers) => ({
          ...(await this.kept.carryOn(withoutDeadLetter(headers))),
          ...deadLetterHeader({ ...epitaph(letter), renewals }),
        }));
        const name = taskName(parent, `${parkedTaskId(letter.lineage)}-p${renewals}`);
        await createOnce(this.api, parent, { ...task, name });
        await this.remove(letter.name);
      },
      due,
    );
  }

  private async contentOf({ httpRequest, appEngineHttpRequest }: Task) {
    const request = httpRequest ?? appEngineHttpRequest;
    const headers = withoutLineage(withoutDeadLetter(request?.headers ?? {}));
    const own = request?.body ?? new Uint8Array();
    try {
      return { headers, body: (await this.kept.bodyOf(headers)) ?? own };
    } catch (error) {
      return { headers, body: own, bodyError: String(error) };
    }
  }

  private async *each(
    filter: DeadLetterFilter,
    work: (letter: DeadLetter) => Promise<void>,
    isMeant: (letter: DeadLetter) => boolean = () => true,
  ): AsyncGenerator<DeadLetterResult> {
    // Read whole before the first is taken away: a page's token means nothing in another list.
    const letters: DeadLetter[] = [];
    for await (const letter of this.list(filter)) if (isMeant(letter)) letters.push(letter);
    for (const letter of letters) {
      try {
        await work(letter);
        yield { letter };
      } catch (error) {
        if (!(error instanceof CloudTasksError)) throw error;
        // Somebody else was at it, and has done it.
        yield error.code === 'NOT_FOUND' && !(await this.isThere(letter.name))
          ? { letter }
          : { letter, error };
      }
    }
  }

  private async *parked(
    { queue, task, reason }: DeadLetterFilter,
    responseView: 'BASIC' | 'FULL',
  ): AsyncGenerator<{ letter: DeadLetter; task: Task }> {
    const queues = queue === undefined ? this.queues() : [this.queueName(deadLetterQueue(queue))];
    for await (const parent of queues) {
      for await (const parked of this.tasks(parent, responseView)) {
        const letter = readDeadLetter(parked);
        if (letter && fits(letter, task, reason)) yield { letter, task: parked };
      }
    }
  }

  private async *queues(): AsyncGenerator<string> {
    for (let pageToken: string | undefined = ''; pageToken !== undefined;) {
      const page = await this.api.listQueues({
        parent: this.location,
        ...(pageToken === '' ? {} : { pageToken }),
      });
      for (const { name } of page.queues) if (isDeadLetterQueue(shortId(name))) yield name;
      pageToken = page.nextPageToken || undefined;
    }
  }

  private async *tasks(parent: string, responseView: 'BASIC' | 'FULL'): AsyncGenerator<Task> {
    for (let pageToken: string | undefined = ''; pageToken !== undefined;) {
      const page = await this.api.listTasks({
        parent,
        responseView,
        // Bodies have up to 1 MB each.
        pageSize: responseView === 'FULL' ? 20 : 1000,
        ...(pageToken === '' ? {} : { pageToken }),
      });
      yield* page.tasks;
      pageToken = page.nextPageToken || undefined;
    }
  }

  private async parkedByUs({ name }: DeadLetter): Promise<Task> {
    const task = await this.api.getTask({ name, responseView: 'FULL' });
    this.checkSeal(task);
    return task;
  }

  private async remove(name: string): Promise<void> {
    try {
      await this.api.deleteTask({ name });
    } catch (error) {
      if (!(error instanceof CloudTasksError && error.code === 'NOT_FOUND')) throw error;
    }
  }

  private async isThere(name: string): Promise<boolean> {
    try {
      await this.api.getTask({ name });
      return true;
    } catch (error) {
      return !(error instanceof CloudTasksError && error.code === 'NOT_FOUND');
    }
  }

  private queueName(id: string): string {
    return `${this.location}/queues/${id}`;
  }
}

function fits(letter: DeadLetter, task: string | undefined, reason: string | undefined): boolean {
  const names = [letter.name, shortId(letter.name), letter.taskId];
  if (task !== undefined && !names.includes(task)) return false;
  return reason === undefined || letter.reason === reason || letter.message.includes(reason);
}

function epitaph(letter: DeadLetter) {
  const { name: _, lineage: __, method: ___, url: ____, expiresAt: _____, ...rest } = letter;
  return rest;
}
