/** Makes queues what a file says they are, and says what that took. */
import type { CloudTasksApi, Queue, QueueInput } from '../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../engine/errors.js';
import { newQueue } from '../engine/queue.js';
import { SECOND } from '../engine/time.js';
import type { PlannedQueue, QueuesPlan } from './queues-plan.js';

/** One thing that was done, or found. */
export interface QueueReport {
  readonly kind: 'created' | 'updated' | 'drifted' | 'refused' | 'not-applied';
  /** A line for a person. */
  readonly text: string;
}

/** What the file governs; other fields of a queue stay as they are. */
const GOVERNED = [
  'rateLimits',
  'retryConfig',
  'appEngineRoutingOverride',
  'stackdriverLoggingConfig',
] as const satisfies readonly (keyof Queue)[];

/** Follows from other fields, so it says nothing of its own. */
const OUTPUT = 'appEngineRoutingOverride.host';
const version = 'v2beta3';

/**
 * Creates what is missing and updates what differs. What is as planned isn't touched, so applying
 * twice changes nothing; queues that the file doesn't name are left alone.
 *
 * @param location full name: `projects/local/locations/us-central1`
 */
export async function applyQueues(
  api: CloudTasksApi,
  location: string,
  plan: QueuesPlan,
): Promise<QueueReport[]> {
  const reports: QueueReport[] = [];
  for (const queue of plan.queues) reports.push(...(await applyQueue(api, location, queue)));
  const notApplied = [...plan.notApplied];
  if (plan.region !== undefined && !location.endsWith(`/locations/${plan.region}`)) {
    notApplied.unshift(`region ${plan.region}: the queues are in ${location}`);
  }
  return [
    ...reports,
    ...notApplied.map((what): QueueReport => ({
      kind: 'not-applied',
      text: `Not applied here: ${what}.`,
    })),
  ];
}

async function applyQueue(
  api: CloudTasksApi,
  location: string,
  planned: PlannedQueue,
): Promise<QueueReport[]> {
  const { id, settings, state, atCreation } = planned;
  const name = `${location}/queues/${id}`;
  const wanted: QueueInput = { ...settings, name };
  const current = await find(api, name);
  if (!current) {
    try {
      await api.createQueue({ parent: location, queue: { ...wanted, ...atCreation }, version });
    } catch (error) {
      // Deleted within the last days. The other queues go on working.
      if (!(error instanceof CloudTasksError && error.code === 'FAILED_PRECONDITION')) throw error;
      return [{ kind: 'refused', text: `Queue ${id} can't be created: ${error.message}` }];
    }
    if (state === 'PAUSED') await api.pauseQueue({ name });
    const paused = state === 'PAUSED' ? ', paused' : '';
    return [{ kind: 'created', text: `Queue ${id} created${paused}.` }];
  }
  const changes = differences(current, newQueue(wanted, version));
  if (changes.length > 0)
    await api.updateQueue({ queue: wanted, updateMask: [...GOVERNED], version });
  if (state !== undefined && state !== current.state) {
    await (state === 'PAUSED' ? api.pauseQueue({ name }) : api.resumeQueue({ name }));
    changes.push(`state ${current.state} -> ${state}`);
  }
  if (changes.length > 0) {
    return [{ kind: 'updated', text: `Queue ${id} updated: ${changes.join(', ')}.` }];
  }
  if (state === undefined && current.state !== 'RUNNING') {
    const text = `Queue ${id} is ${current.state}, which the file doesn't say: left as it is.`;
    return [{ kind: 'drifted', text }];
  }
  return [];
}

async function find(api: CloudTasksApi, name: string): Promise<Queue | undefined> {
  try {
    return await api.getQueue({ name });
  } catch (error) {
    if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** `retryConfig.minBackoff 0.1s -> 10s` for each field that is not as wanted. */
function differences(current: Queue, wanted: Queue): string[] {
  const before = leaves(current);
  const after = leaves(wanted);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => `${path} ${shown(path, before.get(path))} -> ${shown(path, after.get(path))}`);
}

type Leaf = string | number | undefined;

function leaves(queue: Queue): Map<string, Leaf> {
  const all = GOVERNED.flatMap((group) =>
    Object.entries<Leaf>({ ...queue[group] }).map(([field, value]): [string, Leaf] => [
      `${group}.${field}`,
      value,
    ]),
  );
  return new Map(all.filter(([path]) => path !== OUTPUT));
}

function shown(path: string, value: Leaf): string {
  if (value === undefined) return '(none)';
  const isDuration = typeof value === 'number' && /(?:Duration|Backoff)$/.test(path);
  return isDuration ? `${value / SECOND}s` : String(value);
}
