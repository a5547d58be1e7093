/** The app's schedules: read and checked at the start, made where that is ours, carried out at each tick. */
import type { OnModuleInit, Type } from '@nestjs/common';
import { Inject, Injectable, Logger, NotFoundException } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { CloudTasksError } from '../../engine/errors.js';
import type { Cron } from '../../engine/ports.js';
import { DAY } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { printable } from '../../foundation/printable.js';
import { readSchedule } from '../../foundation/schedule-form.js';
import type { WantedSchedule } from '../../foundation/schedule-plan.js';
import { CRON, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { JOURNAL, STORE_MISSING } from '../journal/journal-options.js';
import { TaskStatuses } from '../tasks/attempts/task-statuses.js';
import { HandlerTarget } from '../tasks/calls/handler-target.js';
import { TaskProducer } from '../tasks/calls/task-producer.js';
import { HandlerRoutes } from '../tasks/routes/handler-routes.js';
import { findHandler } from '../tasks/routes/named-handler.js';
import { schedulesOf } from '../tasks/routes/schedule-marks.js';
import { handlersOf } from '../tasks/routes/task-metadata.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { TaskRef } from '../tasks/tasks.js';

/** What became of a tick: its task, or that it was left out. */
export type Tick = TaskRef | { readonly skipped: string };

/** A task lives no longer, so a run that hasn't ended by then never will. */
const REMEMBERED = 31 * DAY;

@Injectable()
export class Schedules implements OnModuleInit {
  private readonly logger = new Logger('Schedules');
  private readonly byName = new Map<string, WantedSchedule>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly routes: HandlerRoutes,
    private readonly producer: TaskProducer,
    private readonly statuses: TaskStatuses,
    private readonly backend: QueueBackend,
    private readonly handlers: HandlerTarget,
    @Inject(CRON) private readonly cron: Cron,
    @Inject(JOURNAL) private readonly journal: Journal | null,
  ) {}

  /** @throws Error with a line for each schedule that can't work */
  async onModuleInit(): Promise<void> {
    if (!this.routes.express()) return;
    const check = (schedule: string, timeZone: string) => void this.cron.parse(schedule, timeZone);
    const problems: string[] = [];
    const telling = async (at: string, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof CloudTasksError)) throw error;
        problems.push(error.message.startsWith(at) ? error.message : `${at}: ${error.message}`);
      }
    };
    for (const { metatype } of this.discovery.getControllers()) {
      const controller = metatype as Type<object> | null;
      if (!controller) continue;
      for (const { method, schedule, options } of schedulesOf(controller)) {
        const task = `${controller.name}.${method}`;
        const at = `@Schedule of ${task}`;
        if (!handlersOf(controller).has(method)) problems.push(`${at}: the method has no @Task`);
        else
          await telling(at, async () =>
            this.add(readSchedule({ schedule, task, options }, at, check)),
          );
      }
    }
    for (const schedule of this.backend.plannedSchedules) {
      await telling(schedule.at, () => this.add(schedule));
    }
    if (problems.length > 0) {
      throw new Error(`Schedules can't start.${problems.map((line) => `\n- ${line}`).join('')}`);
    }
    await this.backend.ensureQueues(this.all.flatMap(({ queue }) => queue ?? []));
    this.make();
  }

  /** Of this app, with those of its file. */
  get all(): readonly WantedSchedule[] {
    return [...this.byName.values()];
  }

  /**
   * Makes the tick's task.
   *
   * @param time of the tick, as Cloud Scheduler's header has it: a tick that comes twice makes one
   *   task. Without it each makes one.
   * @throws NotFoundException where no schedule has this name
   */
  async tick(name: string, time?: string): Promise<Tick> {
    const schedule = this.byName.get(name);
    if (!schedule) throw new NotFoundException(`There is no schedule '${printable(name)}'.`);
    const key = `${this.backend.location} schedule ${name}`;
    if (schedule.overlap === 'skip') {
      const running = await this.unfinished(key);
      if (running !== undefined) {
        const skipped = `${running} hasn't ended`;
        this.logger.warn(`Left out a tick of ${name}: ${skipped}.`);
        return { skipped };
      }
    }
    const [task, payload, options] = this.call(schedule);
    const id = /^[0-9TZ:.-]{20,35}$/.test(time ?? '') ? time?.replace(/[^0-9TZ]/g, '') : undefined;
    const ref = await this.producer.enqueue(task, payload, {
      ...options,
      ...(id === undefined ? {} : { taskId: `cron-${name}-${id}`, onDuplicate: 'ignore' as const }),
    });
    if (schedule.overlap === 'skip') {
      await this.journal?.note([{ key, outcome: ref.name, ttl: REMEMBERED }]);
    }
    return ref;
  }

  private async add(schedule: WantedSchedule): Promise<void> {
    const { name, overlap } = schedule;
    const refuse = (message: string, field: string) =>
      new CloudTasksError('INVALID_ARGUMENT', message, { field });
    const other = this.byName.get(name);
    if (other) throw refuse(`the name ${name} is taken by ${other.at}`, 'name');
    await this.producer.check(...this.call(schedule));
    if (overlap === 'skip' && !this.journal) {
      throw refuse(`overlap: 'skip' ${STORE_MISSING}`, 'overlap');
    }
    this.byName.set(name, schedule);
  }

  /** What `TaskProducer` is called with at each tick. A body that nothing is said of is empty. */
  private call({ task, payload, queue }: WantedSchedule): [string, unknown, TaskOptions] {
    const { parameters } = findHandler(this.routes.read(), task);
    const takesBody = parameters.some(({ place }) => place === 'body');
    const body = payload ?? (takesBody ? {} : undefined);
    return [task, body, queue === undefined ? {} : { queue }];
  }

  /** The name of the task of the tick before, unless that has ended. */
  private async unfinished(key: string): Promise<string | undefined> {
    const entry = await this.journal?.read(key);
    if (entry?.state !== 'done') return undefined;
    try {
      const { state, scheduleTime } = await this.statuses.of(entry.outcome);
      const hasEnded = state === 'succeeded' || state === 'dead-lettered';
      return hasEnded || (state === 'failed' && !scheduleTime) ? undefined : entry.outcome;
    } catch (error) {
      if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** Once the app listens: before, nobody knows where ticks are to go. */
  private make(): void {
    if (this.backend.kind !== 'embedded') return;
    this.target()
      .then((target) => this.backend.ensureSchedules(this.all, target))
      .catch((error: unknown) => {
        const neverListens = error instanceof CloudTasksError && error.field === 'serviceUrl';
        const text = `The schedules could not be made. ${String(error)}`;
        if (neverListens) this.logger.debug(text);
        else this.logger.error(text);
      });
  }

  private async target() {
    const serviceUrl = await this.handlers.serviceUrl();
    const { serviceAccountEmail, audience = serviceUrl } = await this.handlers.oidcToken();
    return { serviceUrl, serviceAccount: serviceAccountEmail, audience };
  }
}
