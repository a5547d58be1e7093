/** A queue: its defaults, its ranges, and what an update with a mask makes of it. */
import type { Queue, QueueInput, RateLimits, RetryConfig } from './cloud-tasks-api.js';
import { invalidArgument } from './errors.js';
import { parseQueueName } from './resource-name.js';
import { routed } from './task-target.js';
import { HOUR, MILLISECOND, SECOND } from './time.js';

/** A new queue, running. Zeros count as absent, as in production. */
export function newQueue(input: QueueInput): Queue {
  return { ...settings(input, input.name), name: input.name, state: 'RUNNING' };
}

/**
 * The queue after an update: without a mask every setting is replaced; with one, the paths it
 * names, and a named path that the input lacks gets its default back.
 */
export function updatedQueue(queue: Queue, input: QueueInput, mask: readonly string[]): Queue {
  const next = mask.length === 0 ? input : masked(queue, input, mask);
  const { name, state, purgeTime } = queue;
  return {
    ...settings(next, name),
    name,
    state,
    ...(purgeTime === undefined ? {} : { purgeTime }),
  };
}

function settings(input: QueueInput, name: string): Omit<Queue, 'name' | 'state' | 'purgeTime'> {
  const { appEngineRoutingOverride, stackdriverLoggingConfig } = input;
  const { project } = parseQueueName(name, 'queue.name');
  const samplingRatio = stackdriverLoggingConfig?.samplingRatio ?? 0;
  check(
    samplingRatio >= 0 && samplingRatio <= 1,
    'StackdriverLoggingConfig.samplingRatio must be between 0.0 and 1.0.',
    'queue.stackdriverLoggingConfig.samplingRatio',
  );
  return {
    rateLimits: rateLimits(input.rateLimits ?? {}),
    retryConfig: retryConfig(input.retryConfig ?? {}),
    ...(appEngineRoutingOverride
      ? { appEngineRoutingOverride: routed(appEngineRoutingOverride, project) }
      : {}),
    ...(stackdriverLoggingConfig ? { stackdriverLoggingConfig: { samplingRatio } } : {}),
  };
}

function rateLimits(input: Partial<RateLimits>): RateLimits {
  const maxDispatchesPerSecond = given(input.maxDispatchesPerSecond, 500);
  const maxConcurrentDispatches = given(input.maxConcurrentDispatches, 1000);
  limit('RateLimits', 'maxDispatchesPerSecond', maxDispatchesPerSecond, 500);
  limit('RateLimits', 'maxConcurrentDispatches', maxConcurrentDispatches, 5000);
  whole('RateLimits', 'maxConcurrentDispatches', maxConcurrentDispatches);
  return {
    maxDispatchesPerSecond,
    maxBurstSize: Math.max(10, Math.floor(maxDispatchesPerSecond / 5)),
    maxConcurrentDispatches,
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

/** Output-only fields may stand in a mask; they are ignored there as in the body. */
const MASK_PATHS: Readonly<Record<string, readonly string[]>> = {
  rateLimits: ['maxDispatchesPerSecond', 'maxBurstSize', 'maxConcurrentDispatches'],
  retryConfig: ['maxAttempts', 'maxRetryDuration', 'minBackoff', 'maxBackoff', 'maxDoublings'],
  appEngineRoutingOverride: ['service', 'version', 'instance', 'host'],
  stackdriverLoggingConfig: ['samplingRatio'],
  name: [],
  state: [],
  purgeTime: [],
};

function masked(queue: Queue, input: QueueInput, mask: readonly string[]): QueueInput {
  const next = new Map<string, unknown>(Object.entries(queue));
  const given = new Map<string, unknown>(Object.entries(input));
  for (const path of mask) {
    const [group = '', field, ...rest] = path.split('.');
    const fields = Object.hasOwn(MASK_PATHS, group) ? MASK_PATHS[group] : undefined;
    if (!fields || rest.length > 0 || (field !== undefined && !fields.includes(field))) {
      throw invalidArgument(`Invalid mask for Queue: ${path}`, 'updateMask');
    }
    if (field === undefined) {
      replace(next, group, given.get(group));
    } else {
      const inner = entries(next.get(group));
      replace(inner, field, entries(given.get(group)).get(field));
      replace(next, group, Object.fromEntries(inner));
    }
  }
  return { ...(Object.fromEntries(next) as Partial<QueueInput>), name: queue.name };
}

function entries(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

function replace(map: Map<string, unknown>, key: string, value: unknown): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
