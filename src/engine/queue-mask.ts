/** What a mask may name in a queue, and what an update with one makes of it. */
import type { Queue, QueueInput } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';
import type { MaskFields } from './field-mask.js';
import { fields, masked as maskedFields } from './field-mask.js';

/** Output-only fields may stand in a mask; they are ignored there as in the body. */
const MASK_FIELDS: MaskFields = {
  rateLimits: fields('maxDispatchesPerSecond', 'maxBurstSize', 'maxConcurrentDispatches'),
  retryConfig: fields(
    'maxAttempts',
    'maxRetryDuration',
    'minBackoff',
    'maxBackoff',
    'maxDoublings',
  ),
  appEngineRoutingOverride: fields('service', 'version', 'instance', 'host'),
  httpTarget: {
    uriOverride: {
      ...fields('scheme', 'host', 'port', 'uriOverrideEnforceMode'),
      pathOverride: fields('path'),
      queryOverride: fields('queryParams'),
    },
    ...fields('httpMethod', 'headerOverrides'),
    oauthToken: fields('serviceAccountEmail', 'scope'),
    oidcToken: fields('serviceAccountEmail', 'audience'),
  },
  stackdriverLoggingConfig: fields('samplingRatio'),
  ...fields('name', 'state', 'purgeTime', 'taskTtl', 'tombstoneTtl', 'type', 'stats'),
};

/** The queue with the fields that the mask names taken from the input, or reset where that lacks them. */
export function masked(queue: Queue, input: QueueInput, mask: readonly string[]): QueueInput {
  const next = maskedFields(queue, input, mask, {
    known: MASK_FIELDS,
    refuse: (path) => refusal('QUEUE_MASK', { path, field: 'updateMask' }),
  });
  return { ...(Object.fromEntries(next) as Partial<QueueInput>), name: queue.name };
}
