/** Lists the tasks that wait, in a user's own words: no microseconds, no bytes. */
import type { CloudTasksApi, Queue, Task } from '../engine/cloud-tasks-api.js';
import { parseTaskName, shortId } from '../engine/resource-name.js';
import { MILLISECOND } from '../engine/time.js';
import type { HandlerNames } from './handler-names.js';

/** A task that waits. */
export interface WaitingTask {
  /** Full name. */
  readonly name: string;
  /** The queue's id. */
  readonly queue: string;
  readonly taskId: string;
  /** `EmailTasks.send`; `POST /path` of a route that is no handler, `POST https://…` elsewhere. */
  readonly handler: string;
  /** The body: JSON as its value, other text as a string, none as undefined. */
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  /** When the next attempt is due. */
  readonly scheduledAt: Date;
  /** How many there were. */
  readonly attempts: number;
}

/** How many tasks are read at a time. */
const PAGE = 1000;

export class WaitingTasks {
  /** @param location full name: `projects/local/locations/us-central1` */
  constructor(
    private readonly api: CloudTasksApi,
    private readonly location: string,
    private readonly names: HandlerNames,
  ) {}

  /** Of the queues that are wanted, the next one due first. */
  async list(isWanted: (queueId: string, queue: Queue) => boolean): Promise<WaitingTask[]> {
    const { queues } = await this.api.listQueues({ parent: this.location });
    const found: WaitingTask[] = [];
    for (const queue of queues) {
      if (!isWanted(shortId(queue.name), queue)) continue;
      for await (const task of this.tasksOf(queue.name)) found.push(this.read(task));
    }
    return found.sort((one, other) => one.scheduledAt.getTime() - other.scheduledAt.getTime());
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

  private read(task: Task): WaitingTask {
    const { name, httpRequest, appEngineHttpRequest, scheduleTime, dispatchCount } = task;
    const { headers = {}, body } = httpRequest ?? appEngineHttpRequest ?? {};
    const { queue, id } = parseTaskName(name, 'name');
    return {
      name,
      queue: shortId(queue),
      taskId: id,
      handler: this.names.ofTask(task),
      payload: body && readBody(body, headers),
      headers,
      scheduledAt: new Date(scheduleTime / MILLISECOND),
      attempts: dispatchCount,
    };
  }
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
