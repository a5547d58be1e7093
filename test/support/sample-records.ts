/** Queues, tasks and jobs to put into a store, with as little said as a test needs. */
import type { Queue } from '../../src/engine/cloud-tasks-api.js';
import type { StoredJob, StoredTask } from '../../src/engine/ports.js';

export type NewTask = Omit<StoredTask, 'seq'>;

export const QUEUE = queueName('default');

export function queueName(id: string): string {
  return `projects/local/locations/us-central1/queues/${id}`;
}

export function sampleQueue(name = QUEUE): Queue {
  return {
    name,
    rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
    retryConfig: {
      maxAttempts: 100,
      maxRetryDuration: 0,
      minBackoff: 100_000,
      maxBackoff: 3_600_000_000,
      maxDoublings: 16,
    },
    state: 'RUNNING',
  };
}

export function sampleJob(id: string, state: Partial<StoredJob['state']> = {}): StoredJob {
  return {
    job: {
      name: `projects/local/locations/us-central1/jobs/${id}`,
      schedule: '0 3 * * *',
      timeZone: 'Etc/UTC',
      userUpdateTime: 1,
      state: 'ENABLED',
      httpTarget: {
        uri: 'https://example.com/',
        httpMethod: 'POST',
        headers: { 'X-Mine': 'Ünï' },
        body: new Uint8Array([0, 255]),
      },
      retryConfig: {
        retryCount: 0,
        maxRetryDuration: 0,
        minBackoffDuration: 5_000_000,
        maxBackoffDuration: 3_600_000_000,
        maxDoublings: 5,
      },
      attemptDeadline: 180_000_000,
    },
    state: { executions: 0, nextTick: 10, ...state },
  };
}

export function sampleTask(
  id: string,
  {
    queue = QUEUE,
    scheduleTime = 1000,
    body = new Uint8Array(),
  }: { queue?: string; scheduleTime?: number; body?: Uint8Array | null } = {},
): NewTask {
  return {
    queue,
    id,
    request: {
      httpRequest: {
        url: 'https://example.com/',
        httpMethod: 'POST',
        headers: { 'User-Agent': 'Google-Cloud-Tasks' },
        ...(body ? { body } : {}),
      },
      createTime: 1_767_225_600_000_000,
      dispatchDeadline: 600_000_000,
    },
    state: { scheduleTime, dispatchCount: 0, responseCount: 0, executionCount: 0 },
  };
}
