/** How large a task is: the length of its serialized protobuf, which is what production limits. */
import type { AppEngineHttpRequest, HttpRequest, Task } from './cloud-tasks-api.js';
import type { Instant } from './time.js';
import { SECOND } from './time.js';

/** 1 MiB - 7, measured in production for both targets, with defaults applied. */
export const MAX_TASK_SIZE = 1_048_569;

const encoder = new TextEncoder();

/** The size in bytes of a task as it is stored, before its first attempt. */
export function taskSize(
  task: Pick<
    Task,
    | 'name'
    | 'httpRequest'
    | 'appEngineHttpRequest'
    | 'scheduleTime'
    | 'createTime'
    | 'dispatchDeadline'
  >,
): number {
  return (
    text(task.name) +
    (task.appEngineHttpRequest ? nested(appEngineRequest(task.appEngineHttpRequest)) : 0) +
    (task.httpRequest ? nested(httpRequest(task.httpRequest)) : 0) +
    nested(time(task.scheduleTime)) +
    nested(time(task.createTime)) +
    (task.dispatchDeadline === undefined ? 0 : nested(time(task.dispatchDeadline))) +
    ENUM
  );
}

function httpRequest(request: HttpRequest): number {
  const { oidcToken, oauthToken } = request;
  return (
    text(request.url) +
    ENUM +
    headers(request.headers) +
    bytes(request.body) +
    (oauthToken ? nested(text(oauthToken.serviceAccountEmail) + text(oauthToken.scope)) : 0) +
    (oidcToken ? nested(text(oidcToken.serviceAccountEmail) + text(oidcToken.audience)) : 0)
  );
}

function appEngineRequest(request: AppEngineHttpRequest): number {
  const { service, version, instance, host } = request.appEngineRouting;
  return (
    ENUM +
    nested(text(service) + text(version) + text(instance) + text(host)) +
    text(request.relativeUri) +
    headers(request.headers) +
    bytes(request.body)
  );
}

/** A map's entry has both its fields, also an empty one. */
function headers(map: Readonly<Record<string, string>>): number {
  return Object.entries(map).reduce(
    (sum, [name, value]) => sum + nested(nested(utf8(name)) + nested(utf8(value))),
    0,
  );
}

/** A tag and a one-byte value. */
const ENUM = 2;

/** Every field number here is below 16, so a tag is one byte. */
function nested(length: number): number {
  return 1 + varint(length) + length;
}

function text(value: string | undefined): number {
  return value ? nested(utf8(value)) : 0;
}

/** Most are ASCII; encoding each only to count it makes garbage. */
function utf8(value: string): number {
  return ASCII.test(value) ? value.length : encoder.encode(value).length;
}

const ASCII = /^[\x00-\x7f]*$/;

function bytes(value: Uint8Array | undefined): number {
  return value?.length ? nested(value.length) : 0;
}

/** A Timestamp or a Duration: seconds and nanoseconds, each left out when zero. */
function time(value: Instant): number {
  const seconds = Math.floor(value / SECOND);
  const nanos = (value % SECOND) * 1000;
  return (seconds ? 1 + varint(seconds) : 0) + (nanos ? 1 + varint(nanos) : 0);
}

function varint(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest /= 128) length++;
  return length;
}
