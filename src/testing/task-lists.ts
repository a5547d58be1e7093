/** Lists what waits and what was given up, in a user's own words: no microseconds, no bytes. */
import { isDeadLetterQueue } from '../foundation/dead-letter-queue.js';
import type { CloudTasksApi, Queue, Task } from '../engine/cloud-tasks-api.js';
import { parseTaskName, shortId } from '../engine/resource-name.js';
import type { Instant } from '../engine/time.js';
import { MILLISECOND } from '../engine/time.js';
import type { DeadReason } from '../modules/dead-letters/dead-letter.js';
import { readDeadLetter } from '../modules/dead-letters/dead-letter.js';
import type { HandlerNames } from './handler-names.js';

/** A task as it is kept. */
interface KeptTask {
  /** Full name. */
  readonly name: string;
  /** The queue's id; of a dead letter that of the queue that it was in. */
  readonly queue: string;
  readonly taskId: string;
  /** `EmailTasks.send`; `POST /path` of a route that is no handler, `POST https://…` elsewhere. */
  readonly handler: string;
  /** The body: JSON as its value, other text as a string, none as undefined. */
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  /** How many there were. */
  readonly attempts: number;
}

/** A task that waits. */
export interface WaitingTask extends KeptTask {
  /** When the next attempt is due. */
  readonly scheduledAt: Date;
}

/** A task that was given up. */
export interface DeadTask extends KeptTask {
  /** `permanent`, `refused`, `unreadable`, `exhausted`, `unknown-path`, or one of the relay's. */
  readonly reason: DeadReason;
  /** What the error said. */
  readonly message: string;
  readonly diedAt: Date;
}

/** How many tasks are read at a time. */
const PAGE = 1000;

export class TaskLists {
  /** @param location full name: `projects/local/locations/us-central1` */
  constructor(
    private readonly api: CloudTasksApi,
    private readonly location: string,
    private readonly names: HandlerNames,
  ) {}

  /** Of the queues that are wanted, the next one due first. */
  async waiting(isWanted: (queueId: string, queue: Queue) => boolean): Promise<WaitingTask[]> {
    const found: WaitingTask[] = [];
    for await (const task of this.tasks(isWanted)) {
      const { scheduleTime, dispatchCount: attempts } = task;
      found.push({ ...this.read(task), attempts, scheduledAt: dateOf(scheduleTime) });
    }
    return found.sort((one, other) => one.scheduledAt.getTime() - other.scheduledAt.getTime());
  }

  /** Whether there is a task in a queue that runs. */
  async anyWaits(): Promise<boolean> {
    const { queues } = await this.api.listQueues({
      parent: this.location,
      readMask: ['state', 'stats'],
    });
    return queues.some(({ state, stats }) => state === 'RUNNING' && (stats?.tasksCount ?? 0) > 0);
  }

  /** Those that died first come first. */
  async dead(): Promise<DeadTask[]> {
    const found: DeadTask[] = [];
    for await (const task of this.tasks(isDeadLetterQueue)) {
      const letter = readDeadLetter(task);
      if (!letter) continue;
      const { queue, taskId, reason, message, attempts, diedAt } = letter;
      const was = { queue, taskId, reason, message, attempts, diedAt: dateOf(diedAt) };
      found.push({ ...this.read(task), ...was });
    }
    return found.sort((one, other) => one.diedAt.getTime() - other.diedAt.getTime());
  }

  private async *tasks(isWanted: (queueId: string, queue: Queue) => boolean): AsyncGenerator<Task> {
    const { queues } = await this.api.listQueues({ parent: this.location });
    for (const queue of queues) {
      if (isWanted(shortId(queue.name), queue)) yield* this.tasksOf(queue.name);
    }
  }

  private async *tasksOf(parent: string): AsyncGenerator<Task> {
    let pageToken: string | undefined;
    do {
      const page = await this.api.listTasks({
        parent,
        responseView: 'FULL',
        pageSize: PAGE,
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      yield* page.tasks;
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  private read(task: Task): Omit<KeptTask, 'attempts'> {
    const { name, httpRequest, appEngineHttpRequest } = task;
    const { headers = {}, body } = httpRequest ?? appEngineHttpRequest ?? {};
    const { queue, id } = parseTaskName(name, 'name');
    const payload = body && readBody(body, headers);
    return {
      name,
      queue: shortId(queue),
      taskId: id,
      handler: this.names.ofTask(task),
      payload,
      headers,
    };
  }
}

function dateOf(instant: Instant): Date {
  return new Date(instant / MILLISECOND);
}

function readBody(body: Uint8Array, headers: Readonly<Record<string, string>>): unknown {
  const text = Buffer.from(body).toString();
  const [, type = ''] =
    Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type') ?? [];
  if (!/[/+]json\b/.test(type)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
