/** The test kit: a user's own app and the real engine in one process, on time that a test moves. */
import type { INestApplication, Type } from '@nestjs/common';
import type { TestingModule, TestingModuleBuilder } from '@nestjs/testing';
import type { Server } from 'node:http';
import type { RequestInit, Response } from 'undici';
import { isDeadLetterQueue } from '../foundation/dead-letter-queue.js';
import type { DurationText } from '../foundation/duration.js';
import { parseDuration } from '../foundation/duration.js';
import { shortId } from '../engine/resource-name.js';
import { MILLISECOND } from '../engine/time.js';
import { QueueBackend } from '../modules/cloud-tasks/queue-backend.js';
import { HandlerAddress } from '../modules/tasks/calls/handler-address.js';
import { HandlerRoutes } from '../modules/tasks/routes/handler-routes.js';
import { tasksToken } from '../modules/tasks/task-decorators.js';
import type { Tasks } from '../modules/tasks/tasks.js';
import type { AttemptRecord } from './attempt-log.js';
import { AttemptLog } from './attempt-log.js';
import { HandlerNames } from './handler-names.js';
import type { Outside } from './memory-network.js';
import { MemoryNetwork } from './memory-network.js';
import { Overrides } from './overrides.js';
import type { DeadTask, WaitingTask } from './task-lists.js';
import { TaskLists } from './task-lists.js';
import { VirtualClock } from './virtual-clock.js';
import { VirtualRun } from './virtual-run.js';

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

interface Parts {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly log: AttemptLog;
  readonly run: VirtualRun;
  readonly lists: TaskLists;
  readonly overrides: Overrides;
}

/**
 * Runs your own app against the real queue engine, on a clock that only `advance` and `drain`
 * move. Handlers are called through Nest's whole pipeline; no port is opened, nothing is kept, and
 * no test has to sleep.
 */
export class TasksTestbed {
  private constructor(
    /** Your app, initialised. */
    readonly app: INestApplication,
    private readonly parts: Parts,
  ) {}

  /**
   * Makes and initialises the app of `builder` with the test engine in place of its backend,
   * whichever that is; nothing in the app has to know.
   *
   * @param builder `Test.createTestingModule({ imports: [AppModule] })`, with overrides of your own
   * @throws Error when the app can't start, or has no TasksModule
   */
  static async create(
    builder: TestingModuleBuilder,
    options: TestbedOptions = {},
  ): Promise<TasksTestbed> {
    const { now = new Date(), outside } = options;
    const clock = new VirtualClock(now.getTime() * MILLISECOND);
    const network = new MemoryNetwork(outside);
    const log = new AttemptLog();
    const overrides = new Overrides({ clock, network, log });
    overrides.apply(builder);
    try {
      return await TasksTestbed.start(builder, options, { clock, network, log, overrides });
    } catch (error) {
      await overrides.close();
      throw error;
    }
  }

  private static async start(
    builder: TestingModuleBuilder,
    { app: makeApp = plainApp, patience = '2s' }: TestbedOptions,
    doubles: Pick<Parts, 'clock' | 'network' | 'log' | 'overrides'>,
  ): Promise<TasksTestbed> {
    const { clock, network, log, overrides } = doubles;
    const limit = parseDuration(patience, 'patience');
    const module = await builder.compile();
    const { engine } = overrides;
    if (!engine) throw new Error('TasksTestbed: no module of the app imports TasksModule.forRoot.');
    const app = await makeApp(module);
    await app.init();
    overrides.listening();
    const handlers = app.get(HandlerAddress, { strict: false });
    network.attach(app.getHttpServer() as Server, await handlers.serviceUrl());
    const routes = app.get(HandlerRoutes, { strict: false });
    const names = new HandlerNames(
      () => routes.read().values(),
      (target) => network.pathOf(target),
    );
    network.onSend = (dispatch) => log.sent(dispatch, names.of(dispatch));
    network.onAnswer = (dispatch, body) => log.answered(dispatch, body);
    const run = new VirtualRun({
      clock,
      engine,
      inFlight: network.inFlight,
      patience: limit,
      describe: (dispatch) => `${names.of(dispatch)}, task ${shortId(dispatch.task)}`,
    });
    const { location } = app.get(QueueBackend, { strict: false });
    const lists = new TaskLists(engine, location, names);
    return new TasksTestbed(app, { ...doubles, run, lists });
  }

  /** What the clock of the queues shows. `Date.now()` is another one. */
  now(): Date {
    return new Date(this.parts.clock.now() / MILLISECOND);
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
    await this.parts.run.advance(parseDuration(time, 'advance'), mayHang);
  }

  /**
   * Lets time pass until no task waits in a queue that runs.
   *
   * @throws Error naming what still waits after `limit`, and handlers like `advance`
   */
  async drain({ limit = '30d' }: DrainOptions = {}): Promise<void> {
    const { lists, log, run } = this.parts;
    const isDone = async () => !(await lists.anyWaits());
    if (await run.until(isDone, parseDuration(limit, 'limit'))) return;
    const left = await lists.waiting((_, { state }) => state === 'RUNNING');
    const names = left.map(
      ({ handler, queue, taskId, attempts }) =>
        `\n- ${handler}, task ${taskId} of ${queue}, after ${attempts} attempt(s): ${log.lastOf(queue, taskId)}`,
    );
    throw new Error(`TasksTestbed: after ${limit} there still wait:${names.join('')}`);
  }

  /**
   * Tasks that wait, the next one first; dead letters apart.
   *
   * @param queue the id of the only queue to look at
   */
  async pending(queue?: string): Promise<WaitingTask[]> {
    return this.parts.lists.waiting((id) =>
      queue === undefined ? !isDeadLetterQueue(id) : id === queue,
    );
  }

  /** Every attempt so far, in the order in which they ended. */
  attempts(): AttemptRecord[] {
    return [...this.parts.log.records];
  }

  /** Tasks that were given up, and why; those that died first come first. */
  async deadLetters(): Promise<DeadTask[]> {
    return this.parts.lists.dead();
  }

  /**
   * Asks an endpoint of the app, without a port: `fetch('/emails', { method: 'POST', … })`. Not
   * for handlers: those are guarded, and called by their queues.
   */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return this.parts.network.fetch(path, init);
  }

  /** Closes the app; tasks that wait are forgotten. */
  async close(): Promise<void> {
    await this.app.close();
    await this.parts.overrides.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export type { AttemptRecord, DeadTask, Outside, WaitingTask };
export type { OutsideCall } from './memory-network.js';

function plainApp(module: TestingModule): INestApplication {
  return module.createNestApplication();
}
