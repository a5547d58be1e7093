/** Cloud Tasks itself: every queue and task verb, over a store and one dispatcher a queue. */
import type { BatchCreateTasksRequest, BatchDeleteTasksRequest, Operation } from './batch-api.js';
import { Batches } from './batches.js';
import type {
  CreateQueueRequest,
  CreateTaskRequest,
  GetQueueRequest,
  ListQueuesRequest,
  ListTasksRequest,
  Queue,
  Task,
  TaskRequest,
  UpdateQueueRequest,
  View,
} from './cloud-tasks-api.js';
import { Dispatcher } from './dispatcher.js';
import { refusal } from './error-catalogue.js';
import type { CmekConfig, UpdateCmekConfigRequest } from './cmek-config.js';
import { CmekConfigs } from './cmek-config.js';
import type { BufferTaskRequest, EngineApi } from './engine-api.js';
import { bufferedRequest } from './http-target.js';
import type { IamPolicy, SetIamPolicyRequest } from './iam-api.js';
import { heldPermissions, IamPolicies } from './iam.js';
import type { ListLocationsAnswer, ListLocationsRequest, Location } from './locations.js';
import { locationOf, locationsOf } from './locations.js';
import { pageSize, readPageToken, writePageToken } from './page.js';
import type {
  Clock,
  EngineEvents,
  Random,
  StoredTask,
  TaskStore,
  TokenIssuer,
  Transport,
} from './ports.js';
import { newQueue, taskTtl, updatedQueue } from './queue.js';
import { queueFilter } from './queue-filter.js';
import { checkLocationName, parseQueueName, parseTaskName } from './resource-name.js';
import { Sweeper } from './sweeper.js';
import { newTask, shown } from './task.js';
import { TaskIds } from './task-id.js';
import type { Duration, Instant } from './time.js';
import { DAY, HOUR, MILLISECOND } from './time.js';

export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: TaskStore;
  readonly transport: Transport;
  readonly tokens: TokenIssuer;
  readonly onEvent: EngineEvents;
}

export interface EngineRules {
  /** How long a finished task's name stays taken where its queue doesn't say. Default 1 h. */
  readonly taskTombstone?: Duration;
  /** How long a deleted queue's name stays taken. Default 7 days. */
  readonly queueTombstone?: Duration;
  /** Whether a token may go to this http:// URL. Default: never, as in production. */
  readonly trustsHttp?: (url: URL) => boolean;
}

interface LiveQueue {
  queue: Queue;
  readonly dispatcher: Dispatcher;
}

const QUEUES_PAGE = 9800;
const TASKS_PAGE = 1000;
const LOOK_AGAIN: Duration = 10 * MILLISECOND;

/** What it answers is a copy: a caller may do with it as it likes. */
export class Engine implements EngineApi {
  private readonly live = new Map<string, LiveQueue>();
  private readonly rules: Required<EngineRules>;
  private dispatching = false;
  private readonly sweeper: Sweeper;
  private readonly policies: IamPolicies;
  private readonly cmekConfigs: CmekConfigs;
  private readonly batches: Batches;
  private readonly ids: TaskIds;
  /** Queue verbs change one after the other, each seeing what the one before left. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ports: EnginePorts,
    rules: EngineRules = {},
  ) {
    this.rules = {
      taskTombstone: HOUR,
      queueTombstone: 7 * DAY,
      trustsHttp: () => false,
      ...rules,
    };
    this.policies = new IamPolicies(ports);
    this.cmekConfigs = new CmekConfigs(ports.store);
    const checkQueue = (name: string) => void this.found(name, 'parent');
    this.batches = new Batches({ ...ports, api: this, checkQueue });
    for (const queue of ports.store.queues()) this.goLive(queue);
    this.sweeper = new Sweeper({
      ...ports,
      queues: () => [...this.live.values()].map(({ queue }) => queue),
      tombstoneUntil: (queue) => this.tombstoneUntil(queue),
    });
    this.ids = new TaskIds(ports.clock, ports.random);
  }

  /** Lets dispatching begin; before, tasks are only taken. */
  dispatch(): void {
    this.dispatching = true;
    for (const { dispatcher } of this.live.values()) dispatcher.start();
  }

  /** Stops dispatching; resolves once every attempt in flight is settled. */
  async drain(): Promise<void> {
    this.dispatching = false;
    this.sweeper.stop();
    const dispatchers = [...this.live.values()].map(({ dispatcher }) => dispatcher);
    for (const dispatcher of dispatchers) dispatcher.stop();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.drained()));
  }

  /** Ends at once: what is in flight is cut, not settled, and so delivered again. */
  abandon(): void {
    this.dispatching = false;
    this.sweeper.stop();
    for (const { dispatcher } of this.live.values()) dispatcher.abandon();
  }

  async listQueues(
    request: ListQueuesRequest,
  ): Promise<{ queues: Queue[]; nextPageToken?: string }> {
    checkLocationName(request.parent, 'parent');
    const { filter = '' } = request;
    const scope = `${request.parent}?${filter}`;
    const now = this.ports.clock.now();
    const size = pageSize(request, QUEUES_PAGE);
    const after = readPageToken(request, 'string', scope, now) ?? '';
    const matches = queueFilter(filter);
    const queues = [...this.live.values()]
      .filter(({ queue }) => queue.name.startsWith(`${request.parent}/queues/`))
      .filter(({ queue }) => queue.name > after && matches(this.shown(queue)))
      .sort((a, b) => (a.queue.name < b.queue.name ? -1 : 1));
    const page = queues.slice(0, size).map((live) => this.read(live, request.readMask));
    const last = page.at(-1);
    return {
      queues: page,
      ...(last && queues.length > size
        ? { nextPageToken: writePageToken(last.name, scope, now) }
        : {}),
    };
  }

  async getQueue({ name, readMask }: GetQueueRequest): Promise<Queue> {
    return this.read(this.found(name), readMask);
  }

  async createQueue(request: CreateQueueRequest): Promise<Queue> {
    checkLocationName(request.parent, 'parent');
    parseQueueName(request.queue.name, 'queue.name');
    if (!request.queue.name.startsWith(`${request.parent}/queues/`)) {
      throw refusal('OTHER_LOCATION', {
        parent: request.parent,
        queue: request.queue.name,
        field: 'queue.name',
      });
    }
    const queue = newQueue(request.queue, request.version);
    return this.inTurn(async () => {
      if (this.live.has(queue.name)) {
        throw refusal('QUEUE_EXISTS', { field: 'queue.name' });
      }
      return this.putNew(queue);
    });
  }

  async updateQueue(request: UpdateQueueRequest): Promise<Queue> {
    const { queue: input, version } = request;
    parseQueueName(input.name, 'queue.name');
    return this.inTurn(async () => {
      const live = this.live.get(input.name);
      if (!live) return this.putNew(newQueue(input, version));
      const queue = await this.reconfigure(live, updatedQueue(live.queue, request));
      // Tasks may have less time left than before.
      this.sweeper.look();
      return queue;
    });
  }

  async deleteQueue({ name }: { name: string }): Promise<void> {
    parseQueueName(name, 'name');
    return this.inTurn(async () => {
      const live = this.live.get(name);
      if (!live) throw refusal('NO_ENTITY', { field: 'name' });
      live.dispatcher.stop();
      this.live.delete(name);
      const { store, clock } = this.ports;
      const tombstoneUntil = clock.now() + this.rules.queueTombstone;
      // Called together, so that both commit together.
      await Promise.all([store.deleteQueue(name, tombstoneUntil), this.policies.forget(name)]);
      this.sweeper.at(tombstoneUntil);
    });
  }

  async purgeQueue({ name }: { name: string }): Promise<Queue> {
    return this.inTurn(async () => {
      const live = this.found(name);
      const queue = { ...live.queue, purgeTime: this.ports.clock.now() };
      await this.ports.store.purgeQueue(queue, this.tombstoneUntil(queue));
      live.queue = queue;
      live.dispatcher.configure(queue);
      return this.shown(queue);
    });
  }

  async pauseQueue({ name }: { name: string }): Promise<Queue> {
    return this.setState(name, 'PAUSED');
  }

  async resumeQueue({ name }: { name: string }): Promise<Queue> {
    return this.setState(name, 'RUNNING');
  }

  async listTasks(request: ListTasksRequest): Promise<{ tasks: Task[]; nextPageToken?: string }> {
    const { queue } = this.found(request.parent, 'parent');
    const now = this.ports.clock.now();
    const size = pageSize(request, TASKS_PAGE);
    const { responseView: view = 'BASIC' } = request;
    const scope = `${request.parent}?${view}`;
    const after = readPageToken(request, 'number', scope, now) ?? 0;
    // One more than asked tells whether there is a next page.
    const tasks = this.ports.store.tasks(queue.name, after, size + 1, view);
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
    const { queue, dispatcher } = this.found(request.parent, 'parent');
    const { clock, store } = this.ports;
    const now = clock.now();
    const { trustsHttp } = this.rules;
    const task = newTask(request, { now, trustsHttp, newId: () => this.ids.next() });
    const outcome = await store.createTask(task, now);
    if ('refused' in outcome) {
      throw refusal(TAKEN[outcome.refused], { field: 'task.name' });
    }
    const { created } = outcome;
    this.sweeper.at(created.request.createTime + taskTtl(queue));
    dispatcher.offer({ seq: created.seq, scheduleTime: created.state.scheduleTime });
    return shown(created, request.responseView);
  }

  async deleteTask({ name }: { name: string }): Promise<void> {
    const { seq, queue } = this.foundTask(name, 'BASIC');
    const until = this.tombstoneUntil(this.found(queue).queue);
    const removed = await this.ports.store.removeTask(seq, until);
    if (!removed) throw refusal('NO_ENTITY', { field: 'name' });
  }

  async runTask(request: TaskRequest): Promise<Task> {
    const task = this.foundTask(request.name, 'FULL');
    return shown(await this.found(task.queue).dispatcher.run(task), request.responseView);
  }

  async getIamPolicy({ resource }: { resource: string }): Promise<IamPolicy> {
    return this.policies.get(this.found(resource, 'resource').queue.name);
  }

  async setIamPolicy(request: SetIamPolicyRequest): Promise<IamPolicy> {
    return this.inTurn(async () => {
      this.found(request.resource, 'resource');
      return this.policies.set(request);
    });
  }

  async testIamPermissions(request: {
    resource: string;
    permissions: string[];
  }): Promise<{ permissions: string[] }> {
    const { resource, permissions } = request;
    parseQueueName(resource, 'resource');
    return { permissions: heldPermissions(permissions, this.live.has(resource)) };
  }

  async listLocations(request: ListLocationsRequest): Promise<ListLocationsAnswer> {
    return locationsOf(request, this.live.keys(), this.ports.clock.now());
  }

  async getLocation({ name }: { name: string }): Promise<Location> {
    return locationOf(name);
  }

  /**
   * Resolves once nothing is in flight and no queue that runs has a task that is due: to when the
   * next one is, or to undefined when none waits. Not at all once `signal` has aborted.
   */
  async whenIdle(signal: AbortSignal): Promise<Instant | undefined> {
    const { clock, store } = this.ports;
    for (;;) {
      const queues = [...this.live.values()];
      await Promise.all(queues.map(({ dispatcher }) => dispatcher.drained()));
      const next = queues
        .filter(({ queue }) => queue.state === 'RUNNING')
        .flatMap(({ queue }) => store.due(queue.name, undefined, 1))
        .reduce((earliest, { scheduleTime }) => Math.min(earliest, scheduleTime), Infinity);
      const now = clock.now();
      if (next > now) return next === Infinity ? undefined : next;
      if (signal.aborted) return new Promise(() => undefined);
      // Due, but not sent: its queue waits for a token.
      await new Promise<void>((resolve) => clock.at(now + LOOK_AGAIN, resolve));
    }
  }

  /**
   * Forgets every task and every name that was taken; the queues too, unless they are to be kept.
   * What is in flight is cut, and settles nothing.
   */
  async reset({ keepQueues }: { readonly keepQueues: boolean }): Promise<void> {
    return this.inTurn(async () => {
      const { store, clock } = this.ports;
      const before = [...this.live.values()];
      this.live.clear();
      for (const { dispatcher } of before) dispatcher.abandon();
      for (const { queue } of before) await store.deleteQueue(queue.name, clock.now());
      await store.removeExpired(Number.MAX_SAFE_INTEGER);
      for (const { queue } of before) {
        if (keepQueues) {
          await store.putQueue(queue);
          this.goLive(queue);
        } else {
          await this.policies.forget(queue.name);
        }
      }
    });
  }

  async batchCreateTasks(request: BatchCreateTasksRequest): Promise<Operation> {
    return this.batches.create(request);
  }

  async batchDeleteTasks(request: BatchDeleteTasksRequest): Promise<Operation> {
    return this.batches.delete(request);
  }

  async getOperation({ name }: { name: string }): Promise<Operation> {
    return this.batches.operation(name);
  }

  async bufferTask(request: BufferTaskRequest): Promise<Task> {
    const { queue: parent, taskId } = request;
    const { queue } = this.found(parent, 'queue');
    return this.createTask({
      parent,
      task: {
        ...(taskId ? { name: `${parent}/tasks/${taskId}` } : {}),
        httpRequest: bufferedRequest(request, queue.httpTarget),
      },
    });
  }

  async getCmekConfig({ name }: { name: string }): Promise<CmekConfig> {
    return this.cmekConfigs.get(name);
  }

  async updateCmekConfig(request: UpdateCmekConfigRequest): Promise<CmekConfig> {
    return this.cmekConfigs.update(request);
  }

  private found(name: string, field = 'name'): LiveQueue {
    parseQueueName(name, field);
    const live = this.live.get(name);
    if (live) return live;
    throw refusal('NO_QUEUE', { field });
  }

  private foundTask(name: string, view: View): StoredTask {
    const { queue, id } = parseTaskName(name, 'name');
    const { store, clock } = this.ports;
    const task = store.findTask(queue, id, view);
    if (task) return task;
    const tombstone = store.taskTombstone(queue, id) ?? -Infinity;
    throw refusal(tombstone > clock.now() ? 'TASK_GONE' : 'NO_ENTITY', { field: 'name' });
  }

  private setState(name: string, state: Queue['state']): Promise<Queue> {
    return this.inTurn(async () => {
      const live = this.found(name);
      return this.reconfigure(live, { ...live.queue, state });
    });
  }

  private async putNew(queue: Queue): Promise<Queue> {
    const { store, clock } = this.ports;
    if ((store.queueTombstone(queue.name) ?? -Infinity) > clock.now()) {
      throw refusal('QUEUE_TOO_RECENT', { field: 'queue.name' });
    }
    await store.putQueue(queue);
    this.goLive(queue);
    return this.shown(queue);
  }

  private async reconfigure(live: LiveQueue, queue: Queue): Promise<Queue> {
    await this.ports.store.putQueue(queue);
    live.queue = queue;
    live.dispatcher.configure(queue);
    return this.shown(queue);
  }

  /** The queue as an answer, its defaults filled in. */
  private shown(queue: Queue): Queue {
    return {
      ...structuredClone(queue),
      taskTtl: taskTtl(queue),
      tombstoneTtl: this.tombstoneTtl(queue),
    };
  }

  private read({ queue, dispatcher }: LiveQueue, mask: readonly string[] = []): Queue {
    if (!mask.some((path) => path.split('.', 1)[0] === 'stats')) return this.shown(queue);
    const { store } = this.ports;
    const [first] = store.due(queue.name, undefined, 1);
    const stats = {
      tasksCount: store.countTasks(queue.name),
      ...(first ? { oldestEstimatedArrivalTime: first.scheduleTime } : {}),
      ...dispatcher.stats(),
    };
    return { ...this.shown(queue), stats };
  }

  private goLive(queue: Queue): void {
    const dispatcher = new Dispatcher(queue, {
      ...this.ports,
      trustsHttp: this.rules.trustsHttp,
      tombstoneUntil: (queue) => this.tombstoneUntil(queue),
    });
    this.live.set(queue.name, { queue, dispatcher });
    if (this.dispatching) dispatcher.start();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private tombstoneTtl(queue: Queue): Duration {
    return queue.tombstoneTtl ?? this.rules.taskTombstone;
  }

  private tombstoneUntil(queue: Queue): Instant {
    const until = this.ports.clock.now() + this.tombstoneTtl(queue);
    this.sweeper.at(until);
    return until;
  }
}

const TAKEN = { LIVE: 'TASK_EXISTS', TOMBSTONED: 'TASK_TOO_RECENT' } as const;
