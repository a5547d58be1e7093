/** The verbs that v2 and v2beta3 have in common, but for their queues: tasks, deletes and IAM. */
import { google } from '@google-cloud/tasks/build/protos';
import type { ApiVersion, CloudTasksApi, Page, TaskRequest } from '../engine/cloud-tasks-api.js';
import type { SetIamPolicyRequest } from '../engine/iam-api.js';
import type { GrpcVerb } from './grpc-verb.js';
import { verbsOf } from './grpc-verb.js';
import { policyInputFromWire, policyToWire } from './wire-iam.js';
import { taskInputFromWire, taskToWire, viewFromWire } from './wire-task.js';
import { camelCase, fromNumber, fromText, present } from './wire.js';

type Messages = Pick<
  typeof google.cloud.tasks.v2,
  | 'ListTasksRequest'
  | 'ListTasksResponse'
  | 'GetTaskRequest'
  | 'CreateTaskRequest'
  | 'DeleteTaskRequest'
  | 'RunTaskRequest'
  | 'Task'
  | 'DeleteQueueRequest'
>;

const MESSAGES: Record<ApiVersion, Messages> = {
  v2: google.cloud.tasks.v2,
  // The same fields under the same names. Their numbers differ, which only the codecs know.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- both number their views alike
  v2beta3: google.cloud.tasks.v2beta3,
};
const { Empty } = google.protobuf;
const iam = google.iam.v1;

export function taskVerbs(api: CloudTasksApi, version: ApiVersion): GrpcVerb[] {
  const verb = verbsOf(`google.cloud.tasks.${version}.CloudTasks`);
  const messages = MESSAGES[version];
  const { Task } = messages;
  return [
    verb('ListTasks', messages.ListTasksRequest, messages.ListTasksResponse, async (request) => {
      const { parent } = request;
      const { tasks, nextPageToken } = await api.listTasks({
        parent,
        ...view(request),
        ...page(request),
      });
      return { tasks: tasks.map(taskToWire), nextPageToken: nextPageToken ?? '' };
    }),
    verb('GetTask', messages.GetTaskRequest, Task, async (request) =>
      taskToWire(await api.getTask({ name: request.name, ...view(request) })),
    ),
    verb('CreateTask', messages.CreateTaskRequest, Task, async (request) => {
      const { parent, task } = request;
      return taskToWire(
        await api.createTask({ parent, task: taskInputFromWire(task ?? {}), ...view(request) }),
      );
    }),
    verb('DeleteTask', messages.DeleteTaskRequest, Empty, async ({ name }) => {
      await api.deleteTask({ name });
      return {};
    }),
    verb('RunTask', messages.RunTaskRequest, Task, async (request) =>
      taskToWire(await api.runTask({ name: request.name, ...view(request) })),
    ),
    verb('DeleteQueue', messages.DeleteQueueRequest, Empty, async ({ name }) => {
      await api.deleteQueue({ name });
      return {};
    }),
    verb('GetIamPolicy', iam.GetIamPolicyRequest, iam.Policy, async ({ resource }) =>
      policyToWire(await api.getIamPolicy({ resource })),
    ),
    verb('SetIamPolicy', iam.SetIamPolicyRequest, iam.Policy, async (request) =>
      policyToWire(
        await api.setIamPolicy(
          present<SetIamPolicyRequest>({
            resource: request.resource,
            policy: policyInputFromWire(request.policy ?? {}),
            updateMask: request.updateMask?.paths?.length
              ? request.updateMask.paths.map(camelCase)
              : undefined,
          }),
        ),
      ),
    ),
    verb(
      'TestIamPermissions',
      iam.TestIamPermissionsRequest,
      iam.TestIamPermissionsResponse,
      ({ resource, permissions }) => api.testIamPermissions({ resource, permissions }),
    ),
  ];
}

export function page({ pageSize, pageToken }: { pageSize: number; pageToken: string }): Page {
  return present<Page>({ pageSize: fromNumber(pageSize), pageToken: fromText(pageToken) });
}

export function view({ responseView }: { responseView?: Parameters<typeof viewFromWire>[0] }) {
  return present<Pick<TaskRequest, 'responseView'>>({ responseView: viewFromWire(responseView) });
}
