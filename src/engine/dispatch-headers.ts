/** The request of one attempt: its target, and the headers that the service adds or takes away. */
import type { AppEngineRouting, HttpRequest, Queue } from './cloud-tasks-api.js';
import { overridden } from './http-target.js';
import type { Dispatch, StoredTask } from './ports.js';
import { shortId, taskName } from './resource-name.js';
import type { Instant } from './time.js';
import { SECOND } from './time.js';

/** Nobody can set these, whatever the target: they say where a request comes from. */
const RESERVED = /^(host|content-length|x-engine-.*|x-google-.*|x-appengine-.*|x-cloudtasks-.*)$/i;

/** What production was seen to send to HTTP targets, though it reads no body. */
const ACCEPTS = { 'Accept-Encoding': 'gzip' };

/** The attempt as it is to be sent, and whose token it needs. */
export interface Prepared {
  readonly dispatch: Dispatch;
  readonly idToken?: { readonly email: string; readonly audience: string };
}

/** The attempt as it is to be sent, but for its token. */
export function toDispatch(task: StoredTask, queue: Queue): Prepared {
  const { httpRequest, appEngineHttpRequest } = task.request;
  if (httpRequest) return toHttp(task, overridden(httpRequest, queue.httpTarget));
  if (!appEngineHttpRequest) throw new Error(`Task ${task.id} has no target.`);
  const { service, version, instance } = routing(appEngineHttpRequest.appEngineRouting, queue);
  const dispatch: Dispatch = {
    task: taskName(task.queue, task.id),
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
  return { dispatch };
}

function toHttp(task: StoredTask, request: HttpRequest): Prepared {
  const { url, httpMethod, oidcToken, oauthToken, body } = request;
  const own = allowed(request.headers);
  const dispatch: Dispatch = {
    task: taskName(task.queue, task.id),
    target: { kind: 'http', url },
    method: httpMethod,
    headers: {
      ...(oidcToken || oauthToken ? withoutAuthorization(own) : own),
      ...(sets(own, 'accept-encoding') ? {} : ACCEPTS),
      ...taskHeaders('X-CloudTasks', task),
    },
    ...(body ? { body } : {}),
  };
  if (!oidcToken) return { dispatch };
  const { serviceAccountEmail: email, audience } = oidcToken;
  return { dispatch, idToken: { email, audience: audience || url } };
}

/** A token takes its place. One of OAuth only Google can make, so then there is none. */
export function withoutAuthorization(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
}

/**
 * A queue's settings may lead a task elsewhere than it was created for, so this is looked at again.
 *
 * @throws when a token would go where anybody on the way can read it.
 */
export function checkTokenTarget({ target }: Dispatch, trustsHttp: (url: URL) => boolean): void {
  const url = target.kind === 'http' ? URL.parse(target.url) : null;
  if (url?.protocol === 'http:' && !trustsHttp(url)) {
    throw new Error('a token may only be sent to an https:// URL');
  }
}

/** The queue's routing beats the task's. */
function routing(task: AppEngineRouting, queue: Queue): AppEngineRouting {
  return queue.appEngineRoutingOverride ?? task;
}

/** The headers as they were given, without those that are not the giver's to set. */
export function allowed(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !RESERVED.test(name)));
}

function sets(headers: Readonly<Record<string, string>>, wanted: string): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === wanted);
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
