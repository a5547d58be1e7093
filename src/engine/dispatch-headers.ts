/** The request of one attempt: its target, and the headers that the service adds or takes away. */
import type { AppEngineRouting, Queue } from './cloud-tasks-api.js';
import type { Dispatch, StoredTask } from './ports.js';
import { shortId } from './resource-name.js';
import type { Instant } from './time.js';
import { SECOND } from './time.js';

/** A task can't set these, whatever its target: they say where a request comes from. */
const RESERVED = /^(host|content-length|x-engine-.*|x-google-.*|x-appengine-.*|x-cloudtasks-.*)$/i;

/** The attempt as it is to be sent, but for its token. */
export function toDispatch(task: StoredTask, queue: Queue): Dispatch {
  const { httpRequest, appEngineHttpRequest } = task.request;
  if (httpRequest) {
    return {
      target: { kind: 'http', url: httpRequest.url },
      method: httpRequest.httpMethod,
      headers: { ...allowed(httpRequest.headers), ...taskHeaders('X-CloudTasks', task) },
      ...(httpRequest.body ? { body: httpRequest.body } : {}),
    };
  }
  if (!appEngineHttpRequest) throw new Error(`Task ${task.id} has no target.`);
  const { service, version, instance } = routing(appEngineHttpRequest.appEngineRouting, queue);
  return {
    target: {
      kind: 'app-engine',
      service: service ?? '',
      version: version ?? '',
      instance: instance ?? '',
      relativeUri: appEngineHttpRequest.relativeUri,
    },
    method: appEngineHttpRequest.httpMethod,
    headers: { ...allowed(appEngineHttpRequest.headers), ...taskHeaders('X-AppEngine', task) },
    ...(appEngineHttpRequest.body ? { body: appEngineHttpRequest.body } : {}),
  };
}

/** The queue's routing beats the task's. */
function routing(task: AppEngineRouting, queue: Queue): AppEngineRouting {
  return queue.appEngineRoutingOverride ?? task;
}

function allowed(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !RESERVED.test(name)));
}

function taskHeaders(
  prefix: 'X-CloudTasks' | 'X-AppEngine',
  task: StoredTask,
): Record<string, string> {
  const { state } = task;
  return {
    [`${prefix}-QueueName`]: shortId(task.queue),
    [`${prefix}-TaskName`]: task.id,
    [`${prefix}-TaskRetryCount`]: String(state.dispatchCount),
    [`${prefix}-TaskExecutionCount`]: String(state.executionCount),
    [`${prefix}-TaskETA`]: epochSeconds(state.scheduleTime),
    ...(state.previousResponse === undefined
      ? {}
      : {
          [`${prefix}-TaskPreviousResponse`]: String(state.previousResponse),
          [`${prefix}-TaskRetryReason`]: retryReason(prefix, state.previousResponse),
        }),
  };
}

/** Production leaves the reason empty for HTTP targets. */
function retryReason(prefix: 'X-CloudTasks' | 'X-AppEngine', previousResponse: number): string {
  if (prefix === 'X-CloudTasks') return '';
  return previousResponse === 0 ? 'Instance Unavailable' : 'App Error';
}

/** Seconds with up to six decimals: `1721236265.266817`. A double holds that exactly enough. */
function epochSeconds(instant: Instant): string {
  return String(instant / SECOND);
}
