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
import { CloudTasksError, invalidArgument } from './errors.js';
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
  if (input.type === 'PULL') {
    throw new CloudTasksError(
      'UNIMPLEMENTED',
      'Pull queues are not served: give the queue the type PUSH, or none.',
      { field: 'queue.type' },
    );
  }
  const samplingRatio = stackdriverLoggingConfig?.samplingRatio ?? 0;
  check(
    samplingRatio >= 0 && samplingRatio <= 1,
    'StackdriverLoggingConfig.samplingRatio must be between 0.0 and 1.0.',
    'queue.stackdriverLoggingConfig.samplingRatio',
  );
  const target = input.httpTarget && httpTarget(input.httpTarget);
  return {
    rateLimits: rateLimits(input.rateLimits ?? {}),
    retryConfig: retryConfig(input.retryConfig ?? {}),
    ...(routing && isSet(routing) ? { appEngineRoutingOverride: routed(routing, project) } : {}),
    ...(target ? { httpTarget: target } : {}),
    ...(stackdriverLoggingConfig ? { stackdriverLoggingConfig: { samplingRatio } } : {}),
    ...ttl(input, 'taskTtl', 10 * DAY, 3650 * DAY, '10 days to 10 years'),
    ...ttl(input, 'tombstoneTtl', HOUR, 9 * DAY, '1 hour to 9 days'),
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
  least: Duration,
  most: Duration,
  range: string,
): Partial<Record<Field, Duration>> {
  const value = input[field];
  if (value === undefined || value === 0) return {};
  check(value >= least && value <= most, `Queue.${field} must be ${range}.`, `queue.${field}`);
  return { [field]: value } as Partial<Record<Field, Duration>>;
}

function rateLimits(input: Partial<RateLimits>): RateLimits {
  const maxDispatchesPerSecond = given(input.maxDispatchesPerSecond, 500);
  const maxConcurrentDispatches = given(input.maxConcurrentDispatches, 1000);
  limit('RateLimits', 'maxDispatchesPerSecond', maxDispatchesPerSecond, 500);
  limit('RateLimits', 'maxConcurrentDispatches', maxConcurrentDispatches, 5000);
  whole('RateLimits', 'maxConcurrentDispatches', maxConcurrentDispatches);
  const derived = Math.max(10, Math.floor(maxDispatchesPerSecond / 5));
  const maxBurstSize = given(input.maxBurstSize, derived);
  limit('RateLimits', 'maxBurstSize', maxBurstSize, 500);
  whole('RateLimits', 'maxBurstSize', maxBurstSize);
  return { maxDispatchesPerSecond, maxBurstSize, maxConcurrentDispatches };
}

function retryConfig(input: Partial<RetryConfig>): RetryConfig {
  const config: RetryConfig = {
    maxAttempts: given(input.maxAttempts, 100),
    maxRetryDuration: Math.trunc((input.maxRetryDuration ?? 0) / SECOND) * SECOND,
    minBackoff: given(input.minBackoff, 100 * MILLISECOND),
    maxBackoff: given(input.maxBackoff, HOUR),
    maxDoublings: given(input.maxDoublings, 16),
  };
  whole('RetryConfig', 'maxAttempts', config.maxAttempts);
  check(
    config.maxAttempts >= -1,
    'RetryConfig.maxAttempts must be greater or equal to -1.',
    'queue.retryConfig.maxAttempts',
  );
  for (const field of ['maxDoublings', 'minBackoff', 'maxBackoff', 'maxRetryDuration'] as const) {
    limit('RetryConfig', field, config[field]);
  }
  whole('RetryConfig', 'maxDoublings', config.maxDoublings);
  check(
    config.minBackoff <= config.maxBackoff,
    'RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.',
    'queue.retryConfig.minBackoff',
  );
  return config;
}

/** Zero counts as absent; NaN does not, and fails the checks. */
function given(value: number | undefined, otherwise: number): number {
  return value === undefined || value === 0 ? otherwise : value;
}

function limit(group: string, field: string, value: number, most?: number): void {
  const path = fieldPath(group, field);
  check(value >= 0, `${group}.${field} cannot be negative.`, path);
  if (most !== undefined) {
    check(value <= most, `${group}.${field} must be less than or equal to ${most}.`, path);
  }
}

function whole(group: string, field: string, value: number): void {
  check(
    Number.isInteger(value),
    `${group}.${field} must be a whole number.`,
    fieldPath(group, field),
  );
}

function fieldPath(group: string, field: string): string {
  return `queue.${group.charAt(0).toLowerCase()}${group.slice(1)}.${field}`;
}

/** NaN fails every comparison, and so every check. */
function check(holds: boolean, message: string, field: string): void {
  if (!holds) throw invalidArgument(message, field);
}
