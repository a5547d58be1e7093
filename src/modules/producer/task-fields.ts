/** The fields that tasks of both targets share, read and checked against the API's limits. */
import type { DurationText } from '../../foundation/duration.js';
import { parseDuration } from '../../foundation/duration.js';
import type { HttpMethod } from '../../engine/cloud-tasks-api.js';
import { invalidArgument } from '../../engine/errors.js';
import { QUEUE_ID, TASK_ID } from '../../engine/resource-name.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import { printable } from '../../foundation/printable.js';
import { firstAttempt, readCountdown, refuseBoth } from '../tasks/calls/schedule-time.js';
import { LEAST_DEADLINE } from '../tasks/task-limits.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { Fields } from './fields.js';
import { unexpected } from './fields.js';
import { parseInstant } from './instant-text.js';

export const SHARED_FIELDS = [
  'payload',
  'queue',
  'taskId',
  'countdown',
  'scheduleTime',
  'dispatchDeadline',
  'method',
  'headers',
] as const;

const METHODS: readonly HttpMethod[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

/** The queue's id. */
export function readQueue(fields: Fields, fallback: string): string {
  const expected = 'a queue id of 1 to 100 letters, digits and hyphens';
  return fields.matching('queue', QUEUE_ID, expected) ?? fallback;
}

export function readTaskId(fields: Fields): string | undefined {
  const expected = 'an id of 1 to 500 letters, digits, hyphens and underscores';
  return fields.matching('taskId', TASK_ID, expected);
}

/** When to make the first attempt; undefined for at once. */
export function readScheduleTime(fields: Fields, now: Instant): Instant | undefined {
  const countdown = fields.json('countdown');
  const expected = "an RFC 3339 instant such as '2030-01-31T09:30:00Z'";
  const text = fields.string('scheduleTime', expected);
  refuseBoth(countdown, text);
  if (countdown !== undefined) return firstAttempt(readCountdown(JSON.parse(countdown)), now);
  if (text === undefined) return undefined;
  const at = parseInstant(text) ?? unexpected('scheduleTime', expected, `'${printable(text)}'`);
  return firstAttempt({ at }, now);
}

/**
 * How long an attempt may take.
 *
 * @param most the target's longest, with its name for the error
 */
export function readDispatchDeadline(
  fields: Fields,
  most: Duration,
  mostText: string,
): Duration | undefined {
  const json = fields.json('dispatchDeadline');
  if (json === undefined) return undefined;
  const deadline = parseDuration(JSON.parse(json), 'dispatchDeadline');
  if (deadline < LEAST_DEADLINE || deadline > most) {
    unexpected('dispatchDeadline', `15s to ${mostText} for this target`, printable(json));
  }
  return deadline;
}

/** @param withBody the methods that may carry a body to this kind of target */
export function readMethod(fields: Fields, withBody: readonly HttpMethod[]): HttpMethod {
  const expected = `one of ${METHODS.join(', ')}`;
  const text = fields.string('method', expected) ?? 'POST';
  const method = METHODS.find((name) => name === text);
  if (!method) return unexpected('method', expected, `'${printable(text)}'`);
  if (fields.json('payload') !== undefined && !withBody.includes(method)) {
    throw invalidArgument(
      `payload: only ${withBody.join(', ')} can carry one to this target, got method ${method}.`,
      'payload',
    );
  }
  return method;
}

export interface TaskContent {
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

/**
 * The task's body and its content type, unless the caller's headers name one.
 *
 * A string goes as text; anything else as the JSON text that it came as, byte for byte.
 */
export function readPayload(fields: Fields, headers: Record<string, string>): TaskContent {
  const json = fields.json('payload');
  if (json === undefined) return { headers };
  const isText = json.startsWith('"');
  const text = isText ? (JSON.parse(json) as string) : json;
  if (!text.isWellFormed()) {
    unexpected('payload', 'text without lone surrogates, which UTF-8 has not', printable(text));
  }
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
  return {
    headers: named ? headers : { ...headers, 'Content-Type': type },
    // Not Buffer.from: its bytes may lie in a shared pool, which is copied whole between threads.
    body: new TextEncoder().encode(text),
  };
}

/** Of a task for one of our own handlers: what its options in code are, as fields of a request. */
export const OPTION_FIELDS = [
  ...(['queue', 'taskId', 'countdown', 'scheduleTime'] as const),
  ...(['dispatchDeadline', 'maxAttempts'] as const),
];

/** @throws CloudTasksError INVALID_ARGUMENT; more may be wrong that `readTaskOptions` says */
export function readOptionFields(
  fields: Fields,
  now: Instant,
): TaskOptions & { readonly taskId?: string } {
  const taskId = readTaskId(fields);
  const queue = fields.json('queue') === undefined ? undefined : readQueue(fields, '');
  const at = readScheduleTime(fields, now);
  const value = (name: string): unknown => {
    const json = fields.json(name);
    return json === undefined ? undefined : JSON.parse(json);
  };
  return {
    queue,
    // What isn't right of these is said by whoever reads the options of code.
    dispatchDeadline: value('dispatchDeadline') as DurationText,
    maxAttempts: value('maxAttempts') as number,
    ...(taskId === undefined ? {} : { taskId }),
    // Whole milliseconds, and never earlier than asked.
    ...(at === undefined ? {} : { scheduleTime: new Date(Math.ceil(at / MILLISECOND)) }),
  };
}
