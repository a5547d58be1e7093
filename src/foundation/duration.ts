/** Lengths of time as people write them: a whole number and its unit. */
import { invalidArgument } from '../engine/errors.js';
import type { Duration } from '../engine/time.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../engine/time.js';
import { printable } from './printable.js';

const UNITS: Readonly<Record<string, Duration>> = {
  ms: MILLISECOND,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
};

/** `'1500ms'`, `'30s'`, `'10m'`, `'24h'`, `'30d'`. */
export type DurationText = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const FORM = /^(\d{1,15})(ms|s|m|h|d)$/;

/**
 * A bare number is refused: half the world reads it as seconds, the other half as milliseconds.
 *
 * @param field what the error names
 * @throws CloudTasksError INVALID_ARGUMENT
 */
export function parseDuration(value: unknown, field: string): Duration {
  if (typeof value === 'number') {
    throw invalidArgument(
      `${field}: expected a number with its unit, got ${value}; write '${value}s' or '${value}m'.`,
      field,
    );
  }
  const [, count, unit] = typeof value === 'string' ? (FORM.exec(value) ?? []) : [];
  const duration = Number(count) * (UNITS[unit ?? ''] ?? NaN);
  if (!Number.isSafeInteger(duration)) {
    const came = typeof value === 'string' ? `'${printable(value)}'` : typeof value;
    throw invalidArgument(
      `${field}: expected a duration such as '1500ms', '30s', '10m', '24h' or '30d', got ${came}.`,
      field,
    );
  }
  return duration;
}
