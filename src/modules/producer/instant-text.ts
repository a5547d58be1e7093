/** Instants as callers write them and as answers show them: RFC 3339. */
import type { Instant } from '../../engine/time.js';
import { HOUR, MILLISECOND, MINUTE, SECOND } from '../../engine/time.js';

const RFC_3339 =
  /^(?<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9}))?(?:Z|(?<sign>[+-])(?<hours>[01]\d|2[0-3]):(?<minutes>[0-5]\d))$/i;

/** An RFC 3339 instant, finer digits than microseconds cut; undefined for anything else. */
export function parseInstant(text: string): Instant | undefined {
  const parts = RFC_3339.exec(text)?.groups ?? {};
  const { second = '', fraction = '', sign, hours, minutes } = parts;
  const local = `${second.toUpperCase()}.000Z`;
  const milliseconds = Date.parse(local);
  // Date.parse takes 30 February for 2 March.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString() !== local) {
    return undefined;
  }
  const offset = sign ? (Number(hours) * HOUR + Number(minutes) * MINUTE) * Number(`${sign}1`) : 0;
  return milliseconds * MILLISECOND + Number(fraction.slice(0, 6).padEnd(6, '0')) - offset;
}

/** RFC 3339 in UTC with no, three or six digits after the second, as the API shows instants. */
export function formatInstant(instant: Instant): string {
  const micros = ((instant % SECOND) + SECOND) % SECOND;
  const seconds = new Date((instant - micros) / MILLISECOND).toISOString().slice(0, -5);
  if (micros === 0) return `${seconds}Z`;
  const digits = String(micros).padStart(6, '0');
  return `${seconds}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}
