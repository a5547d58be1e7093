/** The verbs on tasks: each of a queue that is live, and told only when the store has done it. */
import type {
  CreateTaskRequest,
  ListTasksRequest,
  Task,
  TaskRequest,
  View,
} from './cloud-tasks-api.js';
import type { BufferTaskRequest } from './engine-api.js';
import { refusal } from './error-catalogue.js';
import { bufferedRequest } from './http-target.js';
import { pageSize, readPageToken, writePageToken } from './page.js';
import type { Clock, Random, StoredTask, TaskStore } from './ports.js';
import type { Queues } from './queues.js';
import { parseTaskName } from './resource-name.js';
import { newTask, shown } from './task.js';
import { TaskIds } from './task-id.js';

export interface TasksPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: TaskStore;
  /** Whether a token may go to this http:// URL. */
  readonly trustsHttp: (url: URL) => boolean;
}

const PAGE = 1000;
const TAKEN = { LIVE: 'TASK_EXISTS', TOMBSTONED: 'TASK_TOO_RECENT' } as const;

/** What it answers is a copy: a caller may do with it as it likes. */
export class Tasks {
  private readonly ids: TaskIds;

  constructor(
    private readonly ports: TasksPorts,
    private readonly queues: Queues,
  ) {
    this.ids = new TaskIds(ports.clock, ports.random);
  }

  async listTasks(request: ListTasksRequest): Promise<{ tasks: Task[]; nextPageToken?: string }> {
    const { queue } = this.queues.found(request.parent, 'parent');
    const { clock, store } = this.ports;
    const now = clock.now();
    const size = pageSize(request, PAGE);
    const { responseView: view = 'BASIC' } = request;
    const scope = `${request.parent}?${view}`;
    const after = readPageToken(request, 'number', scope, now) ?? 0;
    // One more than asked tells whether there is a next page.
    const tasks = store.tasks(queue.name, after, size + 1, view);
    const last = tasks.length > size ? tasks[size - 1] : undefined;
    return {
      tasks: tasks.slice(0, size).map((task) => shown(task, view)),
      ...(last ? { nextPageToken: writePageToken(last.seq, scope, now) } : {}),
    };
  }

  async getTask(request: TaskRequest): Promise<Task> {
    const { name, responseView = 'BASIC' } = request;
    return shown(this.foundTask(name, responseView), responseView);
  }

  async createTask(request: CreateTaskRequest): Promise<Task> {
    const live = this.queues.found(request.parent, 'parent');
    const { clock, store, trustsHttp } = this.ports;
    const now = clock.now();
    const task = newTask(request, { now, trustsHttp, newId: () => this.ids.next() });
    const outcome = await store.createTask(task, now);
    if ('refused' in outcome) {
      throw refusal(TAKEN[outcome.refused], { field: 'task.name' });
    }
    this.queues.offer(live, outcome.created);
    return shown(outcome.created, request.responseView);
  }

  async deleteTask({ name }: { name: string }): Promise<void> {
    const { seq, queue } = this.foundTask(name, 'BASIC');
    const until = this.queues.tombstoneUntil(this.queues.found(queue).queue);
    const removed = await this.ports.store.removeTask(seq, until);
    if (!removed) throw refusal('NO_ENTITY', { field: 'name' });
  }

  async runTask(request: TaskRequest): Promise<Task> {
    const task = this.foundTask(request.name, 'FULL');
    return shown(await this.queues.found(task.queue).dispatcher.run(task), request.responseView);
  }

  async bufferTask(request: BufferTaskRequest): Promise<Task> {
    const { queue: parent, taskId } = request;
    const { queue } = this.queues.found(parent, 'queue');
    return this.createTask({
      parent,
      task: {
        ...(taskId ? { name: `${parent}/tasks/${taskId}` } : {}),
        httpRequest: bufferedRequest(request, queue.httpTarget),
      },
    });
  }

  private foundTask(name: string, view: View): StoredTask {
    const { queue, id } = parseTaskName(name, 'name');
    const { store, clock } = this.ports;
    const task = store.findTask(queue, id, view);
    if (task) return task;
    const tombstone = store.taskTombstone(queue, id) ?? -Infinity;
    throw refusal(tombstone > clock.now() ? 'TASK_GONE' : 'NO_ENTITY', { field: 'name' });
  }
}
