/** What a file, or an app's options, want of queues, whatever form that is written in. */
import type {
  AppEngineRouting,
  HttpTarget,
  QueueInput,
  RateLimits,
  RetryConfig,
} from '../engine/cloud-tasks-api.js';
import type { DurationText } from '../foundation/duration.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

export interface QueuesPlan<Planned extends WantedQueue = WantedQueue> {
  readonly queues: readonly Planned[];
  /** What stands in the file and means nothing here, a line for each. */
  readonly notApplied: readonly string[];
  readonly schedules?: readonly WantedSchedule[];
  /** The location that the file names, where it does. */
  readonly region?: string;
}

export interface WantedQueue {
  readonly id: string;
  /** By v2beta3's rules, in which a burst can be set. */
  readonly settings: Omit<QueueInput, 'name'>;
  /** What only a queue that isn't there yet gets. */
  readonly atCreation?: Pick<QueueInput, 'taskTtl' | 'tombstoneTtl'>;
  /** Absent, a queue that is paused stays paused, and one that runs goes on. */
  readonly state?: 'RUNNING' | 'PAUSED';
  /** The settings are for a queue that isn't there yet; of one that is, only the state counts. */
  readonly onlyState?: true;
}

/** A queue that somebody has written down. */
export interface PlannedQueue extends WantedQueue {
  readonly place: YamlPlace;
}

type RateSettings = Partial<RateLimits>;

type RetryDurations = 'maxRetryDuration' | 'minBackoff' | 'maxBackoff';
type RetrySettings = Partial<
  Omit<RetryConfig, RetryDurations> & Record<RetryDurations, DurationText>
>;

/**
 * A queue as code has it: the API's JSON names, durations as `'10s'`. What isn't given gets Cloud
 * Tasks' own default, but for `maxAttempts`, which is -1, without limit: then a handler's
 * `maxAttempts` parks what fails. Rates and retries may stand in their groups or beside them.
 */
export interface QueueSettings extends RateSettings, RetrySettings {
  readonly rateLimits?: RateSettings;
  readonly retryConfig?: RetrySettings;
  readonly appEngineRoutingOverride?: Omit<AppEngineRouting, 'host'>;
  /** What it replaces in its HTTP tasks when they are sent; `{}` removes what there is. */
  readonly httpTarget?: HttpTarget;
  readonly stackdriverLoggingConfig?: { readonly samplingRatio: number };
  /** How long a task may exist, `'10d'` to `'3650d'`. */
  readonly taskTtl?: DurationText;
  /** How long a finished task's name stays taken, `'1h'` to `'9d'`. */
  readonly tombstoneTtl?: DurationText;
  /** Absent, a queue stays as somebody left it. */
  readonly state?: 'RUNNING' | 'PAUSED';
}

export const QUEUE_ID = /^[A-Za-z0-9-]{1,100}$/;
export const QUEUE_ID_EXPECTED = 'a queue id of 1 to 100 letters, digits and hyphens';
