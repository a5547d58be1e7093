/** The backend that runs in this process: the embedded engine, started and stopped with the app. */
import { Logger } from '@nestjs/common';
import { CloudTasksError } from '../../engine/errors.js';
import type { EngineEvent, EngineEvents } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import type { EngineOptions, RunningEngine } from '../../host/start-engine.js';
import type { CloudTasksOptions, EmbeddedEngineOptions } from './cloud-tasks-options.js';
import { locationName } from './cloud-tasks-options.js';
import type { DispatchProof } from './queue-backend.js';
import { ensureQueue, QueueBackend } from './queue-backend.js';

const logger = new Logger('Tasks');

export class EmbeddedBackend extends QueueBackend {
  readonly kind = 'embedded';
  readonly proof: DispatchProof;

  private constructor(
    location: string,
    private readonly engine: RunningEngine,
    private readonly appEngineHosts: Readonly<Record<string, string>>,
  ) {
    super(location);
    const { issuer, url, secret } = engine;
    // Keys come from the engine's own port, also when `iss` is a name that others know it by.
    this.proof = { issuers: [issuer], jwksUrl: `${url}/jwks`, secret };
  }

  static async start(options: CloudTasksOptions): Promise<EmbeddedBackend> {
    const location = locationName(options);
    // Only here: it brings the database, the HTTP client and the token issuer with it.
    const { startEngine } = await import('../../host/start-engine.js');
    const engine = await startEngine(engineOptions(options.engine ?? {}));
    return new EmbeddedBackend(location, engine, options.appEngineHosts ?? {});
  }

  get api() {
    return this.engine.api;
  }

  dispatch(appUrl: string): Promise<void> {
    return this.engine.dispatch({ default: appUrl, ...this.appEngineHosts });
  }

  async ensureQueues(ids: Iterable<string>): Promise<void> {
    for (const id of ids) {
      try {
        await ensureQueue(this.api, this.location, this.queueName(id));
      } catch (error) {
        if (!(error instanceof CloudTasksError && error.code === 'FAILED_PRECONDITION'))
          throw error;
        // Deleted within the last days. The other queues go on working.
        logger.warn(`Queue ${id} can't be created: ${error.message}`);
      }
    }
  }

  drain(limit: Duration): Promise<void> {
    return this.engine.drain(limit);
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

function engineOptions({ onEvent, ...options }: EmbeddedEngineOptions): EngineOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    dataDir: './.data',
    thread: 'worker',
    ...(Object.fromEntries(given) as Partial<EngineOptions>),
    onEvent: onEvent ?? logEvent,
  };
}

const logEvent: EngineEvents = (event: EngineEvent) => {
  switch (event.type) {
    case 'attempt':
      logAttempt(event);
      break;
    case 'damaged-record':
      logger.error(
        `Set aside a damaged ${event.record.kind}: ${event.record.name} (${event.record.reason})`,
      );
      break;
    default:
      logger.error(`The engine failed: ${reasonOf(event.error)}`);
  }
};

function logAttempt(event: Extract<EngineEvent, { type: 'attempt' }>): void {
  const { queue, task, dispatchCount, result, duration, retryTime, gaveUp } = event;
  const outcome =
    result.kind === 'response'
      ? `answered ${result.status}`
      : result.kind === 'deadline'
        ? 'not answered within its deadline'
        : `not delivered (${result.reason})`;
  const line = `Attempt ${dispatchCount} of ${queue}/tasks/${task} ${outcome} after ${Math.round(duration / MILLISECOND)} ms`;
  if (gaveUp) logger.error(`${line}; given up`);
  else if (retryTime === undefined) logger.debug(line);
  else logger.warn(`${line}; tried again at ${new Date(retryTime / MILLISECOND).toISOString()}`);
}

function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
