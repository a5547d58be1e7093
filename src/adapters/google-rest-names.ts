/** What REST can't even ask for: a name that has no place in a path is refused in the client. */
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../engine/errors.js';
import { checkLocationName, parseQueueName, parseTaskName } from '../engine/resource-name.js';

type Checks = {
  [Verb in keyof CloudTasksApi]?: (request: Parameters<CloudTasksApi[Verb]>[0]) => void;
};

const queue = ({ name }: { name: string }) => void parseQueueName(name, 'name');
const task = ({ name }: { name: string }) => void parseTaskName(name, 'name');

const resource = ({ resource: name }: { resource: string }) =>
  void parseQueueName(name, 'resource');

const CHECKS: Checks = {
  listQueues: ({ parent }) => checkLocationName(parent, 'parent'),
  createQueue: ({ parent }) => checkLocationName(parent, 'parent'),
  updateQueue: (request) => void parseQueueName(request.queue.name, 'queue.name'),
  getQueue: queue,
  deleteQueue: queue,
  purgeQueue: queue,
  pauseQueue: queue,
  resumeQueue: queue,
  listTasks: ({ parent }) => void parseQueueName(parent, 'parent'),
  createTask: ({ parent }) => void parseQueueName(parent, 'parent'),
  getTask: task,
  deleteTask: task,
  runTask: task,
  getIamPolicy: resource,
  setIamPolicy: resource,
  testIamPermissions: resource,
};

/** What the service says to such a name, where Google's client failed for it. */
export function unaskable(
  error: unknown,
  verb: string,
  request: unknown,
): CloudTasksError | undefined {
  const { message } = (typeof error === 'object' && error ? error : {}) as { message?: unknown };
  if (typeof message !== 'string' || !message.startsWith('Cannot build HTTP request')) {
    return undefined;
  }
  try {
    (CHECKS[verb as keyof CloudTasksApi] as ((request: unknown) => void) | undefined)?.(request);
  } catch (refusal) {
    if (refusal instanceof CloudTasksError) return refusal;
  }
  return undefined;
}
