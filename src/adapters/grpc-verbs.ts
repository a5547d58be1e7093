/** The verbs of google.cloud.tasks.v2.CloudTasks, from request bytes to answer bytes. */
import { google } from '@google-cloud/tasks/build/protos';
import type {
  CloudTasksApi,
  ListQueuesRequest,
  Page,
  TaskRequest,
} from '../engine/cloud-tasks-api.js';
import { invalidArgument } from '../engine/errors.js';
import { queueInputFromWire, queueToWire } from './wire-queue.js';
import { taskInputFromWire, taskToWire, viewFromWire } from './wire-task.js';
import { fromMask, fromNumber, fromText, present } from './wire.js';

export interface GrpcVerb {
  /** Where gRPC finds it: `/google.cloud.tasks.v2.CloudTasks/GetQueue`. */
  readonly path: string;
  readonly run: (request: Uint8Array) => Promise<Buffer>;
}

type UpdateQueueRequest = Parameters<CloudTasksApi['updateQueue']>[0];

const { v2 } = google.cloud.tasks;
const { Empty } = google.protobuf;

export function grpcVerbs(api: CloudTasksApi): GrpcVerb[] {
  return [
    verb('ListQueues', v2.ListQueuesRequest, v2.ListQueuesResponse, async (request) => {
      const { parent, filter } = request;
      const { queues, nextPageToken } = await api.listQueues(
        present<ListQueuesRequest>({ parent, filter: fromText(filter), ...page(request) }),
      );
      return { queues: queues.map(queueToWire), nextPageToken: nextPageToken ?? '' };
    }),
    verb('GetQueue', v2.GetQueueRequest, v2.Queue, async ({ name }) =>
      queueToWire(await api.getQueue({ name })),
    ),
    verb('CreateQueue', v2.CreateQueueRequest, v2.Queue, async ({ parent, queue }) =>
      queueToWire(await api.createQueue({ parent, queue: queueInputFromWire(queue ?? {}) })),
    ),
    verb('UpdateQueue', v2.UpdateQueueRequest, v2.Queue, async ({ queue, updateMask }) =>
      queueToWire(
        await api.updateQueue(
          present<UpdateQueueRequest>({
            queue: queueInputFromWire(queue ?? {}),
            updateMask: fromMask(updateMask),
          }),
        ),
      ),
    ),
    verb('DeleteQueue', v2.DeleteQueueRequest, Empty, async ({ name }) => {
      await api.deleteQueue({ name });
      return {};
    }),
    verb('PurgeQueue', v2.PurgeQueueRequest, v2.Queue, async ({ name }) =>
      queueToWire(await api.purgeQueue({ name })),
    ),
    verb('PauseQueue', v2.PauseQueueRequest, v2.Queue, async ({ name }) =>
      queueToWire(await api.pauseQueue({ name })),
    ),
    verb('ResumeQueue', v2.ResumeQueueRequest, v2.Queue, async ({ name }) =>
      queueToWire(await api.resumeQueue({ name })),
    ),
    verb('ListTasks', v2.ListTasksRequest, v2.ListTasksResponse, async (request) => {
      const { parent } = request;
      const { tasks, nextPageToken } = await api.listTasks({
        parent,
        ...view(request),
        ...page(request),
      });
      return { tasks: tasks.map(taskToWire), nextPageToken: nextPageToken ?? '' };
    }),
    verb('GetTask', v2.GetTaskRequest, v2.Task, async (request) =>
      taskToWire(await api.getTask({ name: request.name, ...view(request) })),
    ),
    verb('CreateTask', v2.CreateTaskRequest, v2.Task, async (request) => {
      const { parent, task } = request;
      return taskToWire(
        await api.createTask({ parent, task: taskInputFromWire(task ?? {}), ...view(request) }),
      );
    }),
    verb('DeleteTask', v2.DeleteTaskRequest, Empty, async ({ name }) => {
      await api.deleteTask({ name });
      return {};
    }),
    verb('RunTask', v2.RunTaskRequest, v2.Task, async (request) =>
      taskToWire(await api.runTask({ name: request.name, ...view(request) })),
    ),
  ];
}

function page({ pageSize, pageToken }: { pageSize: number; pageToken: string }): Page {
  return present<Page>({ pageSize: fromNumber(pageSize), pageToken: fromText(pageToken) });
}

function view({ responseView }: { responseView: Parameters<typeof viewFromWire>[0] }) {
  return present<Pick<TaskRequest, 'responseView'>>({ responseView: viewFromWire(responseView) });
}

function verb<Request, Answer>(
  name: string,
  request: { decode(bytes: Uint8Array): Request },
  answer: { encode(message: Answer): { finish(): Uint8Array } },
  call: (request: Request) => Promise<Answer>,
): GrpcVerb {
  const decode = (bytes: Uint8Array): Request => {
    try {
      return request.decode(bytes);
    } catch {
      throw invalidArgument(`The request is not a valid ${name}Request.`);
    }
  };
  return {
    path: `/google.cloud.tasks.v2.CloudTasks/${name}`,
    run: async (bytes) => {
      const { buffer, byteOffset, byteLength } = answer.encode(await call(decode(bytes))).finish();
      return Buffer.from(buffer, byteOffset, byteLength);
    },
  };
}
