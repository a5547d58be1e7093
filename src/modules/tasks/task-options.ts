/** The options of a task, on their four levels: read strictly, merged, the strongest last. */
import { LONGEST_QUEUE_ID } from '../../foundation/dead-letter-queue.js';
import type { DurationText } from '../../foundation/duration.js';
import { parseDuration } from '../../foundation/duration.js';
import { invalidArgument } from '../../engine/errors.js';
import { QUEUE_ID } from '../../engine/resource-name.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
import { isDate } from './calls/argument-text.js';
import type { When } from './calls/schedule-time.js';
import { readCountdown, refuseBoth } from './calls/schedule-time.js';
import { readMaxAttempts } from './attempts/attempt-rules.js';
import { MAX_ATTEMPTS_HEADER, readHeaders } from './task-headers.js';
import type { TaskHookOption } from './hooks/task-hook.js';
import { readHooks } from './hooks/task-hook.js';
import type { OAuthOptions, OidcOptions, TaskTarget } from './target-options.js';
import { readOAuth, readOidc, readTarget } from './target-options.js';
import type {
  IdempotencyOptions,
  ReadIdempotency,
  TaskIdempotency,
} from './attempts/idempotency.js';
import { readIdempotency, readTaskIdempotency } from './attempts/idempotency.js';
import type { ReadTaskId, TaskIdRule } from './calls/task-id.js';
import { readTaskId, readTaskIdRule } from './calls/task-id.js';
import {
  LEAST_DEADLINE,
  MOST_APP_ENGINE_DEADLINE,
  MOST_CREATE_TIMEOUT,
  MOST_HTTP_DEADLINE,
} from './task-limits.js';
import { refuseUnknown, shown } from './unknown-option.js';

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
  /** The ID token of HTTP tasks. Default: one that handlers accept. */
  readonly oidc?: OidcOptions | undefined;
  /** An access token instead; only of `TaskProducer.http`, since handlers take ID tokens. */
  readonly oauth?: OAuthOptions | undefined;
  /** One id for all calls of a window or of a payload. */
  readonly taskId?: TaskIdRule | undefined;
  /**
   * What becomes of a call whose id was used: `error` throws ALREADY_EXISTS, `ignore` answers the
   * task that is meant, marked as `duplicate`. Default `error`.
   */
  readonly onDuplicate?: OnDuplicate | undefined;
  /**
   * How long the create may take, the wait for the app to listen included, `1ms` to `20s`; then it
   * is DEADLINE_EXCEEDED, and may have been carried out. Default: as long as the backend takes,
   * which with Google is 20 s at most.
   */
  readonly createTimeout?: DurationText | undefined;
  /**
   * Whether `.delay` has the app's own `ValidationPipe` and parsing pipes, and without one the
   * class-validator rules of a DTO, check the arguments before anything is sent. Default true.
   */
  readonly validate?: boolean | undefined;
  /**
   * Attempts until a task is parked among the dead letters, those before a `RetryLater` included;
   * -1 for as many as it takes. Default 100.
   */
  readonly maxAttempts?: number | undefined;
  /** What to call before the create, around the handler, after the outcome; added to weaker ones. */
  readonly hooks?: readonly TaskHookOption[] | undefined;
  /**
   * Whether a handler does its work once, however often a task is delivered; `true` for the
   * defaults. Default false.
   */
  readonly idempotency?: IdempotencyOptions | boolean | undefined;
}

export type OnDuplicate = 'error' | 'ignore';

/** What may be said for one task, in `.options()`. */
export interface TaskOptions extends Omit<TaskDefaults, 'taskId' | 'idempotency'> {
  /** When to make the first attempt, at most 30 days ahead; a past time is now. */
  readonly scheduleTime?: Date | undefined;
  /**
   * The task's own id: a second task of this id is ALREADY_EXISTS, until about an hour after the
   * first has ended. Any text; one that is no legal id is replaced by its SHA-256. Or a rule.
   */
  readonly taskId?: string | TaskIdRule | undefined;
  /** The same work as every other task of this handler with this key, which is then done once. */
  readonly idempotency?: TaskIdempotency | undefined;
}

/** The options of one level, checked, in the engine's units. */
export interface ReadOptions {
  readonly queue?: string;
  readonly when?: When;
  readonly dispatchDeadline?: Duration;
  readonly headers?: ReadonlyMap<string, string>;
  readonly target?: TaskTarget;
  readonly token?: ReadToken;
  readonly taskId?: ReadTaskId;
  readonly onDuplicate?: OnDuplicate;
  readonly createTimeout?: Duration;
  readonly validate?: boolean;
  readonly maxAttempts?: number;
  readonly hooks?: readonly TaskHookOption[];
  readonly idempotency?: ReadIdempotency | false;
  /** Of one task. */
  readonly idempotencyKey?: string;
}

/** A request has one token, so a stronger level's replaces a weaker one's of the other kind too. */
export type ReadToken = { readonly oidc: OidcOptions } | { readonly oauth: OAuthOptions };

export const TASK_DEFAULTS = [
  'queue',
  'countdown',
  'dispatchDeadline',
  'headers',
  'target',
  'oidc',
  'oauth',
  'taskId',
  'onDuplicate',
  'createTimeout',
  'validate',
  'maxAttempts',
  'hooks',
  'idempotency',
] as const;
export const TASK_OPTIONS = [...TASK_DEFAULTS, 'scheduleTime'] as const;

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskDefaults(options: TaskDefaults): ReadOptions {
  return read(options, TASK_DEFAULTS, {
    taskId: readTaskIdRule,
    idempotency: (given) => ({ idempotency: readIdempotency(given) }),
  });
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskOptions(options: TaskOptions): ReadOptions {
  const { maxAttempts, ...rest } = read(options, TASK_OPTIONS, {
    taskId: readTaskId,
    idempotency: (given) => ({ idempotencyKey: readTaskIdempotency(given).key }),
  });
  if (maxAttempts === undefined) return rest;
  // One task's own limit has to travel with it.
  const limit = [MAX_ATTEMPTS_HEADER.toLowerCase(), String(maxAttempts)] as const;
  return { ...rest, headers: new Map([...(rest.headers ?? []), limit]) };
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
  return {
    ...merged,
    headers: new Map(all.flatMap(({ headers }) => [...(headers ?? [])])),
    hooks: all.flatMap(({ hooks }) => hooks ?? []),
  };
}

/** What means something else for one task than for many. */
interface Readers {
  readonly taskId: (given: unknown) => ReadTaskId;
  readonly idempotency: (given: unknown) => ReadOptions;
}

function read(
  options: Omit<TaskOptions, 'idempotency'> & { readonly idempotency?: unknown },
  known: readonly string[],
  readers: Readers,
): ReadOptions {
  refuseUnknown(options, known, 'a task');
  const { queue, dispatchDeadline, headers, target, taskId, onDuplicate, createTimeout } = options;
  const { idempotency, maxAttempts } = options;
  const when = readWhen(options);
  const token = readToken(options);
  return {
    ...(queue === undefined ? {} : { queue: readQueueId(queue) }),
    ...(when === undefined ? {} : { when }),
    ...(dispatchDeadline === undefined ? {} : { dispatchDeadline: readDeadline(dispatchDeadline) }),
    ...(headers === undefined ? {} : { headers: readHeaders(headers) }),
    ...(maxAttempts === undefined ? {} : { maxAttempts: readMaxAttempts(maxAttempts) }),
    ...(target === undefined ? {} : { target: readTarget(target) }),
    ...(token === undefined ? {} : { token }),
    ...(taskId === undefined ? {} : { taskId: readers.taskId(taskId) }),
    ...(onDuplicate === undefined ? {} : { onDuplicate: readOnDuplicate(onDuplicate) }),
    ...(createTimeout === undefined ? {} : { createTimeout: readCreateTimeout(createTimeout) }),
    ...(options.validate === undefined ? {} : { validate: readValidate(options.validate) }),
    ...(options.hooks === undefined ? {} : { hooks: readHooks(options.hooks) }),
    ...(idempotency === undefined ? {} : readers.idempotency(idempotency)),
  };
}

function readWhen({
  countdown,
  scheduleTime,
}: Pick<TaskOptions, 'countdown' | 'scheduleTime'>): When | undefined {
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

function readToken({ oidc, oauth }: Pick<TaskOptions, 'oidc' | 'oauth'>): ReadToken | undefined {
  if (oidc !== undefined && oauth !== undefined) {
    throw invalidArgument('Give oidc or oauth, not both: a request has one token.', 'oauth');
  }
  if (oauth !== undefined) return { oauth: readOAuth(oauth) };
  return oidc === undefined ? undefined : { oidc: readOidc(oidc) };
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

export function readQueueId(queue: unknown): string {
  if (typeof queue !== 'string' || !QUEUE_ID.test(queue) || queue.length > LONGEST_QUEUE_ID) {
    throw invalidArgument(
      `queue: expected 1 to ${LONGEST_QUEUE_ID} letters, digits and hyphens, got ${shown(queue)}.`,
      'queue',
    );
  }
  return queue;
}

function readOnDuplicate(onDuplicate: unknown): OnDuplicate {
  if (onDuplicate === 'error' || onDuplicate === 'ignore') return onDuplicate;
  throw invalidArgument(
    `onDuplicate: expected 'error' or 'ignore', got ${shown(onDuplicate)}.`,
    'onDuplicate',
  );
}

function readValidate(validate: unknown): boolean {
  if (typeof validate === 'boolean') return validate;
  throw invalidArgument(`validate: expected true or false, got ${shown(validate)}.`, 'validate');
}

function readCreateTimeout(text: unknown): Duration {
  const timeout = parseDuration(text, 'createTimeout');
  if (timeout < MILLISECOND || timeout > MOST_CREATE_TIMEOUT) {
    throw invalidArgument(
      `createTimeout: expected '1ms' to '20s', got ${shown(text)}.`,
      'createTimeout',
    );
  }
  return timeout;
}
