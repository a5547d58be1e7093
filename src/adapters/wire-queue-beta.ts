/** Queues as v2beta3 has them on the wire: v2's, and what that lacks. */
import type { google } from '@google-cloud/tasks/build/protos';
import type {
  Queue,
  QueueInput,
  QueueState,
  QueueStats,
  QueueType,
} from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { httpTargetFromWire, httpTargetToWire } from './wire-http-target.js';
import { queueFromWire, queueInputFromWire, queueToWire } from './wire-queue.js';
import {
  fromDuration,
  fromMask,
  present,
  toDuration,
  toMask,
  toTimestamp,
  WireEnum,
} from './wire.js';

type WireQueue = google.cloud.tasks.v2beta3.IQueue;

const STATES = new WireEnum<QueueState, google.cloud.tasks.v2beta3.Queue.State>([
  'RUNNING',
  'PAUSED',
  'DISABLED',
]);
const TYPES = new WireEnum<QueueType, google.cloud.tasks.v2beta3.Queue.Type>(['PULL', 'PUSH']);

/** Outputs go along where they are there, for a server's answers. */
export function betaQueueToWire(
  queue: QueueInput & Partial<Pick<Queue, 'state' | 'purgeTime' | 'stats'>>,
): WireQueue {
  const { appEngineRoutingOverride, state: _, ...shared } = queueToWire(queue);
  return {
    ...shared,
    ...(appEngineRoutingOverride ? { appEngineHttpQueue: { appEngineRoutingOverride } } : {}),
    httpTarget: queue.httpTarget ? httpTargetToWire(queue.httpTarget) : null,
    state: STATES.to(queue.state, 'queue.state'),
    taskTtl: toDuration(queue.taskTtl, 'queue.taskTtl'),
    tombstoneTtl: toDuration(queue.tombstoneTtl, 'queue.tombstoneTtl'),
    type: TYPES.to(queue.type ?? 'PUSH', 'queue.type'),
    stats: queue.stats ? statsToWire(queue.stats) : null,
  };
}

/** As a caller gave it. */
export function betaQueueInputFromWire(wire: WireQueue): QueueInput {
  const { appEngineHttpQueue, httpTarget, state: _, ...shared } = wire;
  const { appEngineRoutingOverride = null } = appEngineHttpQueue ?? {};
  return present<QueueInput>({
    ...queueInputFromWire({ ...shared, appEngineRoutingOverride }),
    httpTarget: httpTarget ? httpTargetFromWire(httpTarget) : undefined,
    taskTtl: fromDuration(wire.taskTtl, 'queue.taskTtl'),
    tombstoneTtl: fromDuration(wire.tombstoneTtl, 'queue.tombstoneTtl'),
    type: TYPES.from(wire.type, 'queue.type'),
  });
}

/** As a server answered it, but for its statistics. */
export function betaQueueFromWire(wire: WireQueue): Queue {
  const { appEngineHttpQueue, state, ...shared } = wire;
  const { appEngineRoutingOverride = null } = appEngineHttpQueue ?? {};
  return present<Queue>({
    ...queueFromWire({ ...shared, appEngineRoutingOverride }),
    state: STATES.from(state, 'queue.state') ?? 'RUNNING',
    httpTarget: wire.httpTarget ? httpTargetFromWire(wire.httpTarget) : undefined,
    taskTtl: fromDuration(wire.taskTtl, 'queue.taskTtl'),
    tombstoneTtl: fromDuration(wire.tombstoneTtl, 'queue.tombstoneTtl'),
  });
}

/** CloudTasksApi's paths as this version names them, for a request. */
export function betaMask(paths: readonly string[] | undefined) {
  return toMask(
    paths?.map((path) =>
      path.replace(
        /^appEngineRoutingOverride(?![^.])/,
        'appEngineHttpQueue.appEngineRoutingOverride',
      ),
    ),
  );
}

/** The paths as this version names them; `stats` must be among them to be answered. */
export function betaReadMask(
  mask: google.protobuf.IFieldMask | null | undefined,
): string[] | undefined {
  const paths = fromMask(mask);
  for (const path of paths ?? []) {
    const [field = ''] = path.split('.', 1);
    if (field !== '*' && !FIELDS.includes(field)) {
      throw refusal('QUEUE_MASK', { path, field: 'readMask' });
    }
  }
  return paths;
}

/** Just what the mask names. */
export function inMask(queue: WireQueue, paths: readonly string[] | undefined): WireQueue {
  if (!paths || paths.includes('*')) return queue;
  return paths.reduce<object>(
    (kept, path) => ({ ...kept, ...part(queue, path.split('.'), kept) }),
    {},
  );
}

/** The field at the path, beside what was taken from the same message before. */
function part(message: object, [name = '', ...rest]: readonly string[], kept: object): object {
  const value = new Map<string, unknown>(Object.entries(message)).get(name);
  if (rest.length === 0 || typeof value !== 'object' || value === null) return { [name]: value };
  const beside = new Map<string, unknown>(Object.entries(kept)).get(name) ?? {};
  return { [name]: { ...beside, ...part(value, rest, beside) } };
}

const FIELDS = [
  'name',
  'appEngineHttpQueue',
  'httpTarget',
  'rateLimits',
  'retryConfig',
  'state',
  'purgeTime',
  'taskTtl',
  'tombstoneTtl',
  'stackdriverLoggingConfig',
  'type',
  'stats',
];

/** The paths as CloudTasksApi names them. */
export function betaQueueMask(
  mask: google.protobuf.IFieldMask | null | undefined,
): string[] | undefined {
  return fromMask(mask)?.map((path) =>
    path.replace(
      /^appEngineHttpQueue(\.appEngineRoutingOverride)?(?![^.])/,
      'appEngineRoutingOverride',
    ),
  );
}

function statsToWire(stats: QueueStats): google.cloud.tasks.v2beta3.IQueueStats {
  const { oldestEstimatedArrivalTime, ...counts } = stats;
  return {
    ...counts,
    oldestEstimatedArrivalTime: toTimestamp(oldestEstimatedArrivalTime, 'queue.stats'),
  };
}
