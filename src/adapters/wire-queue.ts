/** Queues on the wire, as a caller gives them and as a server answers them. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { AppEngineRouting, Queue, QueueInput, QueueState } from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import {
  fromDuration,
  fromMask,
  fromNumber,
  fromText,
  fromTimestamp,
  present,
  toDuration,
  toInt32,
  toTimestamp,
  WireEnum,
} from './wire.js';

type WireQueue = google.cloud.tasks.v2.IQueue;

const STATES = new WireEnum<QueueState, google.cloud.tasks.v2.Queue.State>([
  'RUNNING',
  'PAUSED',
  'DISABLED',
]);

/** Outputs go along where they are there, for a server's answers. */
export function queueToWire(
  queue: QueueInput & Partial<Pick<Queue, 'state' | 'purgeTime'>>,
): WireQueue {
  const { rateLimits, retryConfig } = queue;
  return {
    name: queue.name,
    appEngineRoutingOverride: queue.appEngineRoutingOverride ?? null,
    rateLimits: rateLimits
      ? {
          maxDispatchesPerSecond: rateLimits.maxDispatchesPerSecond ?? 0,
          maxBurstSize: toInt32(rateLimits.maxBurstSize, 'queue.rateLimits.maxBurstSize'),
          maxConcurrentDispatches: toInt32(
            rateLimits.maxConcurrentDispatches,
            'queue.rateLimits.maxConcurrentDispatches',
          ),
        }
      : null,
    retryConfig: retryConfig
      ? {
          maxAttempts: toInt32(retryConfig.maxAttempts, 'queue.retryConfig.maxAttempts'),
          maxRetryDuration: toDuration(
            retryConfig.maxRetryDuration,
            'queue.retryConfig.maxRetryDuration',
          ),
          minBackoff: toDuration(retryConfig.minBackoff, 'queue.retryConfig.minBackoff'),
          maxBackoff: toDuration(retryConfig.maxBackoff, 'queue.retryConfig.maxBackoff'),
          maxDoublings: toInt32(retryConfig.maxDoublings, 'queue.retryConfig.maxDoublings'),
        }
      : null,
    state: STATES.to(queue.state, 'queue.state'),
    purgeTime: toTimestamp(queue.purgeTime, 'queue.purgeTime'),
    stackdriverLoggingConfig: queue.stackdriverLoggingConfig ?? null,
  };
}

/** As a caller gave it. */
export function queueInputFromWire(wire: WireQueue): QueueInput {
  const { rateLimits, retryConfig, stackdriverLoggingConfig, appEngineRoutingOverride } = wire;
  return present<QueueInput>({
    name: wire.name ?? '',
    appEngineRoutingOverride: appEngineRoutingOverride
      ? routingFromWire(appEngineRoutingOverride)
      : undefined,
    rateLimits: rateLimits
      ? present<NonNullable<QueueInput['rateLimits']>>({
          maxDispatchesPerSecond: fromNumber(rateLimits.maxDispatchesPerSecond),
          maxBurstSize: fromNumber(rateLimits.maxBurstSize),
          maxConcurrentDispatches: fromNumber(rateLimits.maxConcurrentDispatches),
        })
      : undefined,
    retryConfig: retryConfig
      ? present<NonNullable<QueueInput['retryConfig']>>({
          maxAttempts: fromNumber(retryConfig.maxAttempts),
          maxRetryDuration: fromDuration(
            retryConfig.maxRetryDuration,
            'queue.retryConfig.maxRetryDuration',
          ),
          minBackoff: fromDuration(retryConfig.minBackoff, 'queue.retryConfig.minBackoff'),
          maxBackoff: fromDuration(retryConfig.maxBackoff, 'queue.retryConfig.maxBackoff'),
          maxDoublings: fromNumber(retryConfig.maxDoublings),
        })
      : undefined,
    stackdriverLoggingConfig: stackdriverLoggingConfig
      ? present<NonNullable<QueueInput['stackdriverLoggingConfig']>>({
          samplingRatio: fromNumber(stackdriverLoggingConfig.samplingRatio),
        })
      : undefined,
  });
}

/** As a server answered it. */
export function queueFromWire(wire: WireQueue): Queue {
  const { rateLimits, retryConfig, stackdriverLoggingConfig, ...input } = queueInputFromWire(wire);
  return present<Queue>({
    ...input,
    rateLimits: {
      maxDispatchesPerSecond: 0,
      maxBurstSize: 0,
      maxConcurrentDispatches: 0,
      ...rateLimits,
    },
    retryConfig: {
      maxAttempts: 0,
      maxRetryDuration: 0,
      minBackoff: 0,
      maxBackoff: 0,
      maxDoublings: 0,
      ...retryConfig,
    },
    state: STATES.from(wire.state, 'queue.state') ?? 'RUNNING',
    purgeTime: fromTimestamp(wire.purgeTime, 'queue.purgeTime'),
    stackdriverLoggingConfig: stackdriverLoggingConfig && {
      samplingRatio: 0,
      ...stackdriverLoggingConfig,
    },
  });
}

/** What v2's proto has of a queue's settings. */
export const V2_SETTINGS: readonly string[] = [
  'appEngineRoutingOverride',
  'rateLimits',
  'retryConfig',
  'stackdriverLoggingConfig',
];
const OUTPUTS = ['name', 'state', 'purgeTime'];

/** All settings when there is no mask: what v2 can't carry is not v2's to reset. */
export function v2QueueMask(
  mask: google.protobuf.IFieldMask | null | undefined,
  settings = V2_SETTINGS,
): string[] {
  const paths = fromMask(mask) ?? [...settings];
  for (const path of paths) {
    const [group = ''] = path.split('.', 1);
    if (![...settings, ...OUTPUTS].includes(group)) {
      throw refusal('QUEUE_MASK', { path, field: 'updateMask' });
    }
  }
  return paths;
}

export function routingFromWire(wire: google.cloud.tasks.v2.IAppEngineRouting): AppEngineRouting {
  return present<AppEngineRouting>({
    service: fromText(wire.service),
    version: fromText(wire.version),
    instance: fromText(wire.instance),
    host: fromText(wire.host),
  });
}
