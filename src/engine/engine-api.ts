/** All that the engine can be asked: tasks, what only v2beta3 and REST have of them, and schedules. */
import type { BatchApi } from './batch-api.js';
import type { CloudSchedulerApi } from './cloud-scheduler-api.js';
import type { CloudTasksApi, Task } from './cloud-tasks-api.js';
import type { CmekConfigApi } from './cmek-config.js';
import type { LocationsApi } from './locations.js';

export interface BufferTaskRequest {
  /** The queue's full name. */
  queue: string;
  /** Absent or empty, an id is generated. */
  taskId?: string;
  body?: Uint8Array;
  /** Default `Content-Type: application/json`. */
  headers?: Record<string, string>;
}

export interface EngineApi
  extends CloudTasksApi, CloudSchedulerApi, LocationsApi, BatchApi, CmekConfigApi {
  /** Creates a task of nothing but a body: where it goes says the queue's `httpTarget`. */
  bufferTask(request: BufferTaskRequest): Promise<Task>;
}
