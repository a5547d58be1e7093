/** What a mask may name in a queue, and what an update with one makes of it. */
import type { Queue, QueueInput } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';

/** The fields of a message that a mask may name, each with those inside it. */
interface MaskFields {
  readonly [field: string]: MaskFields;
}

const LEAF: MaskFields = {};

function fields(...names: readonly string[]): MaskFields {
  return Object.fromEntries(names.map((name) => [name, LEAF]));
}

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
  let next = new Map<string, unknown>(Object.entries(queue));
  const given = new Map<string, unknown>(Object.entries(input));
  for (const path of mask) {
    const names = path.split('.');
    if (!isField(names)) throw refusal('QUEUE_MASK', { path, field: 'updateMask' });
    next = replaced(next, given, names);
  }
  return { ...(Object.fromEntries(next) as Partial<QueueInput>), name: queue.name };
}

function isField(names: readonly string[]): boolean {
  let within: MaskFields | undefined = MASK_FIELDS;
  for (const name of names) {
    within = within && Object.hasOwn(within, name) ? within[name] : undefined;
  }
  return within !== undefined;
}

/** The message with one field taken from another, or without it where that lacks it. */
function replaced(
  message: Map<string, unknown>,
  given: Map<string, unknown>,
  [name = '', ...rest]: readonly string[],
): Map<string, unknown> {
  const next = new Map(message);
  const value =
    rest.length === 0
      ? given.get(name)
      : Object.fromEntries(replaced(entries(message.get(name)), entries(given.get(name)), rest));
  if (value === undefined) next.delete(name);
  else next.set(name, value);
  return next;
}

function entries(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
