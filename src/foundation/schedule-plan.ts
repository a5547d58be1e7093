/** What an app, or a file, wants of schedules, wherever that is written. */
import type { DurationText } from './duration.js';
import type { Duration } from '../engine/time.js';

/** How often a tick is tried again that the app doesn't take. The task's own retries are its queue's. */
export interface ScheduleRetry {
  /** Retries, 0 to 5. Default 3. */
  readonly retryCount?: number | undefined;
  /** Default: no limit but the next tick. */
  readonly maxRetryDuration?: DurationText | undefined;
  /** Default `5s`. */
  readonly minBackoff?: DurationText | undefined;
  /** Default `1h`. */
  readonly maxBackoff?: DurationText | undefined;
  /** Default 5. */
  readonly maxDoublings?: number | undefined;
}

/** What may be said of a schedule besides its ticks. */
export interface ScheduleOptions {
  /** Of the tz database. Default `Etc/UTC`. */
  readonly timeZone?: string | undefined;
  /** Of the job: letters, digits, hyphens and underscores. Default: class and method. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** The handler's argument; a schedule has one at most, its `@Body()`. */
  readonly payload?: unknown;
  /** The queue's id. Default: the handler's. */
  readonly queue?: string | undefined;
  /**
   * `skip` leaves a tick out while the task of the one before hasn't ended, its retries included.
   * It needs a store (option `store`). Default `allow`.
   */
  readonly overlap?: 'allow' | 'skip' | undefined;
  readonly retry?: ScheduleRetry | undefined;
  /** How long the app may take to make the task, `15s` to `30m`. Default `3m`. */
  readonly attemptDeadline?: DurationText | undefined;
}

/** The same, by Cloud Scheduler's names, in the engine's units. */
export interface ReadRetry {
  readonly retryCount?: number;
  readonly maxRetryDuration?: Duration;
  readonly minBackoffDuration?: Duration;
  readonly maxBackoffDuration?: Duration;
  readonly maxDoublings?: number;
}

/** A schedule, checked, in the engine's units. */
export interface WantedSchedule {
  readonly name: string;
  readonly schedule: string;
  readonly timeZone: string;
  /** The handler, as `TaskProducer.enqueue` takes it. */
  readonly task: string;
  readonly description?: string;
  readonly payload?: unknown;
  readonly queue?: string;
  readonly overlap: 'allow' | 'skip';
  readonly retry: ReadRetry;
  readonly attemptDeadline?: Duration;
  /** Where it is written, for an error: `tasks.config.yaml:12`. */
  readonly at: string;
}

/** Where the app takes its ticks: the job's path is this and the schedule's name. */
export const TICK_PATH = '/_cron/';
