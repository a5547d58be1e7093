/** The queues that are live: each with its dispatcher, changed one after the other. */
import type {
  CreateQueueRequest,
  GetQueueRequest,
  ListQueuesAnswer,
  ListQueuesRequest,
  Queue,
  UpdateQueueRequest,
} from './cloud-tasks-api.js';
import { Dispatcher } from './dispatcher.js';
import { refusal } from './error-catalogue.js';
import type { IamPolicies } from './iam.js';
import { pageSize, readPageToken, writePageToken } from './page.js';
import type {
  Clock,
  EngineEvents,
  StoredTask,
  TaskStore,
  TokenIssuer,
  Transport,
} from './ports.js';
import { newQueue, taskTtl, updatedQueue } from './queue.js';
import { queueFilter } from './queue-filter.js';
import { checkLocationName, parseQueueName } from './resource-name.js';
import { Sweeper } from './sweeper.js';
import type { Duration, Instant } from './time.js';
import { MILLISECOND } from './time.js';

export interface QueuesPorts {
  readonly clock: Clock;
  readonly store: TaskStore;
  readonly transport: Transport;
  readonly tokens: TokenIssuer;
  readonly onEvent: EngineEvents;
  /** Go with their queues. */
  readonly policies: IamPolicies;
}

export interface QueuesRules {
  /** How long a finished task's name stays taken where its queue doesn't say. Default 1 h. */
  readonly taskTombstone: Duration;
  /** How long a deleted queue's name stays taken. Default 7 days. */
  readonly queueTombstone: Duration;
  /** Whether a token may go to this http:// URL. Default: never, as in production. */
  readonly trustsHttp: (url: URL) => boolean;
}

export interface LiveQueue {
  queue: Queue;
  readonly dispatcher: Dispatcher;
}

const PAGE = 9800;
const LOOK_AGAIN: Duration = 10 * MILLISECOND;

/** What it answers is a copy: a caller may do with it as it likes. */
export class Queues {
  private readonly live = new Map<string, LiveQueue>();
  private readonly sweeper: Sweeper;
  private dispatching = false;
  /** The last change that was asked for: the next one waits for it, and sees what it left. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ports: QueuesPorts,
    private readonly rules: QueuesRules,
  ) {
    for (const queue of ports.store.queues()) this.goLive(queue);
    this.sweeper = new Sweeper({
      ...ports,
      queues: () => [...this.live.values()].map(({ queue }) => queue),
      tombstoneUntil: (queue) => this.tombstoneUntil(queue),
    });
  }

  /** Lets dispatching begin; before, tasks are only taken. */
  dispatch(): void {
    this.dispatching = true;
    for (const { dispatcher } of this.live.values()) dispatcher.start();
  }

  /** Only takes tasks, until `dispatch` is called again; what is in flight goes on. */
  hold(): void {
    this.dispatching = false;
    for (const { dispatcher } of this.live.values()) dispatcher.stop();
  }

  /** Resolves once every attempt in flight is settled, those included that begin meanwhile. */
  async settled(): Promise<void> {
    for (;;) {
      const dispatchers = [...this.live.values()].map(({ dispatcher }) => dispatcher);
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.drained()));
      if (this.attemptsInFlight === 0) return;
    }
  }

  get attemptsInFlight(): number {
    return [...this.live.values()].reduce(
      (n, { dispatcher }) => n + dispatcher.attemptsInFlight,
      0,
    );
  }

  /** Stops dispatching for good; resolves once every attempt in flight is settled. */
  async drain(): Promise<void> {
    this.sweeper.stop();
    this.hold();
    await this.settled();
  }

  /** Ends at once: what is in flight is cut, not settled, and so delivered again. */
  abandon(): void {
    this.dispatching = false;
    this.sweeper.stop();
    for (const { dispatcher } of this.live.values()) dispatcher.abandon();
  }

  names(): Iterable<string> {
    return this.live.keys();
  }

  /** @throws INVALID_ARGUMENT for a name that is none, NOT_FOUND where there is no such queue. */
  found(name: string, field = 'name'): LiveQueue {
    parseQueueName(name, field);
    const live = this.live.get(name);
    if (live) return live;
    throw refusal('NO_QUEUE', { field });
  }

  has(name: string): boolean {
    return this.live.has(name);
  }

  /** A task was created: its queue sends it when it is due, and its age ends it. */
  offer({ queue, dispatcher }: LiveQueue, { seq, request, state }: StoredTask): void {
    this.sweeper.at(request.createTime + taskTtl(queue));
    dispatcher.offer({ seq, scheduleTime: state.scheduleTime });
  }

  async list(request: ListQueuesRequest): Promise<ListQueuesAnswer> {
    checkLocationName(request.parent, 'parent');
    const { filter = '' } = request;
    const scope = `${request.parent}?${filter}`;
    const now = this.ports.clock.now();
    const size = pageSize(request, PAGE);
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

  async get({ name, readMask }: GetQueueRequest): Promise<Queue> {
    return this.read(this.found(name), readMask);
  }

  async create(request: CreateQueueRequest): Promise<Queue> {
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

  async update(request: UpdateQueueRequest): Promise<Queue> {
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

  async delete({ name }: { name: string }): Promise<void> {
    parseQueueName(name, 'name');
    return this.inTurn(async () => {
      const live = this.live.get(name);
      if (!live) throw refusal('NO_ENTITY', { field: 'name' });
      live.dispatcher.stop();
      this.live.delete(name);
      const { store, clock } = this.ports;
      const tombstoneUntil = clock.now() + this.rules.queueTombstone;
      // Called together, so that both commit together.
      await Promise.all([
        store.deleteQueue(name, tombstoneUntil),
        this.ports.policies.forget(name),
      ]);
      this.sweeper.at(tombstoneUntil);
    });
  }

  async purge({ name }: { name: string }): Promise<Queue> {
    return this.inTurn(async () => {
      const live = this.found(name);
      const queue = { ...live.queue, purgeTime: this.ports.clock.now() };
      await this.ports.store.purgeQueue(queue, this.tombstoneUntil(queue));
      live.queue = queue;
      live.dispatcher.configure(queue);
      return this.shown(queue);
    });
  }

  async setState(name: string, state: Queue['state']): Promise<Queue> {
    return this.inTurn(async () => {
      const live = this.found(name);
      return this.reconfigure(live, { ...live.queue, state });
    });
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
      await new Promise<void>((resolve) => clock.after(LOOK_AGAIN, resolve));
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
          await this.ports.policies.forget(queue.name);
        }
      }
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

  /** Runs once every change that was asked for before is done. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private tombstoneTtl(queue: Queue): Duration {
    return queue.tombstoneTtl ?? this.rules.taskTombstone;
  }

  /** Until when the name of a task that ends now stays taken. */
  tombstoneUntil(queue: Queue): Instant {
    const until = this.ports.clock.now() + this.tombstoneTtl(queue);
    this.sweeper.at(until);
    return until;
  }
}
