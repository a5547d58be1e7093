/** What an enqueuing endpoint answers: the task that was made, or why there is none. */
import { CloudTasksError } from '../../engine/errors.js';
import type { EnqueuedAs } from '../tasks/calls/handler-tasks.js';
import { formatInstant } from './instant-text.js';

/** What enqueuing answers. */
export interface EnqueuedTask {
  /** Full name: `projects/local/locations/us-central1/queues/default/tasks/42`. */
  readonly name: string;
  /** The queue's id. */
  readonly queue: string;
  /** RFC 3339, as `createTime`. */
  readonly scheduleTime: string;
  readonly createTime: string;
  readonly target: object;
}

/** @param queue its queue's id */
export function shown(task: EnqueuedAs, queue: string): EnqueuedTask {
  const { name, scheduleTime, createTime, httpRequest, appEngineHttpRequest } = task;
  const { service, version, instance } = appEngineHttpRequest?.appEngineRouting ?? {};
  return {
    name,
    queue,
    scheduleTime: formatInstant(scheduleTime),
    createTime: formatInstant(createTime),
    // JSON leaves out what is undefined.
    target: httpRequest
      ? { type: 'http', url: httpRequest.url, method: httpRequest.httpMethod }
      : {
          type: 'app-engine',
          service,
          version,
          instance,
          relativeUri: appEngineHttpRequest?.relativeUri,
          method: appEngineHttpRequest?.httpMethod,
        },
  };
}

/** Which of our fields a field of the API came from. */
const OUR_FIELDS: Readonly<Record<string, string>> = {
  parent: 'queue',
  'task.name': 'taskId',
  'task.scheduleTime': 'scheduleTime',
  'task.dispatchDeadline': 'dispatchDeadline',
  'task.httpRequest.url': 'url',
  'task.appEngineHttpRequest.relativeUri': 'relativeUri',
};

/** The backend's error, about the field of ours that it comes from. */
export function inOurWords(error: unknown): unknown {
  if (!(error instanceof CloudTasksError)) return error;
  const { code, message, cause } = error;
  const byCode = code === 'ALREADY_EXISTS' ? 'taskId' : code === 'NOT_FOUND' ? 'queue' : undefined;
  const field = error.field === undefined ? byCode : (OUR_FIELDS[error.field] ?? byCode);
  return new CloudTasksError(code, message, { field, cause });
}
