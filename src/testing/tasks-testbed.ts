/** The test kit: a user's own app and the real engine in one process, on time that a test moves. */
import type { INestApplication, Type } from '@nestjs/common';
import type { TestingModule, TestingModuleBuilder } from '@nestjs/testing';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { RequestInit, Response } from 'undici';
import { isDeadLetterQueue } from '../dead-letter-queue.js';
import type { DurationText } from '../duration.js';
import { parseDuration } from '../duration.js';
import type { CloudTasksApi, Task } from '../engine/cloud-tasks-api.js';
import type { Dispatch, DispatchTarget, EngineEvent } from '../engine/ports.js';
import { shortId } from '../engine/resource-name.js';
import { MILLISECOND } from '../engine/time.js';
import { AppAddress } from '../modules/cloud-tasks/app-address.js';
import { EmbeddedBackend } from '../modules/cloud-tasks/embedded-backend.js';
import { CLOCK, QueueBackend } from '../modules/cloud-tasks/queue-backend.js';
import { HandlerAddress } from '../modules/tasks/handler-address.js';
import { HandlerRoutes } from '../modules/tasks/handler-routes.js';
import { TasksSettings } from '../modules/tasks/module-options.js';
import { tasksToken } from '../modules/tasks/task-decorators.js';
import type { Tasks } from '../modules/tasks/tasks.js';
import { handlerName } from './handler-names.js';
import type { Outside } from './memory-network.js';
import { APP_URL, MemoryNetwork } from './memory-network.js';
import type { AttemptRecord, WaitingTask } from './task-records.js';
import { attemptRecord, dateOf, waitingTask } from './task-records.js';
import { VirtualClock } from './virtual-clock.js';
import type { VirtualEngine } from './virtual-engine.js';
import { virtualEngine } from './virtual-engine.js';
import { VirtualRun } from './virtual-run.js';

export type { Outside, OutsideCall } from './memory-network.js';
export type { AttemptRecord, WaitingTask } from './task-records.js';

export interface TestbedOptions {
  /**
   * Makes the app as your main.ts does: global pipes, prefix, versioning. Default:
   * `module.createNestApplication()`.
   */
  readonly app?: (module: TestingModule) => INestApplication | Promise<INestApplication>;
  /** What the clock shows at first. Default: the time it is. */
  readonly now?: Date;
  /** Answers tasks for other addresses than the app's own; without it they fail, saying so. */
  readonly outside?: Outside;
  /** Real time after which a handler counts as one that never settles. Default `'2s'`. */
  readonly patience?: DurationText;
}

export interface AdvanceOptions {
  /** Lets time pass for handlers that don't settle, so that they meet their deadline. */
  readonly mayHang?: boolean;
}

export interface DrainOptions {
  /** As far as time goes at most. Default `'30d'`. */
  readonly limit?: DurationText;
}

/** How many tasks are read at a time. */
const PAGE = 1000;

/**
 * Runs your own app against the real queue engine, on a clock that only `advance` and `drain`
 * move. Handlers are called through Nest's whole pipeline; no port is opened, nothing is written
 * to disk, and no test has to sleep.
 */
export class TasksTestbed {
  private readonly recorded: AttemptRecord[] = [];
  private readonly run: VirtualRun;

  private constructor(
    /** Your app, initialised. */
    readonly app: INestApplication,
    private readonly clock: VirtualClock,
    private readonly network: MemoryNetwork,
    private readonly backend: QueueBackend,
    { engine, patience }: Pick<VirtualEngine, 'engine'> & { readonly patience: DurationText },
  ) {
    const { inFlight } = network;
    this.run = new VirtualRun({
      clock,
      engine,
      inFlight,
      patience: parseDuration(patience, 'patience'),
      describe: (dispatch) => this.describe(dispatch),
    });
  }

  /**
   * Makes and initialises the app of `builder` with the test engine in place of its backend,
   * whichever that is; nothing in the app has to know.
   *
   * @param builder `Test.createTestingModule({ imports: [AppModule] })`, with overrides of your own
   */
  static async create(
    builder: TestingModuleBuilder,
    options: TestbedOptions = {},
  ): Promise<TasksTestbed> {
    const { now = new Date(), patience = '2s', outside } = options;
    const clock = new VirtualClock(now.getTime() * MILLISECOND);
    const secret = randomBytes(32).toString('hex');
    const network = new MemoryNetwork(secret, outside);
    let started: VirtualEngine | undefined;
    let onEvent = (_event: EngineEvent): void => undefined;
    builder.overrideProvider(CLOCK).useValue(clock);
    builder.overrideProvider(AppAddress).useValue({ url: () => Promise.resolve(APP_URL) });
    builder.overrideProvider(QueueBackend).useFactory({
      inject: [TasksSettings],
      factory: ({ cloudTasks }: TasksSettings) =>
        EmbeddedBackend.start({ ...cloudTasks, backend: 'embedded' }, async ({ issuer }) => {
          started = await virtualEngine(issuer === undefined ? {} : { issuer }, {
            clock,
            secret,
            transport: network,
            onEvent: (event) => onEvent(event),
          });
          return started;
        }),
    });
    const module = await builder.compile();
    if (!started) {
      throw new Error('TasksTestbed: no module of the app imports TasksModule.forRoot.');
    }
    const app = await (options.app ?? plainApp)(module);
    await app.init();
    const base = await app.get(HandlerAddress, { strict: false }).serviceUrl();
    network.attach(app.getHttpServer() as Server, base);
    const backend = app.get(QueueBackend, { strict: false });
    const { engine } = started;
    const bed = new TasksTestbed(app, clock, network, backend, { engine, patience });
    onEvent = bed.record();
    return bed;
  }

  /** What the clock of the queues shows. `Date.now()` is another one. */
  now(): Date {
    return dateOf(this.clock.now());
  }

  /** The delayed calls of a controller, as `@InjectTasks` injects them. */
  tasks<Controller extends object>(controller: Type<Controller>): Tasks<Controller> {
    return this.app.get<Tasks<Controller>>(tasksToken(controller), { strict: false });
  }

  /**
   * Lets that much time pass: every task that becomes due is sent at its instant, tried again when
   * its queue says so, and time stands still while its handler runs. `'0s'` sends what is due now.
   *
   * @throws Error naming the handlers that haven't settled within the option `patience`
   */
  async advance(time: DurationText, { mayHang = false }: AdvanceOptions = {}): Promise<void> {
    await this.run.advance(parseDuration(time, 'advance'), mayHang);
  }

  /**
   * Lets time pass until no task waits in a queue that runs.
   *
   * @throws Error naming what still waits after `limit`, and handlers like `advance`
   */
  async drain({ limit = '30d' }: DrainOptions = {}): Promise<void> {
    const isDone = async () => (await this.waiting()).length === 0;
    if (await this.run.until(isDone, parseDuration(limit, 'limit'))) return;
    const names = (await this.waiting()).map(
      ({ handler, queue, taskId, attempts }) =>
        `\n- ${handler}: task ${taskId} of ${queue}, after ${attempts} attempt(s)`,
    );
    throw new Error(`TasksTestbed: after ${limit} there still wait:${names.join('')}`);
  }

  /** Tasks that wait, the next one first; dead letters apart. */
  async pending(queue?: string): Promise<WaitingTask[]> {
    const all = await this.list((id) =>
      queue === undefined ? !isDeadLetterQueue(id) : id === queue,
    );
    return all.sort((one, other) => one.scheduledAt.getTime() - other.scheduledAt.getTime());
  }

  /** Every attempt so far, in the order in which they ended. */
  attempts(): readonly AttemptRecord[] {
    return [...this.recorded];
  }

  /** Tasks that were given up. */
  async deadLetters(): Promise<WaitingTask[]> {
    return this.list(isDeadLetterQueue);
  }

  /**
   * Asks an endpoint of the app, without a port: `fetch('/emails', { method: 'POST', … })`. Not
   * for handlers: those are guarded, and called by their queues.
   */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return this.network.fetch(path, init);
  }

  /** Closes the app; tasks that wait are forgotten. */
  async close(): Promise<void> {
    await this.app.close();
  }

  private get api(): CloudTasksApi {
    return this.backend.api;
  }

  private async waiting(): Promise<WaitingTask[]> {
    const { queues } = await this.api.listQueues({ parent: this.backend.location });
    const running = new Set(
      queues.filter(({ state }) => state === 'RUNNING').map(({ name }) => shortId(name)),
    );
    return this.list((id) => running.has(id));
  }

  private async list(isWanted: (queueId: string) => boolean): Promise<WaitingTask[]> {
    const { queues } = await this.api.listQueues({ parent: this.backend.location });
    const found: WaitingTask[] = [];
    for (const { name } of queues) {
      if (!isWanted(shortId(name))) continue;
      for await (const task of this.tasksOf(name)) found.push(waitingTask(task, this.taker(task)));
    }
    return found;
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

  private taker({ httpRequest, appEngineHttpRequest }: Task): string {
    if (httpRequest) {
      const { url, httpMethod: method, headers } = httpRequest;
      return this.name({ kind: 'http', url }, method, headers);
    }
    const {
      relativeUri = '/',
      httpMethod: method = 'POST',
      headers = {},
    } = appEngineHttpRequest ?? {};
    const target = { kind: 'app-engine', service: '', version: '', instance: '', relativeUri };
    return this.name(target as DispatchTarget, method, headers);
  }

  private name(
    target: DispatchTarget,
    method: string,
    headers: Readonly<Record<string, string>>,
  ): string {
    const routes = this.app.get(HandlerRoutes, { strict: false }).read().values();
    return handlerName(routes, {
      method,
      path: this.network.pathOf({ target }),
      url: target.kind === 'http' ? target.url : target.relativeUri,
      headers,
    });
  }

  private describe({ task, target, method, headers }: Dispatch): string {
    return `${this.name(target, method, headers)}: task ${shortId(task)}`;
  }

  /** @returns the listener that turns the engine's events into records */
  private record(): (event: EngineEvent) => void {
    const answers = new Map<string, { dispatch: Dispatch; body: string }>();
    this.network.onAnswer = (dispatch, body) => {
      answers.set(dispatch.task, { dispatch, body });
    };
    return (event) => {
      if (event.type !== 'attempt') return;
      const name = `${this.backend.queueName(event.queue)}/tasks/${event.task}`;
      const answer = answers.get(name);
      answers.delete(name);
      const handler = answer
        ? this.name(answer.dispatch.target, answer.dispatch.method, answer.dispatch.headers)
        : event.task;
      const at = this.clock.now() - event.duration;
      this.recorded.push(attemptRecord(event, at, { handler, answer: answer?.body ?? '' }));
    };
  }
}

function plainApp(module: TestingModule): INestApplication {
  return module.createNestApplication();
}
