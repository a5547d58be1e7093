/** Writes App Engine's `queue.yaml` of what is wanted of queues. */
import { stringify } from 'yaml';
import type { AppEngineRouting } from '../engine/cloud-tasks-api.js';
import { newQueue } from '../engine/queue.js';
import { SECOND } from '../engine/time.js';
import type { QueuesPlan, WantedQueue } from './queues-plan.js';

/** What this file has no words for; `queues apply` makes it. */
const UNSAYABLE = ['httpTarget', 'stackdriverLoggingConfig', 'taskTtl', 'tombstoneTtl'] as const;

/** @param from where the queues are written, for those who would change this file instead */
export function queueYaml({ queues }: QueuesPlan, from: string): string {
  const unsaid = queues.flatMap(({ id, settings }) =>
    UNSAYABLE.filter((field) => settings[field] !== undefined).map(
      (field) => `#   ${id}: ${field}`,
    ),
  );
  const head = [
    `# Made of ${from} by: npx nest-cloud-tasks generate queue.yaml`,
    '# Change that file, and generate this one again.',
    ...(unsaid.length > 0
      ? ['#', '# Not said here, and made by npx nest-cloud-tasks queues apply:', ...unsaid]
      : []),
  ];
  return `${head.join('\n')}\n${stringify({ queue: queues.map(entryOf) })}`;
}

function entryOf({ id, settings, state }: WantedQueue): object {
  const queue = newQueue({ ...settings, name: `projects/p/locations/l/queues/${id}` }, 'v2beta3');
  const { maxDispatchesPerSecond, maxBurstSize, maxConcurrentDispatches } = queue.rateLimits;
  const { maxAttempts, maxRetryDuration, minBackoff, maxBackoff, maxDoublings } = queue.retryConfig;
  const { appEngineRoutingOverride: routing } = settings;
  return {
    name: id,
    // Paused: this file has no other word for it.
    rate: state === 'PAUSED' ? 0 : `${maxDispatchesPerSecond}/s`,
    bucket_size: maxBurstSize,
    max_concurrent_requests: maxConcurrentDispatches,
    ...(routing?.service ? { target: targetOf(routing) } : {}),
    retry_parameters: {
      ...(maxAttempts === -1 ? {} : { task_retry_limit: maxAttempts - 1 }),
      ...(maxRetryDuration > 0 ? { task_age_limit: `${maxRetryDuration / SECOND}s` } : {}),
      min_backoff_seconds: minBackoff / SECOND,
      max_backoff_seconds: maxBackoff / SECOND,
      max_doublings: maxDoublings,
    },
  };
}

function targetOf({ service = '', version }: AppEngineRouting): string {
  return version ? `${version}.${service}` : service;
}
