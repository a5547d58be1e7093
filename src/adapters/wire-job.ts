/** Jobs on the wire, as a caller gives them and as a server answers them. */
import type { google } from '@google-cloud/scheduler/build/protos/protos.js';
import type {
  Job,
  JobAppEngineTarget,
  JobHttpTarget,
  JobInput,
  JobRetryConfig,
  JobStatus,
} from '../engine/cloud-scheduler-api.js';
import type { HttpMethod } from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import { routingFromWire } from './wire-queue.js';
import { HTTP_METHODS, oauthTokenFromWire, oidcTokenFromWire } from './wire-request.js';
import {
  camelCase,
  fromBytes,
  fromDuration,
  fromNumber,
  fromText,
  fromTimestamp,
  present,
  toDuration,
  toInt32,
  toTimestamp,
  WireEnum,
} from './wire.js';

type Wire = google.cloud.scheduler.v1.IJob;
type WireHttpTarget = google.cloud.scheduler.v1.IHttpTarget;
type WireAppEngineTarget = google.cloud.scheduler.v1.IAppEngineHttpTarget;

const METHODS = new WireEnum<HttpMethod, google.cloud.scheduler.v1.HttpMethod>(HTTP_METHODS);
const STATES = new WireEnum<JobStatus, google.cloud.scheduler.v1.Job.State>([
  'ENABLED',
  'PAUSED',
  'DISABLED',
  'UPDATE_FAILED',
]);

type Outputs = 'userUpdateTime' | 'state' | 'status' | 'scheduleTime' | 'lastAttemptTime';

/** Outputs go along where they are there, for a server's answers. */
export function jobToWire(job: JobInput & Partial<Pick<Job, Outputs>>): Wire {
  const { httpTarget, appEngineHttpTarget, pubsubTarget, status } = job;
  return {
    name: job.name,
    description: job.description ?? '',
    schedule: job.schedule ?? '',
    timeZone: job.timeZone ?? '',
    ...(httpTarget ? { httpTarget: httpTargetToWire(httpTarget) } : {}),
    ...(appEngineHttpTarget ? { appEngineHttpTarget: appEngineToWire(appEngineHttpTarget) } : {}),
    ...(pubsubTarget ? { pubsubTarget } : {}),
    retryConfig: job.retryConfig ? retryToWire(job.retryConfig) : null,
    attemptDeadline: toDuration(job.attemptDeadline, 'job.attemptDeadline'),
    userUpdateTime: toTimestamp(job.userUpdateTime, 'job.userUpdateTime'),
    state: STATES.to(job.state, 'job.state'),
    status: status ? { ...status } : null,
    scheduleTime: toTimestamp(job.scheduleTime, 'job.scheduleTime'),
    lastAttemptTime: toTimestamp(job.lastAttemptTime, 'job.lastAttemptTime'),
  };
}

/** As a caller gave it. */
export function jobInputFromWire(wire: Wire): JobInput {
  const { httpTarget, appEngineHttpTarget, pubsubTarget, retryConfig } = wire;
  return present<JobInput>({
    name: wire.name ?? '',
    description: fromText(wire.description),
    schedule: fromText(wire.schedule),
    timeZone: fromText(wire.timeZone),
    httpTarget: httpTarget ? httpTargetFromWire(httpTarget) : undefined,
    appEngineHttpTarget: appEngineHttpTarget ? appEngineFromWire(appEngineHttpTarget) : undefined,
    pubsubTarget: pubsubTarget ? {} : undefined,
    retryConfig: retryConfig ? retryFromWire(retryConfig) : undefined,
    attemptDeadline: fromDuration(wire.attemptDeadline, 'job.attemptDeadline') || undefined,
  });
}

/** As a server answered it. */
export function jobFromWire(wire: Wire): Job {
  const {
    httpTarget,
    appEngineHttpTarget,
    retryConfig,
    pubsubTarget: _,
    ...input
  } = jobInputFromWire(wire);
  const { status } = wire;
  const field = 'job';
  return present<Job>({
    ...input,
    schedule: input.schedule ?? '',
    timeZone: input.timeZone ?? '',
    httpTarget: httpTarget && { uri: '', httpMethod: 'POST', headers: {}, ...httpTarget },
    appEngineHttpTarget: appEngineHttpTarget && {
      httpMethod: 'POST',
      headers: {},
      appEngineRouting: {},
      relativeUri: '/',
      ...appEngineHttpTarget,
    },
    retryConfig: {
      retryCount: 0,
      maxRetryDuration: 0,
      minBackoffDuration: 0,
      maxBackoffDuration: 0,
      maxDoublings: 0,
      ...retryConfig,
    },
    userUpdateTime: fromTimestamp(wire.userUpdateTime, `${field}.userUpdateTime`) ?? 0,
    state: STATES.from(wire.state, `${field}.state`) ?? 'ENABLED',
    status: status?.code ? { code: status.code, message: status.message ?? '' } : undefined,
    scheduleTime: fromTimestamp(wire.scheduleTime, `${field}.scheduleTime`),
    lastAttemptTime: fromTimestamp(wire.lastAttemptTime, `${field}.lastAttemptTime`),
  });
}

/** A mask's paths in camelCase. Production refuses over gRPC those that are so already. */
export function jobMask(mask: google.protobuf.IFieldMask | null | undefined): string[] | undefined {
  if (!mask?.paths?.length) return undefined;
  return mask.paths.map((path) => {
    if (/[A-Z]/.test(path)) throw refusal('JOB_MASK', { path, field: 'updateMask' });
    return camelCase(path);
  });
}

function httpTargetToWire(target: Partial<JobHttpTarget>): WireHttpTarget {
  const { oidcToken, oauthToken } = target;
  // The wire's `oneof` would keep one of the two without a word.
  if (oidcToken && oauthToken) throw refusal('JOB_TOKENS', { field: 'job.httpTarget' });
  return {
    uri: target.uri ?? '',
    httpMethod: METHODS.to(target.httpMethod, 'job.httpTarget.httpMethod'),
    headers: target.headers ?? {},
    body: target.body ?? null,
    ...(oidcToken ? { oidcToken } : {}),
    ...(oauthToken ? { oauthToken } : {}),
  };
}

function httpTargetFromWire(wire: WireHttpTarget): Partial<JobHttpTarget> {
  const { oidcToken, oauthToken } = wire;
  return present<Partial<JobHttpTarget>>({
    uri: wire.uri ?? '',
    httpMethod: METHODS.from(wire.httpMethod, 'job.httpTarget.httpMethod'),
    headers: { ...wire.headers },
    body: fromBytes(wire.body),
    oidcToken: oidcToken ? oidcTokenFromWire(oidcToken) : undefined,
    oauthToken: oauthToken ? oauthTokenFromWire(oauthToken) : undefined,
  });
}

function appEngineToWire(target: Partial<JobAppEngineTarget>): WireAppEngineTarget {
  return {
    httpMethod: METHODS.to(target.httpMethod, 'job.appEngineHttpTarget.httpMethod'),
    appEngineRouting: target.appEngineRouting ?? null,
    relativeUri: target.relativeUri ?? '',
    headers: target.headers ?? {},
    body: target.body ?? null,
  };
}

function appEngineFromWire(wire: WireAppEngineTarget): Partial<JobAppEngineTarget> {
  return present<Partial<JobAppEngineTarget>>({
    httpMethod: METHODS.from(wire.httpMethod, 'job.appEngineHttpTarget.httpMethod'),
    appEngineRouting: wire.appEngineRouting ? routingFromWire(wire.appEngineRouting) : undefined,
    relativeUri: fromText(wire.relativeUri),
    headers: { ...wire.headers },
    body: fromBytes(wire.body),
  });
}

const RETRY = 'job.retryConfig';

function retryToWire(config: Partial<JobRetryConfig>): google.cloud.scheduler.v1.IRetryConfig {
  return {
    retryCount: toInt32(config.retryCount, `${RETRY}.retryCount`),
    maxRetryDuration: toDuration(config.maxRetryDuration, `${RETRY}.maxRetryDuration`),
    minBackoffDuration: toDuration(config.minBackoffDuration, `${RETRY}.minBackoffDuration`),
    maxBackoffDuration: toDuration(config.maxBackoffDuration, `${RETRY}.maxBackoffDuration`),
    maxDoublings: toInt32(config.maxDoublings, `${RETRY}.maxDoublings`),
  };
}

function retryFromWire(wire: google.cloud.scheduler.v1.IRetryConfig): Partial<JobRetryConfig> {
  return present<Partial<JobRetryConfig>>({
    retryCount: fromNumber(wire.retryCount),
    maxRetryDuration: fromDuration(wire.maxRetryDuration, `${RETRY}.maxRetryDuration`),
    minBackoffDuration: fromDuration(wire.minBackoffDuration, `${RETRY}.minBackoffDuration`),
    maxBackoffDuration: fromDuration(wire.maxBackoffDuration, `${RETRY}.maxBackoffDuration`),
    maxDoublings: fromNumber(wire.maxDoublings),
  });
}
