/** Which backend runs, and how. */
import type { EngineEvents } from '../../engine/ports.js';
import type { QueueSettings } from '../../host/queues-plan.js';

export interface CloudTasksOptions {
  /** `embedded`: a durable queue in this process. `google`: Cloud Tasks, by Google's client. */
  readonly backend: 'embedded' | 'google';
  /** Google Cloud project. Default `local` when embedded. */
  readonly project?: string | undefined;
  /** Default `us-central1`. */
  readonly location?: string | undefined;
  /** `host:port` of a Cloud Tasks-compatible server to call instead of Google's. */
  readonly emulatorHost?: string | undefined;
  readonly engine?: EmbeddedEngineOptions | undefined;
  /**
   * Base address by App Engine service when embedded; `default` takes what isn't named. Without a
   * `default` that is the app's own address.
   */
  readonly appEngineHosts?: Readonly<Record<string, string>> | undefined;
  /**
   * Queues by their ids, each with a paused one for its dead letters. Embedded, they are created and
   * updated at the start. On Google what differs is a warning: there `nest-cloud-tasks queues apply`
   * changes them, when somebody says so.
   */
  readonly queues?: Readonly<Record<string, QueueSettings>> | undefined;
  /**
   * The same in a YAML file; a queue may be in one of the two only. Default `tasks.config.yaml` in
   * the working directory, if there is one.
   */
  readonly queuesFile?: string | undefined;
}

export interface EmbeddedEngineOptions {
  /** Folder that keeps the tasks; `':memory:'` keeps nothing. Default `./.data`. */
  readonly dataDir?: string | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 8123; 0 picks a free one. */
  readonly port?: number | undefined;
  /** Tells this engine's App Engine dispatches from forged ones. Default: made, kept in `dataDir`. */
  readonly secret?: string | undefined;
  /** `iss` of its tokens. Default: its own address. */
  readonly issuer?: string | undefined;
  /** Default `worker`: a handler that blocks the event loop can't stall the queues. */
  readonly thread?: 'same' | 'worker' | undefined;
  /** Answers like production also where that is of no use on a laptop. Default false. */
  readonly strict?: boolean | undefined;
  /** Told of every attempt, in place of the log lines that are written otherwise. */
  readonly onEvent?: EngineEvents | undefined;
}

/** @returns the full name of the location that all queues are in */
export function locationName({ backend, project, location }: CloudTasksOptions): string {
  const name = project ?? (backend === 'embedded' ? 'local' : undefined);
  if (!name) throw new Error("TasksModule: backend 'google' needs the option project.");
  return `projects/${name}/locations/${location ?? 'us-central1'}`;
}
