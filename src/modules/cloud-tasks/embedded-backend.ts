/** The backend that runs in this process: the embedded engine, started and stopped with the app. */
import { Logger } from '@nestjs/common';
import type { EngineEvent } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { eventLine } from '../../host/event-lines.js';
import { wantedQueues } from '../../host/wanted-queues.js';
import type { TickTarget } from '../../host/schedule-jobs.js';
import type { EngineOptions, RunningEngine } from '../../host/start-engine.js';
import type { WantedSchedule } from '../../foundation/schedule-plan.js';
import type { CloudTasksOptions, EmbeddedEngineOptions } from './cloud-tasks-options.js';
import { locationName } from './cloud-tasks-options.js';
import type { DispatchProof } from './queue-backend.js';
import { QueueBackend } from './queue-backend.js';
import { applyQueuesAtStart, ensureQueuesAtStart } from './queues-at-start.js';
import { applySchedulesAtStart } from './schedules-at-start.js';

const logger = new Logger('Tasks');

export class EmbeddedBackend extends QueueBackend {
  readonly kind = 'embedded';
  readonly proof: DispatchProof;

  private constructor(
    location: string,
    private readonly engine: RunningEngine,
    private readonly appEngineHosts: Readonly<Record<string, string>>,
    readonly plannedSchedules: readonly WantedSchedule[],
    private readonly events: EventLog,
  ) {
    super(location);
    // Keys come from the engine's own port, also when `iss` is a name that others know it by.
    const { issuer, url, secret, jwksUrl = `${url}/jwks` } = engine;
    this.proof = { issuers: [issuer], jwksUrl, secret };
  }

  /** @param start makes the engine run, in place of the one of host/start-engine.ts */
  static async start(
    options: CloudTasksOptions,
    start?: (options: EngineOptions) => Promise<RunningEngine>,
  ): Promise<EmbeddedBackend> {
    const location = locationName(options);
    // Only here: it brings the database, the HTTP client and the token issuer with it.
    const startEngine = start ?? (await import('../../host/start-engine.js')).startEngine;
    // Before the engine, so that a mistake in it leaves no trace.
    const wanted = await wantedQueues(options);
    const events = new EventLog();
    const engine = await startEngine(engineOptions(options.engine ?? {}, events));
    try {
      if (wanted) await applyQueuesAtStart(engine.api, location, wanted, logger);
    } catch (error) {
      await engine.close();
      throw error;
    }
    const { appEngineHosts = {} } = options;
    return new EmbeddedBackend(location, engine, appEngineHosts, wanted?.schedules ?? [], events);
  }

  get api() {
    return this.engine.api;
  }

  override failureIsLogged(queue: string, taskId: string): void {
    this.events.failureIsLogged(queue, taskId);
  }

  dispatch(appUrl: string): Promise<void> {
    return this.engine.dispatch({ default: appUrl, ...this.appEngineHosts });
  }

  ensureQueues(ids: Iterable<string>): Promise<void> {
    return ensureQueuesAtStart(this.api, this.location, ids, logger);
  }

  ensureSchedules(schedules: readonly WantedSchedule[], target: TickTarget): Promise<void> {
    const { location } = this;
    const plan = { location, schedules, target, ownsLocation: true };
    return applySchedulesAtStart(this.api, plan, logger);
  }

  idToken(claims: { readonly email: string; readonly audience: string }): Promise<string> {
    return this.engine.idToken(claims);
  }

  drain(limit: Duration): Promise<void> {
    return this.engine.drain(limit);
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

function engineOptions(
  { onEvent, ...options }: EmbeddedEngineOptions,
  events: EventLog,
): EngineOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    dataDir: './.data',
    thread: 'worker',
    ...(Object.fromEntries(given) as Partial<EngineOptions>),
    onEvent: onEvent ?? ((event) => events.log(event)),
  };
}

/** Of attempts that no event follows, since another engine has sent them. */
const MOST_UNHEARD = 1_000;

/** Logs what the engine tells, but for what this process knows better. */
class EventLog {
  private readonly failures = new Set<string>();

  failureIsLogged(queue: string, taskId: string): void {
    if (this.failures.size >= MOST_UNHEARD) this.failures.clear();
    this.failures.add(`${queue}/${taskId}`);
  }

  log(event: EngineEvent): void {
    const { severity, text } = eventLine(event);
    const isKnown =
      event.type === 'attempt' && this.failures.delete(`${event.queue}/${event.task}`);
    if (severity === 'debug' || (severity === 'warning' && isKnown)) logger.debug(text);
    else if (severity === 'warning') logger.warn(text);
    else logger.error(text);
  }
}
