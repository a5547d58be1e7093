/** Who enqueues, and which tasks that caller may make. */
import type { CreateTaskRequest } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import { shortId } from '../../engine/resource-name.js';

export interface ProducerCaller {
  /** For the log: an e-mail address, or a client with the id of its key. */
  readonly name: string;
  /** Absent, all of it. */
  readonly scopes?: ProducerScopes;
}

export interface ProducerScopes {
  readonly queues?: readonly string[];
  readonly tasks?: readonly string[];
  readonly external: boolean;
}

const callers = new WeakMap<object, ProducerCaller>();

export function noteCaller(request: object, caller: ProducerCaller): void {
  callers.set(request, caller);
}

/** @throws CloudTasksError PERMISSION_DENIED when no guard saw the request */
export function callerName(request: object): string {
  return callerOf(request).name;
}

/** @throws CloudTasksError PERMISSION_DENIED for a queue that the caller may not enqueue to */
export function checkQueue(request: object, queue: string): void {
  const { scopes } = callerOf(request);
  if (scopes?.queues && !scopes.queues.includes(queue)) deny('queue', 'this queue');
}

/**
 * Refuses a task for one of this app's handlers that the caller may not make.
 *
 * @param path the handler's
 * @throws CloudTasksError PERMISSION_DENIED, naming the queue where that is the reason
 */
export function checkHandler(request: object, queue: string, path: string): void {
  checkQueue(request, queue);
  const { tasks } = callerOf(request).scopes ?? {};
  if (!tasks || tasks.includes(path)) return;
  throw new CloudTasksError('PERMISSION_DENIED', `This caller may not enqueue ${path}.`);
}

function callerOf(request: object): ProducerCaller {
  const caller = callers.get(request);
  if (!caller) throw new CloudTasksError('PERMISSION_DENIED', 'Nobody has checked who calls.');
  return caller;
}

/**
 * Refuses what the caller of this request may not make.
 *
 * @throws CloudTasksError PERMISSION_DENIED naming the field; also when no guard saw the request
 */
export function checkScopes(request: object, { parent, task }: CreateTaskRequest): void {
  const { scopes } = callerOf(request);
  if (!scopes) return;
  const { tasks, external } = scopes;
  checkQueue(request, shortId(parent));
  if (task.httpRequest && !external) deny('url', 'tasks for other URLs');
  const { relativeUri = '/', appEngineRouting = {} } = task.appEngineHttpRequest ?? {};
  if (!tasks || !task.appEngineHttpRequest) return;
  // A path is this app's only where this app is called.
  const elsewhere = (['service', 'version', 'instance'] as const).find(
    (part) => appEngineRouting[part],
  );
  if (elsewhere) deny(elsewhere, 'tasks of another service');
  // As it was written: of a path in other letters only the router knows whether it is the same.
  if (!tasks.includes(relativeUri.split('?', 1)[0] ?? '')) deny('relativeUri', 'this task');
}

function deny(field: string, what: string): never {
  throw new CloudTasksError('PERMISSION_DENIED', `${field}: this caller may not enqueue ${what}.`, {
    field,
  });
}
