/** The backend that runs in this process: the embedded engine, started and stopped with the app. */
import { Logger } from '@nestjs/common';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { EngineEvent, EngineEvents } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { eventLine } from '../../host/event-lines.js';
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
    const { queuesFile } = options;
    // Before the engine, so that a mistake in the file leaves no trace.
    const apply = queuesFile === undefined ? undefined : await queuesOf(queuesFile);
    const engine = await startEngine(engineOptions(options.engine ?? {}));
    try {
      await apply?.(engine.api, location);
    } catch (error) {
      await engine.close();
      throw error;
    }
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

/** Loaded only where there is a file, and the parser with it. */
async function queuesOf(
  file: string,
): Promise<(api: CloudTasksApi, location: string) => Promise<void>> {
  const { readQueuesFile } = await import('../../host/queues-file.js');
  const { applyQueues } = await import('../../host/apply-queues.js');
  const plan = readQueuesFile(file);
  return async (api, location) => {
    for (const { kind, text } of await applyQueues(api, location, plan)) {
      const matters = kind === 'drifted' || kind === 'refused';
      logger[matters ? 'warn' : 'log'](text);
    }
  };
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
  const { severity, text } = eventLine(event);
  if (severity === 'debug') logger.debug(text);
  else if (severity === 'warning') logger.warn(text);
  else logger.error(text);
};
