/** The option `idempotency`: what makes two deliveries the same work, and how long that counts. */
import type { DurationText } from '../../../foundation/duration.js';
import { parseDuration } from '../../../foundation/duration.js';
import { invalidArgument } from '../../../engine/errors.js';
import type { Duration } from '../../../engine/time.js';
import { DAY, HOUR, SECOND } from '../../../engine/time.js';
import { DEFAULT_LEASE } from '../../journal/exclusive-runs.js';
import { isHeaderName } from '../../../foundation/header-rules.js';
import { refuseUnknown, shown } from '../unknown-option.js';

/** Work that is done once, however often its task is delivered. Needs a store (option `store`). */
export interface IdempotencyOptions {
  /**
   * What makes deliveries the same work of this handler: a function of the handler's arguments, or
   * a header of the task. Default, also where there is no such header: each task is work of its
   * own, together with what follows from it by `RetryLater` or a redrive.
   */
  readonly key?: ((...args: never[]) => string) | { readonly header: string } | undefined;
  /** How long the work counts as done, `1s` to `365d`. Default `24h`. */
  readonly ttl?: DurationText | undefined;
  /**
   * After how long another instance takes over from one that crashed, `1s` to `1h`; what runs
   * renews it, so it may run for longer. Default `30s`.
   */
  readonly lease?: DurationText | undefined;
  /** Whether what the handler returns is kept, as JSON of at most 64 KB, for status. Default false. */
  readonly keepResult?: boolean | undefined;
}

/** What may be said for one task: a key of its own, ASCII without blanks at its ends. */
export interface TaskIdempotency {
  readonly key: string;
}

export interface ReadIdempotency {
  readonly key?: IdempotencyOptions['key'];
  readonly ttl: Duration;
  readonly lease: Duration;
  readonly keepResult: boolean;
}

/** Also of a task that brings a key of its own, where its handler says nothing. */
export const IDEMPOTENCY_DEFAULTS: ReadIdempotency = {
  ttl: DAY,
  lease: DEFAULT_LEASE,
  keepResult: false,
};
const KNOWN = ['key', 'ttl', 'lease', 'keepResult'];

/**
 * @returns false for a handler that shall run as often as its task is delivered
 * @throws CloudTasksError INVALID_ARGUMENT
 */
export function readIdempotency(options: unknown): ReadIdempotency | false {
  if (typeof options === 'boolean') return options && IDEMPOTENCY_DEFAULTS;
  refuseUnknown(options, KNOWN, 'idempotency');
  const { key, ttl, lease, keepResult } = options as IdempotencyOptions;
  if (key !== undefined) checkKey(key);
  if (keepResult !== undefined && typeof keepResult !== 'boolean') {
    refuse('keepResult', 'true or false', keepResult);
  }
  return {
    ...(key === undefined ? {} : { key }),
    ttl: ttl === undefined ? IDEMPOTENCY_DEFAULTS.ttl : within(ttl, 'ttl', 365 * DAY, '365d'),
    lease: lease === undefined ? IDEMPOTENCY_DEFAULTS.lease : within(lease, 'lease', HOUR, '1h'),
    keepResult: keepResult ?? IDEMPOTENCY_DEFAULTS.keepResult,
  };
}

/** Of one task, which carries the key as a header. */
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,498}[\x21-\x7e])?$/;

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTaskIdempotency(options: unknown): TaskIdempotency {
  refuseUnknown(options, ['key'], 'idempotency of one task');
  const { key } = options as Partial<TaskIdempotency>;
  if (typeof key !== 'string' || !KEY.test(key)) {
    refuse('key', 'for one task 1 to 500 ASCII characters', key);
  }
  return { key };
}

function checkKey(key: unknown): void {
  if (typeof key === 'function') return;
  if (typeof key !== 'object' || key === null) {
    refuse('key', 'a function of the arguments or { header }', key);
  }
  refuseUnknown(key, ['header'], 'idempotency.key');
  const { header } = key as { header?: unknown };
  if (typeof header !== 'string' || !isHeaderName(header)) {
    refuse('key.header', 'the name of a header', header);
  }
}

function within(text: unknown, name: string, most: Duration, mostText: string): Duration {
  const duration = parseDuration(text, `idempotency.${name}`);
  if (duration < SECOND || duration > most) refuse(name, `'1s' to '${mostText}'`, text);
  return duration;
}

function refuse(name: string, expected: string, came: unknown): never {
  throw invalidArgument(
    `idempotency.${name}: expected ${expected}, got ${shown(came)}.`,
    `idempotency.${name}`,
  );
}
