/** Batches on the wire: google.longrunning's operations, which are always done. */
import { google } from '@google-cloud/tasks/build/protos';
import type { Operation, Status } from '../engine/batch-api.js';
import { taskToWire } from './wire-task.js';
import { toCode, toTimestamp } from './wire.js';

const { v2beta3 } = google.cloud.tasks;
const PACKAGE = 'type.googleapis.com/google.cloud.tasks.v2beta3';

const { State: CREATE_STATES } = v2beta3.BatchCreateTasksMetadata;
const { State: DELETE_STATES } = v2beta3.BatchDeleteTasksMetadata;

export function operationToWire(operation: Operation): google.longrunning.IOperation {
  const { name, error } = operation;
  const metadata = metadataOf(operation);
  if (error) return { name, done: true, metadata, error: statusToWire(error) };
  return { name, done: true, metadata, response: responseOf(operation) };
}

function metadataOf(operation: Operation): google.protobuf.IAny {
  const { kind, state } = operation;
  const shared = {
    startTime: toTimestamp(operation.startTime, 'startTime'),
    endTime: toTimestamp(operation.endTime, 'endTime'),
    failedRequests: Object.fromEntries(
      Object.entries(operation.failedRequests).map(([index, status]) => [
        index,
        statusToWire(status),
      ]),
    ),
  };
  return kind === 'create'
    ? {
        type_url: `${PACKAGE}.BatchCreateTasksMetadata`,
        value: v2beta3.BatchCreateTasksMetadata.encode({
          ...shared,
          state: CREATE_STATES[state],
        }).finish(),
      }
    : {
        type_url: `${PACKAGE}.BatchDeleteTasksMetadata`,
        value: v2beta3.BatchDeleteTasksMetadata.encode({
          ...shared,
          state: DELETE_STATES[state],
        }).finish(),
      };
}

function responseOf({ kind, tasks }: Operation): google.protobuf.IAny {
  if (kind === 'delete') {
    return { type_url: 'type.googleapis.com/google.protobuf.Empty', value: new Uint8Array() };
  }
  // By the bytes of each task, whose shape v2 and v2beta3 share.
  const response = v2beta3.BatchCreateTasksResponse.fromObject({ tasks: tasks.map(taskToWire) });
  return {
    type_url: `${PACKAGE}.BatchCreateTasksResponse`,
    value: v2beta3.BatchCreateTasksResponse.encode(response).finish(),
  };
}

function statusToWire({ code, message }: Status): google.rpc.IStatus {
  return { code: toCode(code), message };
}
