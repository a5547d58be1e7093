/** The verbs that only v2beta3 has: batches, and the keys of locations. */
import { google } from '@google-cloud/tasks/build/protos';
import type { BatchCreateTasksRequest, BatchDeleteTasksRequest } from '../engine/batch-api.js';
import type { CreateTaskRequest } from '../engine/cloud-tasks-api.js';
import type { UpdateCmekConfigRequest } from '../engine/cmek-config.js';
import type { EngineApi } from '../engine/engine-api.js';
import { view } from './grpc-task-verbs.js';
import type { GrpcVerb } from './grpc-verb.js';
import { verbsOf } from './grpc-verb.js';
import { operationToWire } from './wire-operation.js';
import { taskInputFromWire } from './wire-task.js';
import { camelCase, fromText, present } from './wire.js';

const { v2beta3 } = google.cloud.tasks;
const { Operation } = google.longrunning;

export function betaVerbs(api: EngineApi): GrpcVerb[] {
  const verb = verbsOf('google.cloud.tasks.v2beta3.CloudTasks');
  return [
    verb('BatchCreateTasks', v2beta3.BatchCreateTasksRequest, Operation, async (request) => {
      const { parent, requestId } = request;
      const requests = request.requests.map((each) => createFromWire(each));
      return operationToWire(
        await api.batchCreateTasks(
          present<BatchCreateTasksRequest>({ parent, requests, requestId: fromText(requestId) }),
        ),
      );
    }),
    verb('BatchDeleteTasks', v2beta3.BatchDeleteTasksRequest, Operation, async (request) => {
      const { parent, names, requestId } = request;
      return operationToWire(
        await api.batchDeleteTasks(
          present<BatchDeleteTasksRequest>({ parent, names, requestId: fromText(requestId) }),
        ),
      );
    }),
    verb('GetCmekConfig', v2beta3.GetCmekConfigRequest, v2beta3.CmekConfig, ({ name }) =>
      api.getCmekConfig({ name }),
    ),
    verb('UpdateCmekConfig', v2beta3.UpdateCmekConfigRequest, v2beta3.CmekConfig, (request) => {
      const { name, kmsKey } = request.cmekConfig ?? {};
      const paths = request.updateMask?.paths;
      return api.updateCmekConfig(
        present<UpdateCmekConfigRequest>({
          cmekConfig: { name: name ?? '', kmsKey: kmsKey ?? '' },
          updateMask: paths?.length ? paths.map(camelCase) : undefined,
        }),
      );
    }),
  ];
}

function createFromWire(wire: google.cloud.tasks.v2beta3.ICreateTaskRequest): CreateTaskRequest {
  const { parent, task } = wire;
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- v2 numbers its enums alike
  return { parent: parent ?? '', task: taskInputFromWire(task ?? {}), ...view(wire) };
}
