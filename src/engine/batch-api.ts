/** Batches of tasks as v2beta3 has them: operations, which here are done at once. */
import type { CreateTaskRequest, Task } from './cloud-tasks-api.js';
import type { ErrorCode } from './errors.js';
import type { Instant } from './time.js';

export interface BatchCreateTasksRequest {
  /** The queue's full name. */
  parent: string;
  /** 1 to 100. An empty parent is that of the batch. */
  requests: CreateTaskRequest[];
  /** A UUID of the caller's: asked for again, it is the same operation, carried out once. */
  requestId?: string;
}

export interface BatchDeleteTasksRequest {
  /** The queue's full name. */
  parent: string;
  /** 1 to 1000. */
  names: string[];
  /** As in {@link BatchCreateTasksRequest}. */
  requestId?: string;
}

export interface Status {
  code: ErrorCode;
  message: string;
}

/** A batch that is done. */
export interface Operation {
  /** `projects/PROJECT/locations/LOCATION/operations/ID` */
  name: string;
  kind: 'create' | 'delete';
  startTime: Instant;
  endTime: Instant;
  state: 'SUCCEEDED' | 'PARTIALLY_SUCCEEDED' | 'FAILED';
  /** By the place in the batch. */
  failedRequests: Record<number, Status>;
  /** Those that were created. */
  tasks: Task[];
  /** Only when all failed. */
  error?: Status;
}

export interface BatchApi {
  /** Each on its own: some may be created while others are refused. */
  batchCreateTasks(request: BatchCreateTasksRequest): Promise<Operation>;
  /** Each on its own: some may be deleted while others are refused. */
  batchDeleteTasks(request: BatchDeleteTasksRequest): Promise<Operation>;
  /** One of the last thousand, until the engine ends. */
  getOperation(request: { name: string }): Promise<Operation>;
}
