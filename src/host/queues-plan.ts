/** What a file wants of queues, whatever form it is written in. */
import type { QueueInput } from '../engine/cloud-tasks-api.js';
import type { YamlPlace } from './yaml-place.js';

export interface QueuesPlan {
  readonly queues: readonly PlannedQueue[];
  /** What stands in the file and means nothing here, a line for each. */
  readonly notApplied: readonly string[];
  /** The location that the file names, where it does. */
  readonly region?: string;
}

export interface PlannedQueue {
  readonly id: string;
  /** By v2beta3's rules, in which a burst can be set. */
  readonly settings: Omit<QueueInput, 'name'>;
  /** What only a queue that isn't there yet gets. */
  readonly atCreation?: Pick<QueueInput, 'taskTtl' | 'tombstoneTtl'>;
  /** Absent, a queue that is paused stays paused, and one that runs goes on. */
  readonly state?: 'RUNNING' | 'PAUSED';
  readonly place: YamlPlace;
}

export const QUEUE_ID = /^[A-Za-z0-9-]{1,100}$/;
export const QUEUE_ID_EXPECTED = 'a queue id of 1 to 100 letters, digits and hyphens';
