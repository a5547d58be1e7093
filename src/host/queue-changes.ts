/** Compares queues as they are with queues as they are wanted. Changes nothing. */
import type { CloudTasksApi, Queue, QueueInput } from '../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../engine/errors.js';
import { newQueue } from '../engine/queue.js';
import { SECOND } from '../engine/time.js';
import type { WantedQueue, QueuesPlan } from './queues-plan.js';

export interface QueueChange {
  readonly planned: WantedQueue;
  /** `drift`: not as the plan has it, but what it says of the queue is so. */
  readonly kind: 'create' | 'update' | 'drift' | 'unchanged';
  /** `retryConfig.minBackoff 0.1s -> 10s`; of a new queue what isn't Cloud Tasks' default. */
  readonly differences: readonly string[];
  /** Of a queue that is there. */
  readonly state?: Queue['state'];
}

/** The rules that queues are written by: v2 can't set a burst. */
export const VERSION = 'v2beta3';

/** What a plan governs, whether it says something of it or not. */
const ALWAYS = [
  'rateLimits',
  'retryConfig',
  'appEngineRoutingOverride',
  'stackdriverLoggingConfig',
] as const satisfies readonly (keyof Queue)[];
/** What it governs where it says something: not every form of a plan can. */
const WHERE_GIVEN = ['httpTarget', 'taskTtl', 'tombstoneTtl'] as const;

/** The fields that the plan decides over. */
export function governed({ settings }: WantedQueue): (keyof QueueInput)[] {
  return [...ALWAYS, ...WHERE_GIVEN.filter((field) => settings[field] !== undefined)];
}

/**
 * @param location full name: `projects/local/locations/us-central1`
 * @returns a change for each queue of the plan, in its order
 */
export function queueChanges(
  api: CloudTasksApi,
  location: string,
  { queues }: QueuesPlan,
): Promise<QueueChange[]> {
  return Promise.all(queues.map((planned) => changeOf(api, location, planned)));
}

async function changeOf(
  api: CloudTasksApi,
  location: string,
  planned: WantedQueue,
): Promise<QueueChange> {
  const name = `${location}/queues/${planned.id}`;
  const wanted = newQueue({ ...planned.settings, name }, VERSION);
  const current = await find(api, name);
  if (!current) {
    const differences = planned.onlyState
      ? []
      : leavesThatDiffer(newQueue({ name }, VERSION), wanted, planned).map(
          ({ field, to }) => `${field} ${to}`,
        );
    if (planned.state === 'PAUSED') differences.push('state PAUSED');
    return { planned, kind: 'create', differences };
  }
  const differences = planned.onlyState
    ? []
    : leavesThatDiffer(current, wanted, planned).map(
        ({ field, from, to }) => `${field} ${from} -> ${to}`,
      );
  const { state } = current;
  if (planned.state !== undefined && planned.state !== state) {
    differences.push(`state ${state} -> ${planned.state}`);
  }
  const drifted = planned.state === undefined && state !== 'RUNNING';
  const kind = differences.length > 0 ? 'update' : drifted ? 'drift' : 'unchanged';
  return { planned, kind, differences, state };
}

async function find(api: CloudTasksApi, name: string): Promise<Queue | undefined> {
  try {
    return await api.getQueue({ name, version: VERSION });
  } catch (error) {
    if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

type Leaf = string | number | undefined;

function leavesThatDiffer(current: Queue, wanted: Queue, planned: WantedQueue) {
  const before = leaves(current, planned);
  const after = leaves(wanted, planned);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((field) => before.get(field) !== after.get(field))
    .map((field) => ({
      field,
      from: shown(field, before.get(field)),
      to: shown(field, after.get(field)),
    }));
}

/** Follows from other fields, so it says nothing of its own. */
const OUTPUT = 'appEngineRoutingOverride.host';
const BURST = 'rateLimits.maxBurstSize';
const RATIO = 'stackdriverLoggingConfig.samplingRatio';

function leaves(queue: Queue, planned: WantedQueue): Map<string, Leaf> {
  const found = new Map<string, Leaf>();
  const add = (path: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, part] of Object.entries(value)) add(`${path}.${name}`, part);
    } else if (value !== undefined) {
      found.set(path, typeof value === 'number' ? value : asText(value));
    }
  };
  for (const field of governed(planned)) add(field, new Map(Object.entries(queue)).get(field));
  found.delete(OUTPUT);
  // Derived from the rate, and not by a rule that production tells.
  if (planned.settings.rateLimits?.maxBurstSize === undefined) found.delete(BURST);
  // No logging, said in two ways.
  if (found.get(RATIO) === 0) found.delete(RATIO);
  return found;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function shown(path: string, value: Leaf): string {
  if (value === undefined) return '(none)';
  const isDuration = typeof value === 'number' && /(?:Duration|Backoff|Ttl)$/.test(path);
  return isDuration ? `${value / SECOND}s` : String(value);
}
