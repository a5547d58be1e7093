/** A queue: its defaults, its ranges, and what an update with a mask makes of it. */
import type {
  ApiVersion,
  AppEngineRouting,
  Queue,
  QueueInput,
  RateLimits,
  RetryConfig,
  UpdateQueueRequest,
} from './cloud-tasks-api.js';
import type { ErrorName, ERRORS } from './error-catalogue.js';
import { refusal } from './error-catalogue.js';
import { httpTarget } from './http-target.js';
import { masked } from './queue-mask.js';
import { parseQueueName } from './resource-name.js';
import { routed } from './task-target.js';
import type { Duration } from './time.js';
import { DAY, HOUR, MILLISECOND, SECOND } from './time.js';

const DEFAULT_TASK_TTL: Duration = 31 * DAY;

/** A new queue, running. Zeros count as absent, as in production. */
export function newQueue(input: QueueInput, version: ApiVersion = 'v2'): Queue {
  return { ...settings(readable(input, version)), name: input.name, state: 'RUNNING' };
}

/**
 * The queue after an update: without a mask every setting is replaced; with one, the paths it
 * names, and a named path that the input lacks gets its default back.
 */
export function updatedQueue(
  queue: Queue,
  { queue: input, updateMask: mask = [], version = 'v2' }: UpdateQueueRequest,
): Queue {
  const isBurstNamed = mask.length === 0 || mask.includes(BURST) || mask.includes('rateLimits');
  const given = readable(input, isBurstNamed ? version : 'v2');
  const next = mask.length === 0 ? given : masked(queue, given, maskFor(version, mask));
  const { name, state, purgeTime } = queue;
  return {
    ...settings({ ...next, name }),
    name,
    state,
    ...(purgeTime === undefined ? {} : { purgeTime }),
  };
}

/** How long the queue's tasks may exist. */
export function taskTtl(queue: Queue): Duration {
  return queue.taskTtl ?? DEFAULT_TASK_TTL;
}

/** The queue as that version of the API reads it: in v2 the burst is an output. */
function readable(input: QueueInput, version: ApiVersion): QueueInput {
  if (version !== 'v2' || input.rateLimits?.maxBurstSize === undefined) return input;
  const rateLimits = { ...input.rateLimits };
  delete rateLimits.maxBurstSize;
  return { ...input, rateLimits };
}

const RATE = 'rateLimits.maxDispatchesPerSecond';
const BURST = 'rateLimits.maxBurstSize';

/** A burst goes with its rate: where that is updated, it is derived anew unless it is given too. */
function maskFor(version: ApiVersion, mask: readonly string[]): readonly string[] {
  const own = version === 'v2' ? mask.filter((path) => path !== BURST) : mask;
  return mask.includes(RATE) ? [...own, BURST] : own;
}

type Settings = Omit<Queue, 'name' | 'state' | 'purgeTime'>;

function settings(input: QueueInput): Settings {
  const { appEngineRoutingOverride: routing, stackdriverLoggingConfig } = input;
  const { project } = parseQueueName(input.name, 'queue.name');
  check(input.type !== 'PULL', 'PULL_QUEUE', 'queue.type');
  const samplingRatio = stackdriverLoggingConfig?.samplingRatio ?? 0;
  check(
    samplingRatio >= 0 && samplingRatio <= 1,
    'SAMPLING_RATIO',
    'queue.stackdriverLoggingConfig.samplingRatio',
  );
  const target = input.httpTarget && httpTarget(input.httpTarget);
  return {
    rateLimits: rateLimits(input.rateLimits ?? {}),
    retryConfig: retryConfig(input.retryConfig ?? {}),
    ...(routing && isSet(routing) ? { appEngineRoutingOverride: routed(routing, project) } : {}),
    ...(target ? { httpTarget: target } : {}),
    ...(stackdriverLoggingConfig ? { stackdriverLoggingConfig: { samplingRatio } } : {}),
    ...ttl(input, 'taskTtl', [10 * DAY, 3650 * DAY], 'TASK_TTL'),
    ...ttl(input, 'tombstoneTtl', [HOUR, 9 * DAY], 'TOMBSTONE_TTL'),
  };
}

/** gcloud clears an override with an empty one. */
function isSet({ service, version, instance }: AppEngineRouting): boolean {
  return Boolean(service || version || instance);
}

/** Absent where it was not given, so that a changed default reaches the queue. */
function ttl<Field extends 'taskTtl' | 'tombstoneTtl'>(
  input: QueueInput,
  field: Field,
  [least, most]: readonly [least: Duration, most: Duration],
  outside: Plain,
): Partial<Record<Field, Duration>> {
  const value = input[field];
  if (value === undefined || value === 0) return {};
  check(value >= least && value <= most, outside, `queue.${field}`);
  return { [field]: value } as Partial<Record<Field, Duration>>;
}

function rateLimits(input: Partial<RateLimits>): RateLimits {
  const rate = given(input.maxDispatchesPerSecond, 500);
  const concurrency = given(input.maxConcurrentDispatches, 1000);
  const burst = given(input.maxBurstSize, Math.max(10, Math.floor(rate / 5)));
  const at = (field: keyof RateLimits) => `queue.rateLimits.${field}`;
  check(rate >= 0, 'RATE_NEGATIVE', at('maxDispatchesPerSecond'));
  check(rate <= 500, 'RATE_TOO_HIGH', at('maxDispatchesPerSecond'));
  check(concurrency >= 0, 'CONCURRENCY_NEGATIVE', at('maxConcurrentDispatches'));
  check(concurrency <= 5000, 'CONCURRENCY_TOO_HIGH', at('maxConcurrentDispatches'));
  checkWhole(concurrency, 'RateLimits.maxConcurrentDispatches', at('maxConcurrentDispatches'));
  check(burst >= 0, 'BURST_NEGATIVE', at('maxBurstSize'));
  check(burst <= 500, 'BURST_TOO_HIGH', at('maxBurstSize'));
  checkWhole(burst, 'RateLimits.maxBurstSize', at('maxBurstSize'));
  return {
    maxDispatchesPerSecond: rate,
    maxBurstSize: burst,
    maxConcurrentDispatches: concurrency,
  };
}

function retryConfig(input: Partial<RetryConfig>): RetryConfig {
  const config: RetryConfig = {
    maxAttempts: given(input.maxAttempts, 100),
    maxRetryDuration: Math.trunc((input.maxRetryDuration ?? 0) / SECOND) * SECOND,
    minBackoff: given(input.minBackoff, 100 * MILLISECOND),
    maxBackoff: given(input.maxBackoff, HOUR),
    maxDoublings: given(input.maxDoublings, 16),
  };
  const at = (field: keyof RetryConfig) => `queue.retryConfig.${field}`;
  checkWhole(config.maxAttempts, 'RetryConfig.maxAttempts', at('maxAttempts'));
  check(config.maxAttempts >= -1, 'ATTEMPTS_TOO_LOW', at('maxAttempts'));
  check(config.maxDoublings >= 0, 'DOUBLINGS_NEGATIVE', at('maxDoublings'));
  check(config.minBackoff >= 0, 'MIN_BACKOFF_NEGATIVE', at('minBackoff'));
  check(config.maxBackoff >= 0, 'MAX_BACKOFF_NEGATIVE', at('maxBackoff'));
  check(config.maxRetryDuration >= 0, 'RETRY_DURATION_NEGATIVE', at('maxRetryDuration'));
  checkWhole(config.maxDoublings, 'RetryConfig.maxDoublings', at('maxDoublings'));
  check(config.minBackoff <= config.maxBackoff, 'BACKOFF_ORDER', at('minBackoff'));
  return config;
}

/** Zero counts as absent; NaN does not, and fails the checks. */
function given(value: number | undefined, otherwise: number): number {
  return value === undefined || value === 0 ? otherwise : value;
}

/** The errors with nothing to fill in. */
type Plain = {
  [Name in ErrorName]: (typeof ERRORS)[Name]['text'] extends `${string}{${string}` ? never : Name;
}[ErrorName];

/** NaN fails every comparison, and so every check. */
function check(holds: boolean, otherwise: Plain, field: string): void {
  if (!holds) throw refusal(otherwise, { field });
}

function checkWhole(value: number, setting: string, field: string): void {
  if (!Number.isInteger(value)) throw refusal('NOT_WHOLE', { setting, field });
}
