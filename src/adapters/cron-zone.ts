/** A time zone: which wall-clock time an instant is, and which instants a wall-clock time is. */
import type { Instant } from '../engine/time.js';
import { MILLISECOND, SECOND } from '../engine/time.js';

/** What a clock on a wall there shows, in milliseconds as if it were UTC. */
export type WallTime = number;

const DAY_MS = 86_400_000;
/** No leap of today is longer. */
const NEAR_MS = 3 * 3_600_000;
const QUARTER_MS = 900_000;
const MOST_KNOWN = 4_096;

export class Zone {
  private readonly format: Intl.DateTimeFormat;
  /** By quarters of an hour since the epoch; ticks are asked for in order, so the same ones again. */
  private readonly known = new Map<number, number>();

  /** @throws RangeError for a name that is none */
  constructor(readonly name: string) {
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  wallOf(instant: Instant): WallTime {
    const ms = Math.floor(instant / MILLISECOND);
    return ms + this.offsetAt(ms);
  }

  /**
   * The instants at which the clock shows this: one; both, the earlier first, where it was set back;
   * the one as much later as it was set forward, where that left this time out.
   */
  instantsOf(wall: WallTime): {
    readonly instants: readonly Instant[];
    readonly isMissing: boolean;
  } {
    const before = this.offsetAt(wall - DAY_MS);
    const after = this.offsetAt(wall + DAY_MS);
    const found = [...new Set([before, after])]
      .map((offset) => wall - offset)
      .filter((ms) => ms + this.offsetAt(ms) === wall)
      .sort((a, b) => a - b);
    return found.length > 0
      ? { instants: found.map((ms) => ms * MILLISECOND), isMissing: false }
      : { instants: [(wall - before) * MILLISECOND], isMissing: true };
  }

  /** By how much the clock is set within hours of this instant, in milliseconds; mostly 0. */
  leapNear(instant: Instant): number {
    const ms = Math.floor(instant / MILLISECOND);
    return Math.abs(this.offsetAt(ms + NEAR_MS) - this.offsetAt(ms - NEAR_MS));
  }

  /** No zone of today is set but at a quarter of an hour. */
  private offsetAt(ms: number): number {
    const quarter = Math.floor(ms / QUARTER_MS);
    const known = this.known.get(quarter);
    if (known !== undefined) return known;
    const parts = new Map(
      this.format
        .formatToParts(quarter * QUARTER_MS)
        .map(({ type, value }) => [type, Number(value)]),
    );
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    const day = Date.UTC(part('year'), part('month') - 1, part('day'));
    const wall = day + ((part('hour') * 60 + part('minute')) * 60 + part('second')) * 1_000;
    const offset = wall - quarter * QUARTER_MS;
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    this.known.set(quarter, offset);
    return offset;
  }
}

/** `2026-03-08T02:30` as a wall-clock time. */
export function wallTime(year: number, month: number, day: number, minutes: number): WallTime {
  return Date.UTC(year, month - 1, day) + minutes * 60_000;
}

/** Down to a whole minute. */
export function wholeMinute(instant: Instant): Instant {
  return Math.floor(instant / (60 * SECOND)) * 60 * SECOND;
}
