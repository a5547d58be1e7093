/** Time as the engine counts it: whole microseconds, for instants and for durations alike. */

/** Microseconds since the Unix epoch. Cloud Tasks keeps schedule times to the microsecond. */
export type Instant = number;

/** A length of time in microseconds. */
export type Duration = number;

export const MILLISECOND: Duration = 1_000;
export const SECOND: Duration = 1_000_000;
export const MINUTE: Duration = 60 * SECOND;
export const HOUR: Duration = 60 * MINUTE;
export const DAY: Duration = 24 * HOUR;
