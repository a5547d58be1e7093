/** Turns the body of an enqueuing request into the task that it asks for. */
import { PayloadTooLargeException } from '@nestjs/common';
import type {
  AppEngineRouting,
  CreateTaskRequest,
  OidcToken,
  TaskInput,
} from '../../engine/cloud-tasks-api.js';
import { taskName } from '../../engine/resource-name.js';
import { MAX_TASK_SIZE } from '../../engine/task-size.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import type { OutboundPolicy } from '../../outbound/outbound-policy.js';
import type { OutboundRule } from '../../outbound/outbound-rule.js';
import { PARKING_ROOM } from '../dead-letters/dead-letter.js';
import { lineageHeaders, newLineage } from '../dead-letters/lineage.js';
import { DEADLINE_HEADER } from '../tasks/task-headers.js';
import { inputSize, MOST_APP_ENGINE_DEADLINE, MOST_HTTP_DEADLINE } from '../tasks/task-limits.js';
import { Fields } from './fields.js';
import { checkRelativeUri } from './relative-uri.js';
import { readHeaders } from './caller-headers.js';
import {
  readDispatchDeadline,
  readMethod,
  readPayload,
  readQueue,
  readScheduleTime,
  readTaskId,
  SHARED_FIELDS,
} from './task-fields.js';

/** The paths that make tasks: a task that called one would make tasks for ever. */
export const ENQUEUING_PATHS = [
  ...['/add_task_app_engine', '/add_task_external', '/do_external_task', '/add_task_relay'],
  ...['/emails', '/webhooks', '/syncs'],
];

/** Those, and what calls other people's URLs: who may enqueue something isn't who may have any called. */
const CLOSED_PATHS = [
  ...ENQUEUING_PATHS,
  ...['/relay', '/relay/callback', '/tasks/process-webhook'],
];

export interface RequestRules {
  readonly now: Instant;
  /** Id of the queue when none is named. */
  readonly queue: string;
  /** Full name of a queue by its id. */
  readonly queueName: (id: string) => string;
  /** Id of the task when none is given; absent, one is made. */
  readonly taskId?: string | undefined;
}

const APP_ENGINE_FIELDS = ['relativeUri', 'service', 'version', 'instance', ...SHARED_FIELDS];
const EXTERNAL_FIELDS = ['url', ...SHARED_FIELDS];

/** App Engine's rule for services and versions; instances are their numbers or names. */
const APP_ENGINE_ID = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Room is left for what the service adds, and for the reason that a dead letter is one. */
const MOST_BYTES = { external: MAX_TASK_SIZE - 1024, ours: MAX_TASK_SIZE - PARKING_ROOM };

/** @throws CloudTasksError, PayloadTooLargeException */
export function appEngineTask(text: string, rules: RequestRules): CreateTaskRequest {
  const fields = new Fields(text, APP_ENGINE_FIELDS);
  const relativeUri = fields.string('relativeUri', "a path such as '/tasks/example'");
  const httpMethod = readMethod(fields, ['POST', 'PUT']);
  const dispatchDeadline = readDispatchDeadline(fields, MOST_APP_ENGINE_DEADLINE, '86415s');
  const { headers, ...body } = readPayload(fields, readHeaders(fields));
  const { request, firstAttempt } = createRequest(fields, rules, dispatchDeadline);
  const lineage = lineageHeaders(newLineage(firstAttempt));
  const appEngineHttpRequest = {
    relativeUri: checkRelativeUri(relativeUri ?? '/tasks/example', CLOSED_PATHS),
    appEngineRouting: readRouting(fields),
    httpMethod,
    headers: { ...headers, ...toldDeadline(dispatchDeadline), ...lineage },
    ...body,
  };
  return fitting({ ...request, task: { ...request.task, appEngineHttpRequest } }, rules, 'ours');
}

/**
 * @param account whose token is attached where the target's rule names no other
 * @throws CloudTasksError, PayloadTooLargeException
 */
export function externalTask(
  text: string,
  rules: RequestRules,
  policy: OutboundPolicy,
  account?: string,
): CreateTaskRequest {
  const fields = new Fields(text, EXTERNAL_FIELDS);
  const target = fields.required('url', "a URL such as 'https://api.example.com/hooks/1'");
  const { url, rule } = policy.permit(target);
  const httpMethod = readMethod(fields, ['POST', 'PUT', 'PATCH']);
  const dispatchDeadline = readDispatchDeadline(fields, MOST_HTTP_DEADLINE, '30m');
  const httpRequest = {
    url: url.href,
    ...token(rule, account),
    httpMethod,
    ...readPayload(fields, readHeaders(fields, { ownOfTarget: ['user-agent'], rule })),
  };
  const { request } = createRequest(fields, rules, dispatchDeadline);
  return fitting({ ...request, task: { ...request.task, httpRequest } }, rules, 'external');
}

function token(
  { audience, serviceAccount }: OutboundRule,
  account: string | undefined,
): { oidcToken?: OidcToken } {
  const serviceAccountEmail = serviceAccount ?? account;
  if (audience === undefined || serviceAccountEmail === undefined) return {};
  return { oidcToken: { serviceAccountEmail, audience } };
}

function createRequest(
  fields: Fields,
  rules: RequestRules,
  dispatchDeadline: Duration | undefined,
): { request: CreateTaskRequest; firstAttempt: Instant } {
  const parent = rules.queueName(readQueue(fields, rules.queue));
  const id = readTaskId(fields) ?? rules.taskId;
  const scheduleTime = readScheduleTime(fields, rules.now);
  const task: TaskInput = {
    ...(id === undefined ? {} : { name: taskName(parent, id) }),
    ...(scheduleTime === undefined ? {} : { scheduleTime }),
    ...(dispatchDeadline === undefined ? {} : { dispatchDeadline }),
  };
  return { request: { parent, task }, firstAttempt: scheduleTime ?? rules.now };
}

function readRouting(fields: Fields): AppEngineRouting {
  const routing: AppEngineRouting = {};
  for (const part of ['service', 'version', 'instance'] as const) {
    const expected = 'up to 63 lower-case letters, digits and inner hyphens';
    const id = fields.matching(part, APP_ENGINE_ID, expected);
    if (id !== undefined) routing[part] = id;
  }
  return routing;
}

/** Told apart from other bad arguments, and before the backend is asked. */
function fitting(
  request: CreateTaskRequest,
  { now }: RequestRules,
  kind: keyof typeof MOST_BYTES,
): CreateTaskRequest {
  const size = inputSize(request.task, request.parent, now);
  if (size <= MOST_BYTES[kind]) return request;
  throw new PayloadTooLargeException({
    message: `payload: expected a task of at most ${MOST_BYTES[kind]} bytes with its headers, got ${size}.`,
    field: 'payload',
  });
}

/** Without it a handler of ours would take the attempt for one of the default length. */
function toldDeadline(deadline: Duration | undefined): Record<string, string> {
  return deadline === undefined ? {} : { [DEADLINE_HEADER]: String(deadline / MILLISECOND) };
}
