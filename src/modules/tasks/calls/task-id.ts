/** The ids of tasks: given as a text, or made so that calls of one window or payload share one. */
import { createHash } from 'node:crypto';
import type { DurationText } from '../../../foundation/duration.js';
import { parseDuration } from '../../../foundation/duration.js';
import { invalidArgument } from '../../../engine/errors.js';
import { TASK_ID } from '../../../engine/resource-name.js';
import type { Duration, Instant } from '../../../engine/time.js';
import { DAY, SECOND } from '../../../engine/time.js';
import { refuseUnknown, shown } from '../unknown-option.js';

/**
 * One id for all calls of a handler that fall into one window of time, or have one payload, or
 * both: the first makes the task, the others are ALREADY_EXISTS.
 */
export type TaskIdRule =
  | {
      /**
       * 1 s to 9 days, counted from 1970, so that all processes agree. Cloud Tasks remembers the
       * name of a finished task for an hour: for more, give the queue a longer `tombstoneTtl`.
       */
      readonly window: DurationText;
      /** Whether calls with other arguments are others. Default false. */
      readonly byPayload?: boolean | undefined;
    }
  | { readonly window?: undefined; readonly byPayload: true };

export type ReadTaskId =
  string | { readonly window: Duration | undefined; readonly byPayload: boolean };

/** What ids are made of. */
export interface Identified {
  /** What is called, without its arguments: `POST /tasks/:id/send`. */
  readonly callee: string;
  /** With the query. */
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body?: Uint8Array;
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskId(taskId: unknown): ReadTaskId {
  if (typeof taskId === 'object' && taskId !== null) return readTaskIdRule(taskId);
  if (typeof taskId !== 'string' || taskId === '' || !taskId.isWellFormed()) {
    throw invalidArgument(
      `taskId: expected a text of one or more characters, or { window, byPayload }, got ${shown(taskId)}.`,
      'taskId',
    );
  }
  return taskId;
}

/**
 * The form that may be said for many tasks at once: one text would make one task of them all.
 *
 * @throws CloudTasksError INVALID_ARGUMENT
 */
export function readTaskIdRule(taskId: unknown): ReadTaskId {
  if (typeof taskId !== 'object' || taskId === null) {
    throw invalidArgument(
      `taskId: expected { window, byPayload } for many tasks, got ${shown(taskId)}.`,
      'taskId',
    );
  }
  refuseUnknown(taskId, ['window', 'byPayload'], 'taskId');
  const { window, byPayload = false } = taskId as { window?: unknown; byPayload?: unknown };
  if (typeof byPayload !== 'boolean') {
    throw invalidArgument(
      `taskId.byPayload: expected true or false, got ${shown(byPayload)}.`,
      'taskId.byPayload',
    );
  }
  if (window === undefined) {
    if (!byPayload) throw invalidArgument("taskId: expected a window such as '10m'.", 'taskId');
    return { window, byPayload };
  }
  const length = parseDuration(window, 'taskId.window');
  if (length < SECOND || length > 9 * DAY) {
    throw invalidArgument(
      `taskId.window: expected '1s' to '9d', got ${shown(window)}.`,
      'taskId.window',
    );
  }
  return { window: length, byPayload };
}

/** A legal id, always the same for the same call; digests are spread well. */
export function idOf(taskId: ReadTaskId, call: Identified, now: Instant): string {
  if (typeof taskId === 'string') return legalId(taskId);
  const { window, byPayload } = taskId;
  const started = window === undefined ? [] : [window, Math.floor(now / window)];
  return digest(JSON.stringify([call.callee, started, ...(byPayload ? payload(call) : [])]));
}

/** A text that is no legal id is replaced by its digest, always the same one. */
export function legalId(taskId: string): string {
  return TASK_ID.test(taskId) ? taskId : digest(taskId);
}

function payload({ path, headers, body = new Uint8Array() }: Identified): unknown[] {
  const type = headers.get('content-type');
  const text = type === 'application/json' ? sortedJson(body) : digest(body);
  return [path, [...headers].sort(byName), text];
}

/** Whoever writes the fields of an object in another order means the same. */
function sortedJson(body: Uint8Array): string {
  return JSON.stringify(JSON.parse(new TextDecoder().decode(body)), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(byName))
      : value,
  );
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
