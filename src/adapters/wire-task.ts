/** Tasks on the wire, as a caller gives them and as a server answers them. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { Attempt, HttpMethod, Task, TaskInput, View } from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { routingFromWire } from './wire-queue.js';
import { HTTP_METHODS, oauthTokenFromWire, oidcTokenFromWire } from './wire-request.js';
import {
  fromBytes,
  fromDuration,
  fromText,
  fromTimestamp,
  present,
  toDuration,
  toTimestamp,
  WireEnum,
} from './wire.js';

type HttpRequestInput = NonNullable<TaskInput['httpRequest']>;
type AppEngineRequestInput = NonNullable<TaskInput['appEngineHttpRequest']>;
type WireTask = google.cloud.tasks.v2.ITask;
type WireHttpRequest = google.cloud.tasks.v2.IHttpRequest;
type WireAppEngineRequest = google.cloud.tasks.v2.IAppEngineHttpRequest;
type WireView = google.cloud.tasks.v2.Task.View;
type WireAttempt = google.cloud.tasks.v2.IAttempt;

const METHODS = new WireEnum<HttpMethod, google.cloud.tasks.v2.HttpMethod>(HTTP_METHODS);
const VIEWS = new WireEnum<View, WireView>(['BASIC', 'FULL']);

/** Outputs go along where they are there, for a server's answers. */
export function taskToWire(task: TaskInput & Partial<Omit<Task, keyof TaskInput>>): WireTask {
  const { httpRequest, appEngineHttpRequest } = task;
  // The wire's `oneof` would keep one of the two without a word.
  if (httpRequest && appEngineHttpRequest) {
    throw refusal('TWO_PAYLOADS', { field: 'task' });
  }
  return {
    name: task.name ?? '',
    ...(httpRequest ? { httpRequest: httpRequestToWire(httpRequest) } : {}),
    ...(appEngineHttpRequest
      ? { appEngineHttpRequest: appEngineRequestToWire(appEngineHttpRequest) }
      : {}),
    scheduleTime: toTimestamp(task.scheduleTime, 'task.scheduleTime'),
    createTime: toTimestamp(task.createTime, 'task.createTime'),
    dispatchDeadline: toDuration(task.dispatchDeadline, 'task.dispatchDeadline'),
    dispatchCount: task.dispatchCount ?? 0,
    responseCount: task.responseCount ?? 0,
    firstAttempt: task.firstAttempt ? attemptToWire(task.firstAttempt) : null,
    lastAttempt: task.lastAttempt ? attemptToWire(task.lastAttempt) : null,
    view: VIEWS.to(task.view, 'task.view'),
  };
}

/** As a caller gave it. */
export function taskInputFromWire(wire: WireTask): TaskInput {
  const { httpRequest, appEngineHttpRequest } = wire;
  return present<TaskInput>({
    name: fromText(wire.name),
    httpRequest: httpRequest ? httpRequestFromWire(httpRequest) : undefined,
    appEngineHttpRequest: appEngineHttpRequest
      ? appEngineRequestFromWire(appEngineHttpRequest)
      : undefined,
    scheduleTime: fromTimestamp(wire.scheduleTime, 'task.scheduleTime'),
    dispatchDeadline: fromDuration(wire.dispatchDeadline, 'task.dispatchDeadline'),
  });
}

/** As a server answered it. */
export function taskFromWire(wire: WireTask): Task {
  const { httpRequest, appEngineHttpRequest, ...input } = taskInputFromWire(wire);
  return present<Task>({
    ...input,
    name: wire.name ?? '',
    httpRequest: httpRequest && { httpMethod: 'POST', headers: {}, ...httpRequest },
    appEngineHttpRequest: appEngineHttpRequest && {
      httpMethod: 'POST',
      headers: {},
      appEngineRouting: {},
      relativeUri: '/',
      ...appEngineHttpRequest,
    },
    scheduleTime: input.scheduleTime ?? 0,
    createTime: fromTimestamp(wire.createTime, 'task.createTime') ?? 0,
    dispatchCount: wire.dispatchCount ?? 0,
    responseCount: wire.responseCount ?? 0,
    firstAttempt: wire.firstAttempt
      ? attemptFromWire(wire.firstAttempt, 'firstAttempt')
      : undefined,
    lastAttempt: wire.lastAttempt ? attemptFromWire(wire.lastAttempt, 'lastAttempt') : undefined,
    view: VIEWS.from(wire.view, 'task.view') ?? 'BASIC',
  });
}

export function viewToWire(view: View | undefined): WireView {
  return VIEWS.to(view, 'responseView');
}

export function viewFromWire(wire: WireView | string | null | undefined): View | undefined {
  return VIEWS.from(wire, 'responseView');
}

function httpRequestToWire(request: HttpRequestInput): WireHttpRequest {
  const { oidcToken, oauthToken } = request;
  if (oidcToken && oauthToken) {
    throw refusal('TWO_TOKENS', { field: 'task.httpRequest' });
  }
  return {
    url: request.url,
    httpMethod: METHODS.to(request.httpMethod, 'task.httpRequest.httpMethod'),
    headers: request.headers ?? {},
    body: request.body ?? null,
    ...(oidcToken ? { oidcToken } : {}),
    ...(oauthToken ? { oauthToken } : {}),
  };
}

function httpRequestFromWire(wire: WireHttpRequest): HttpRequestInput {
  const { oidcToken, oauthToken } = wire;
  return present<HttpRequestInput>({
    url: wire.url ?? '',
    httpMethod: METHODS.from(wire.httpMethod, 'task.httpRequest.httpMethod'),
    headers: { ...wire.headers },
    body: fromBytes(wire.body),
    oidcToken: oidcToken ? oidcTokenFromWire(oidcToken) : undefined,
    oauthToken: oauthToken ? oauthTokenFromWire(oauthToken) : undefined,
  });
}

function appEngineRequestToWire(request: AppEngineRequestInput): WireAppEngineRequest {
  return {
    httpMethod: METHODS.to(request.httpMethod, 'task.appEngineHttpRequest.httpMethod'),
    appEngineRouting: request.appEngineRouting ?? null,
    relativeUri: request.relativeUri ?? '',
    headers: request.headers ?? {},
    body: request.body ?? null,
  };
}

function appEngineRequestFromWire(wire: WireAppEngineRequest): AppEngineRequestInput {
  return present<AppEngineRequestInput>({
    httpMethod: METHODS.from(wire.httpMethod, 'task.appEngineHttpRequest.httpMethod'),
    appEngineRouting: wire.appEngineRouting ? routingFromWire(wire.appEngineRouting) : undefined,
    relativeUri: fromText(wire.relativeUri),
    headers: { ...wire.headers },
    body: fromBytes(wire.body),
  });
}

function attemptToWire(attempt: Attempt): WireAttempt {
  return {
    scheduleTime: toTimestamp(attempt.scheduleTime, 'scheduleTime'),
    dispatchTime: toTimestamp(attempt.dispatchTime, 'dispatchTime'),
    responseTime: toTimestamp(attempt.responseTime, 'responseTime'),
    responseStatus: attempt.responseStatus ?? null,
  };
}

function attemptFromWire(wire: WireAttempt, field: string): Attempt {
  const { responseStatus } = wire;
  return present<Attempt>({
    scheduleTime: fromTimestamp(wire.scheduleTime, `${field}.scheduleTime`),
    dispatchTime: fromTimestamp(wire.dispatchTime, `${field}.dispatchTime`),
    responseTime: fromTimestamp(wire.responseTime, `${field}.responseTime`),
    responseStatus: responseStatus
      ? { code: responseStatus.code ?? 0, message: responseStatus.message ?? '' }
      : undefined,
  });
}
