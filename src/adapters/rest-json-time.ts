/** Timestamps and durations between protobuf's seconds and nanos and the texts of proto3's JSON. */

export interface SecondsAndNanos {
  /** An int64: decimal text, since a number would lose its last digits. */
  readonly seconds: string;
  readonly nanos: number;
}

/** About 10,000 years either way, the ends of a Duration. */
const LONGEST_SECONDS = 315_576_000_000;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the ends of a Timestamp. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

/** The value, or in words why there is none. */
export function parseDuration(text: string): SecondsAndNanos | string {
  if (!text.endsWith('s')) return "Illegal duration format; duration must end with 's'";
  const [, sign = '', whole, fraction = ''] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  if (whole === undefined) return 'Illegal duration format; expected seconds such as 1.5s';
  const nanos = Number(fraction.padEnd(9, '0'));
  if (Number(whole) + nanos / 1e9 > LONGEST_SECONDS) return 'Duration value exceeds limits';
  return { seconds: `${sign}${whole}`, nanos: sign ? 0 - nanos : nanos };
}

export function formatDuration(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${fractionOf(Math.abs(nanos))}s`;
}

const TIMESTAMP =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/** RFC 3339, with any offset. The value, or in words why there is none. */
export function parseTimestamp(text: string): SecondsAndNanos | string {
  const [, local, fraction = '', sign, hours, minutes] = TIMESTAMP.exec(text) ?? [];
  if (local === undefined)
    return 'Invalid time format; expected RFC 3339 such as 2026-01-02T03:04:05Z';
  const time = Date.parse(`${local}Z`);
  // A day that isn't there, such as February 30, would silently become another.
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(local)) {
    return 'Invalid time format; there is no such time';
  }
  const offset = sign ? Number(`${sign}1`) * (Number(hours) * 3600 + Number(minutes) * 60) : 0;
  const seconds = time / 1000 - offset;
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND) return 'Timestamp value exceeds limits';
  return { seconds: String(seconds), nanos: Number(fraction.padEnd(9, '0')) };
}

export function formatTimestamp(seconds: number, nanos: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fractionOf(nanos)}Z`;
}

/** None, 3, 6 or 9 digits, as many as it takes. */
function fractionOf(nanos: number): string {
  const digits = String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '');
  return digits && `.${digits}`;
}
