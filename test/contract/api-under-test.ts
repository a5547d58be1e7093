/** What the contract of CloudTasksApi is run on, and the words its tests are written in. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { CloudTasksApi, QueueInput, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import type { ErrorCode } from '../../src/engine/errors.js';
import type { Clock } from '../../src/engine/ports.js';
import type { Instant } from '../../src/engine/time.js';

/**
 * An implementation, empty and open. Nothing here waits: queues are paused before they get tasks.
 * Where a task is run by force, its target must not answer, so that the task stays.
 */
export interface OpenApi {
  readonly api: CloudTasksApi;
  /** What it takes for the time; absent, that is the machine's. */
  readonly clock?: Pick<Clock, 'now'>;
  close(): Promise<void>;
}

export interface Implementation {
  readonly name: string;
  open(): Promise<OpenApi>;
}

export const URL = 'https://example.com/work?id=1';

/** One implementation, opened once for a file of tests; every test takes names of its own. */
export class ApiUnderTest {
  private opened: OpenApi | undefined;
  private names = 0;

  constructor(implementation: Implementation) {
    beforeAll(async () => {
      this.opened = await implementation.open();
    });
    afterAll(() => this.opened?.close());
  }

  get api(): CloudTasksApi {
    if (!this.opened) throw new Error('Opened before all tests.');
    return this.opened.api;
  }

  now(): Instant {
    return this.opened?.clock?.now() ?? Date.now() * 1000;
  }

  /** A location that no other test uses. */
  location(): string {
    return `projects/demo/locations/here-${++this.names}`;
  }

  /** A queue's name that no other test uses. */
  queueName(): string {
    return `${this.location()}/queues/work`;
  }

  /** A new queue that dispatches nothing. */
  async pausedQueue(settings: Omit<QueueInput, 'name'> = {}): Promise<string> {
    const name = this.queueName();
    await this.api.createQueue({ parent: parentOf(name), queue: { ...settings, name } });
    await this.api.pauseQueue({ name });
    return name;
  }

  /** A task in the queue, to {@link URL} unless told otherwise; gives its name. */
  async taskIn(queue: string, task: Partial<TaskInput> = {}): Promise<string> {
    const { name } = await this.api.createTask({
      parent: queue,
      task: { httpRequest: { url: URL }, ...task },
    });
    return name;
  }
}

/** The location of a queue. */
export function parentOf(queue: string): string {
  return queue.slice(0, queue.indexOf('/queues/'));
}

/**
 * Expects a verb to fail like this. The text is the API's own where the reference has recorded
 * it; the field is checked where it is given.
 */
export async function expectRefusal(
  call: Promise<unknown>,
  code: ErrorCode,
  message?: string | RegExp,
  field?: string,
): Promise<void> {
  const expected: Record<string, unknown> = { name: 'CloudTasksError', code };
  if (message !== undefined) {
    expected['message'] = typeof message === 'string' ? message : expect.stringMatching(message);
  }
  if (field !== undefined) expected['field'] = field;
  await expect(call).rejects.toMatchObject(expected);
}

export const TEXT = {
  queueName:
    'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
  noQueue:
    'Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.',
  noEntity: 'Requested entity was not found.',
  taskGone:
    'The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.',
  taskName:
    'Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>"',
} as const;
