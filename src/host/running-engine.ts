/** What an engine is started with, and what one that runs can be asked, in whichever thread. */
import type { CloudSchedulerApi } from '../engine/cloud-scheduler-api.js';
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';
import type { EngineEvents } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';

export interface EngineOptions {
  /** Folder for the database, the signing key and the secret; `':memory:'` keeps nothing. */
  readonly dataDir: string;
  /** Where the engine's own port is served. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8123; 0 picks a free one. */
  readonly port?: number;
  /** Signs App Engine dispatches. Default: made at first start and kept in `dataDir`. */
  readonly secret?: string;
  /** `iss` of the tokens. Default: the engine's own address. */
  readonly issuer?: string;
  /** `worker` keeps a busy event loop of the app from stalling the queues. Default `same`. */
  readonly thread?: 'same' | 'worker';
  /** Gives production's answer also where a laptop needs more, for example a token on http://. */
  readonly strict?: boolean;
  /** How long a finished task's name stays taken where its queue doesn't say. Default 1 h. */
  readonly tombstoneTtl?: Duration;
  /** How long a deleted queue's name stays taken. Default 7 days. */
  readonly queueTombstoneTtl?: Duration;
  /** `http://app:8080`: where a token may go over http, besides loopback. Not with `strict`. */
  readonly trustHttpOrigins?: readonly string[];
  /** Serves `/emulator/v1`, by which tests reset it, move its clock and break its network. */
  readonly testApi?: boolean;
  readonly onEvent?: EngineEvents;
}

/** What is called in a process that has an engine: tasks and schedules. */
export type LocalApi = CloudTasksApi & CloudSchedulerApi;

export interface RunningEngine {
  readonly api: LocalApi;
  /** `http://127.0.0.1:8123`, with the port that was really taken. */
  readonly url: string;
  readonly issuer: string;
  readonly secret: string;
  /** Where the keys of its tokens are, if not at `/jwks` of `url`. */
  readonly jwksUrl?: string;
  /**
   * Lets dispatching begin. Apart from the start, since tasks that are overdue after a restart
   * must not be sent before their handlers listen.
   *
   * @param appEngineHosts base address by App Engine service; `default` takes the rest.
   */
  dispatch(appEngineHosts: Readonly<Record<string, string>>): Promise<void>;
  /** An ID token as its tasks carry them, for calls that its app makes itself. */
  idToken(claims: { readonly email: string; readonly audience: string }): Promise<string>;
  /** Stops dispatching and waits for the attempts in flight, at most `limit`. */
  drain(limit: Duration): Promise<void>;
  /** Ends at once; what was not settled is delivered again at the next start. */
  close(): Promise<void>;
}
