/** Who enqueues, and which tasks that caller may make. */
import type { CreateTaskRequest } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import { isDeadLetterQueue } from '../../foundation/dead-letter-queue.js';
import { shortId } from '../../engine/resource-name.js';

export interface ProducerCaller {
  /** For the log: an e-mail address, or a client with the id of its key. */
  readonly name: string;
  /** Whose key it is, where it is one of several. */
  readonly client?: string;
  /** Absent, all of it. */
  readonly scopes?: ProducerScopes;
}

/** Whether a queue is one that anybody may enqueue to. */
export type OpenQueues = (id: string) => boolean;

export interface ProducerScopes {
  readonly queues?: readonly string[];
  readonly tasks?: readonly string[];
  readonly external: boolean;
}

interface NotedCaller extends ProducerCaller {
  readonly isOpen: OpenQueues;
}

const callers = new WeakMap<object, NotedCaller>();

export function noteCaller(request: object, caller: ProducerCaller, isOpen: OpenQueues): void {
  callers.set(request, { ...caller, isOpen });
}

/** @throws CloudTasksError PERMISSION_DENIED when no guard saw the request */
export function callerName(request: object): string {
  return callerOf(request).name;
}

/** @throws CloudTasksError PERMISSION_DENIED for a queue that the caller may not enqueue to */
export function checkQueue(request: object, queue: string): void {
  const { scopes, isOpen } = callerOf(request);
  if (scopes?.queues && !scopes.queues.includes(queue)) deny('queue', 'this queue');
  if (isDeadLetterQueue(queue)) {
    refuseQueue(`${queue} keeps dead letters, which only handlers make.`);
  }
  if (!isOpen(queue)) {
    refuseQueue(
      `${queue} is not one of this app's: ALLOWED_QUEUES or its queues file names those.`,
    );
  }
}

function refuseQueue(message: string): never {
  throw new CloudTasksError('PERMISSION_DENIED', `queue: ${message}`, { field: 'queue' });
}

/**
 * Refuses a task for one of this app's handlers that the caller may not make.
 *
 * @param path the handler's
 * @param external whether it calls other people's URLs
 * @throws CloudTasksError PERMISSION_DENIED, naming the queue where that is the reason
 */
export function checkHandler(
  request: object,
  queue: string,
  path: string,
  external: boolean,
): void {
  checkQueue(request, queue);
  const { tasks, external: mayCallOthers = true } = callerOf(request).scopes ?? {};
  if (external && !mayCallOthers) deny('url', 'calls to other URLs');
  if (!tasks || tasks.includes(path)) return;
  throw new CloudTasksError('PERMISSION_DENIED', `This caller may not enqueue ${path}.`);
}

/** Whose the caller's calls are: a client's, whichever of its keys it shows. */
export function ownerOf(request: object): { readonly name: string; readonly isScoped: boolean } {
  const { name, client, scopes } = callerOf(request);
  return { name: client ?? name, isScoped: scopes !== undefined };
}

function callerOf(request: object): NotedCaller {
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
  checkQueue(request, shortId(parent));
  const { scopes } = callerOf(request);
  if (!scopes) return;
  const { tasks, external } = scopes;
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
