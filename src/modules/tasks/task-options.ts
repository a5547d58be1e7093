/** The options of a task, on their four levels: read strictly, merged, the strongest last. */
import { nearestName } from '../../did-you-mean.js';
import type { DurationText } from '../../duration.js';
import { parseDuration } from '../../duration.js';
import { invalidArgument } from '../../engine/errors.js';
import { QUEUE_ID } from '../../engine/resource-name.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
import { printable } from '../../printable.js';
import { isDate } from './argument-text.js';
import type { When } from './schedule-time.js';
import { readCountdown, refuseBoth } from './schedule-time.js';
import { readHeaders } from './task-headers.js';
import { LEAST_DEADLINE, MOST_APP_ENGINE_DEADLINE, MOST_HTTP_DEADLINE } from './task-limits.js';

/** `http`: POST to `serviceUrl` with an ID token. The others: through App Engine's routing. */
export type TaskTarget =
  | 'http'
  | 'app-engine'
  | { readonly service?: string | undefined; readonly version?: string | undefined };

/** What may be said for many tasks at once: in `forRoot`, `@TaskController` and `@Task`. */
export interface TaskDefaults {
  /** The queue's id. */
  readonly queue?: string | undefined;
  /** How long to wait before the first attempt, at most 30 days. */
  readonly countdown?: DurationText | undefined;
  /** How long an attempt may take: 15 s to 30 min, to 24 h 15 s for App Engine. Default 10 min. */
  readonly dispatchDeadline?: DurationText | undefined;
  /** Further headers of the request; those of stronger levels are added to those of weaker ones. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `http`. */
  readonly target?: TaskTarget | undefined;
}

/** What may be said for one task, in `.options()`. */
export interface TaskOptions extends TaskDefaults {
  /** When to make the first attempt, at most 30 days ahead; a past time is now. */
  readonly scheduleTime?: Date | undefined;
  /**
   * The task's own id: a second task of this id is ALREADY_EXISTS, until about an hour after the
   * first has ended. Any text; one that is no legal id is replaced by its SHA-256.
   */
  readonly taskId?: string | undefined;
}

/** The options of one level, checked, in the engine's units. */
export interface ReadOptions {
  readonly queue?: string;
  readonly when?: When;
  readonly dispatchDeadline?: Duration;
  readonly headers?: ReadonlyMap<string, string>;
  readonly target?: TaskTarget;
  readonly taskId?: string;
}

export const TASK_DEFAULTS = [
  'queue',
  'countdown',
  'dispatchDeadline',
  'headers',
  'target',
] as const;
const TASK_OPTIONS = [...TASK_DEFAULTS, 'scheduleTime', 'taskId'] as const;

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskDefaults(options: TaskDefaults): ReadOptions {
  return read(options, TASK_DEFAULTS);
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskOptions(options: TaskOptions): ReadOptions {
  return read(options, TASK_OPTIONS);
}

/** Options that name a queue, as those of `forRoot` do at the latest. */
export type BaseOptions = ReadOptions & { readonly queue: string };

/**
 * @param levels the weakest first
 * @throws CloudTasksError INVALID_ARGUMENT for a deadline that the target can't have
 */
export function mergeOptions(base: BaseOptions, ...levels: readonly ReadOptions[]): BaseOptions {
  const all = [base, ...levels];
  const merged = Object.assign({}, ...all) as BaseOptions;
  const { dispatchDeadline = 0, target = 'http' } = merged;
  if (target === 'http' && dispatchDeadline > MOST_HTTP_DEADLINE) {
    throw invalidArgument(
      `dispatchDeadline: expected at most '30m' for an HTTP target, got '${dispatchDeadline / SECOND}s'.`,
      'dispatchDeadline',
    );
  }
  return { ...merged, headers: new Map(all.flatMap(({ headers }) => [...(headers ?? [])])) };
}

/** @throws CloudTasksError for a name that is none of `known`, with the one that was meant */
export function refuseUnknown(options: unknown, known: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`Options of ${where} must be an object, got ${typeof options}.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const hint = nearest ? `did you mean '${nearest}'?` : `known are ${known.join(', ')}.`;
    throw invalidArgument(`Unknown option '${printable(name)}' of ${where}; ${hint}`, name);
  }
}

function read(options: TaskOptions, known: readonly string[]): ReadOptions {
  refuseUnknown(options, known, 'a task');
  const { queue, dispatchDeadline, headers, target, taskId } = options;
  const when = readWhen(options);
  return {
    ...(queue === undefined ? {} : { queue: readQueueId(queue) }),
    ...(when === undefined ? {} : { when }),
    ...(dispatchDeadline === undefined ? {} : { dispatchDeadline: readDeadline(dispatchDeadline) }),
    ...(headers === undefined ? {} : { headers: readHeaders(headers) }),
    ...(target === undefined ? {} : { target: readTarget(target) }),
    ...(taskId === undefined ? {} : { taskId: readTaskId(taskId) }),
  };
}

function readWhen({ countdown, scheduleTime }: TaskOptions): When | undefined {
  refuseBoth(countdown, scheduleTime);
  if (countdown !== undefined) return readCountdown(countdown);
  if (scheduleTime === undefined) return undefined;
  if (!isDate(scheduleTime) || Number.isNaN(scheduleTime.getTime())) {
    throw invalidArgument(
      `scheduleTime: expected a valid Date, got ${typeof scheduleTime}.`,
      'scheduleTime',
    );
  }
  return { at: scheduleTime.getTime() * MILLISECOND };
}

/** Only what no target can have; the target may be named on another level. */
function readDeadline(text: DurationText): Duration {
  const deadline = parseDuration(text, 'dispatchDeadline');
  if (deadline < LEAST_DEADLINE || deadline > MOST_APP_ENGINE_DEADLINE) {
    throw invalidArgument(
      `dispatchDeadline: expected '15s' to '30m', for App Engine to '86415s', got '${text}'.`,
      'dispatchDeadline',
    );
  }
  return deadline;
}

function readQueueId(queue: unknown): string {
  if (typeof queue !== 'string' || !QUEUE_ID.test(queue)) {
    throw invalidArgument(
      `queue: expected 1 to 100 letters, digits and hyphens, got ${shown(queue)}.`,
      'queue',
    );
  }
  return queue;
}

function readTaskId(taskId: unknown): string {
  if (typeof taskId !== 'string' || taskId === '' || !taskId.isWellFormed()) {
    throw invalidArgument(
      `taskId: expected a text of one or more characters, got ${shown(taskId)}.`,
      'taskId',
    );
  }
  return taskId;
}

function readTarget(target: unknown): TaskTarget {
  if (target === 'http' || target === 'app-engine') return target;
  if (typeof target !== 'object' || target === null) {
    throw invalidArgument(
      `target: expected 'http', 'app-engine' or { service, version }, got ${shown(target)}.`,
      'target',
    );
  }
  refuseUnknown(target, ['service', 'version'], 'a target');
  for (const [name, value] of Object.entries(target)) {
    if (value !== undefined && (typeof value !== 'string' || !/^[a-z0-9-]{1,63}$/.test(value))) {
      throw invalidArgument(
        `target.${name}: expected lower-case letters, digits and hyphens, got ${shown(value)}.`,
        `target.${name}`,
      );
    }
  }
  return target;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${printable(value)}'` : typeof value;
}
