/** Buffered tasks: a POST of nothing but a body. Only REST has them, so the protos don't. */
import type { Root } from 'protobufjs';
import type { BufferTaskRequest, EngineApi } from '../engine/engine-api.js';
import { writeMessage } from './rest-json-write.js';
import { readBody, wantsNumericEnums } from './rest-request.js';
import type { RestCall, RestRoutes } from './rest-routes.js';
import { taskToWire } from './wire-task.js';

/** Beneath a queue. The last one is what gcloud asks when it has no id. */
const PATHS = ['tasks:buffer', 'tasks/{task_id}:buffer', 'tasks/:buffer'];

export function addBuffer(routes: RestRoutes, api: EngineApi, root: Root): void {
  for (const version of ['v2', 'v2beta3']) {
    const type = root.lookupType(`google.cloud.tasks.${version}.Task`);
    const buffer = async (call: RestCall) => {
      const task = taskToWire(await api.bufferTask(await bufferRequest(call)));
      const wire = type.decode(type.encode(task).finish());
      return { task: writeMessage(type, wire, { numericEnums: wantsNumericEnums(call.query) }) };
    };
    for (const path of PATHS) {
      const post = `/${version}/{queue=projects/*/locations/*/queues/*}/${path}`;
      routes.add({ post }, buffer);
    }
  }
}

/** Any body is the task's, whatever its type: it is not for this server to read. */
async function bufferRequest({ http, variables }: RestCall): Promise<BufferTaskRequest> {
  const body = await readBody(http);
  const type = http.headers['content-type'];
  const taskId = variables.get('task_id');
  return {
    queue: variables.get('queue') ?? '',
    ...(taskId ? { taskId } : {}),
    ...(body.length > 0 ? { body } : {}),
    ...(type === undefined ? {} : { headers: { 'Content-Type': type } }),
  };
}
