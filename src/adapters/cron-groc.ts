/** App Engine's form of a schedule, as its own parser reads it: `every 5 minutes from 10:00 to 14:00`. */
import type { Instant } from '../engine/time.js';
import { HOUR, MINUTE, SECOND } from '../engine/time.js';
import { NotASchedule } from './cron-unix.js';
import type { Zone } from './cron-zone.js';
import { wallTime, wholeMinute } from './cron-zone.js';

const MONTHS = [
  ...['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september'],
  ...['october', 'november', 'december'],
];
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const ORDINALS = [
  ['first', '1st'],
  ['second', '2nd'],
  ['third', '3rd'],
  ['fourth', '4th'],
  ['fifth', '5th'],
] as const;
const PERIODS: ReadonlyMap<string, number> = new Map([
  ...['hour', 'hours'].map((name) => [name, HOUR] as const),
  ...['min', 'mins', 'minute', 'minutes'].map((name) => [name, MINUTE] as const),
]);
const TIME = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;

export interface GrocTicks {
  readonly fromEnd: boolean;
  next(after: Instant): Instant | undefined;
}

/** Whether the text is meant in this form, right or wrong. */
export function isGroc(text: string): boolean {
  return (
    /^\s*(every|first|second|third|fourth|fifth|\d+(st|nd|rd|th))\b/i.test(text) ||
    /\bof\b/i.test(text)
  );
}

/** @throws NotASchedule */
export function readGroc(text: string, zone: Zone): GrocTicks {
  const words = new Words(text);
  const ticks = /^\s*every\s+\d/i.test(text) ? readInterval(words, zone) : readDays(words, zone);
  words.end();
  return ticks;
}

class Words {
  private readonly words: readonly { readonly word: string; readonly column: number }[];
  private place = 0;

  constructor(private readonly text: string) {
    this.words = [...text.matchAll(/,|[^\s,]+/g)].map(({ 0: word, index }) => ({
      word: word.toLowerCase(),
      column: index + 1,
    }));
  }

  peek(): string {
    return this.words[this.place]?.word ?? '';
  }

  take(): string {
    const word = this.peek();
    this.place++;
    return word;
  }

  /** Whether it comes next; then it is taken. */
  takes(word: string): boolean {
    if (this.peek() !== word) return false;
    this.place++;
    return true;
  }

  expect(word: string): void {
    if (!this.takes(word)) throw this.refusal(`'${word}'`);
  }

  /** The minute of the day. */
  time(): number {
    const [, hour, minute] = TIME.exec(this.peek()) ?? [];
    if (hour === undefined) throw this.refusal("a time such as '09:30'");
    this.place++;
    return Number(hour) * 60 + Number(minute);
  }

  /** One of them or more, with commas in between. */
  list(expected: string, valueOf: (word: string) => number): Set<number> {
    const values = new Set<number>();
    do {
      const value = valueOf(this.peek());
      if (value < 0) throw this.refusal(expected);
      values.add(value);
      this.place++;
    } while (this.takes(','));
    return values;
  }

  end(): void {
    if (this.place < this.words.length) throw this.refusal('nothing more');
  }

  refusal(expected: string): NotASchedule {
    const { word, column } = this.words[this.place] ?? {
      word: undefined,
      column: this.text.trimEnd().length + 1,
    };
    return new NotASchedule(expected, word === undefined ? 'the end' : `'${word}'`, column);
  }
}

function readInterval(words: Words, zone: Zone): GrocTicks {
  words.expect('every');
  if (!/^[1-9]\d{0,4}$/.test(words.peek())) throw words.refusal('a whole number from 1 to 99999');
  const count = Number(words.take());
  const unit = PERIODS.get(words.peek());
  if (unit === undefined) throw words.refusal("'minutes' or 'hours'");
  words.take();
  const period = count * unit;
  if (words.takes('from')) {
    const from = words.time();
    words.expect('to');
    return windowed(period, from, words.time(), zone);
  }
  if (words.peek() === 'synchronized') {
    const seconds = period / SECOND;
    if (seconds > DAY_SECONDS || DAY_SECONDS % seconds !== 0) {
      throw words.refusal("a period that divides 24 hours evenly before 'synchronized'");
    }
    words.take();
    return windowed(period, 0, 23 * 60 + 59, zone);
  }
  return { fromEnd: true, next: (after) => wholeMinute(after + period) };
}

/** From the window's beginning on, every so often, each day anew. */
function windowed(period: number, from: number, to: number, zone: Zone): GrocTicks {
  const next = (after: Instant): Instant | undefined => {
    const today = startOfDay(zone.wallOf(after));
    // A window may have begun the day before, and last past midnight.
    for (let day = -2; day <= 2; day++) {
      const start = instantAt(zone, today + day * DAY_MS, from);
      const end = Math.max(
        start,
        instantAt(zone, today + day * DAY_MS + (to < from ? DAY_MS : 0), to),
      );
      const following = instantAt(zone, today + (day + 1) * DAY_MS, from);
      if (end <= after && following <= after) continue;
      if (start > after) return start;
      const tick = start + Math.floor((after - start) / period + 1) * period;
      if (tick <= end && tick < following) return tick;
    }
    return undefined;
  };
  return { fromEnd: false, next };
}

/** In the window form, a time that the clock leaves out is the first that it shows after it. */
function instantAt(zone: Zone, day: number, minute: number): Instant {
  for (let at = day + minute * 60_000; ; at += 60_000) {
    const { instants, isMissing } = zone.instantsOf(at);
    const [first] = instants;
    if (first !== undefined && !isMissing) return first;
  }
}

function startOfDay(wall: number): number {
  return Math.floor(wall / DAY_MS) * DAY_MS;
}

interface Days {
  readonly months: ReadonlySet<number>;
  /** Either these, or weekdays of certain weeks. */
  readonly monthdays: ReadonlySet<number> | undefined;
  readonly weekdays: ReadonlySet<number>;
  readonly ordinals: ReadonlySet<number>;
}

function readDays(words: Words, zone: Zone): GrocTicks {
  const days = /^\d+$/.test(words.peek()) ? readMonthdays(words) : readWeekdays(words);
  const minute = words.time();
  return { fromEnd: false, next: (after) => nextDay(days, minute, zone, after) };
}

function readMonthdays(words: Words): Days {
  const monthdays = words.list('a day of the month of 1-31', (word) =>
    /^\d{1,2}$/.test(word) && Number(word) >= 1 && Number(word) <= 31 ? Number(word) : -1,
  );
  words.expect('of');
  const months = readMonths(words);
  const lasts = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  const first = Math.min(...monthdays);
  if (![...months].some((month) => first <= (lasts[month - 1] ?? 0))) {
    throw words.refusal(`a month that has a day ${first} before`);
  }
  return { months, monthdays, weekdays: new Set(), ordinals: new Set() };
}

function readWeekdays(words: Words): Days {
  const ordinals = words.takes('every')
    ? new Set([1, 2, 3, 4, 5])
    : words.list(
        "'every', or one of first to fifth",
        (word) =>
          ORDINALS.findIndex((names) => (names as readonly string[]).includes(word)) + 1 || -1,
      );
  const weekdays = words.takes('day')
    ? new Set([0, 1, 2, 3, 4, 5, 6])
    : words.list("'day' or a day of the week", (word) => named(DAYS, word));
  const months = words.takes('of') ? readMonths(words) : new Set(numbersTo(12));
  return { months, monthdays: undefined, weekdays, ordinals };
}

function readMonths(words: Words): Set<number> {
  if (words.takes('month')) return new Set(numbersTo(12));
  if (words.takes('quarter')) return new Set([1, 4, 7, 10]);
  const isOfQuarter = ORDINALS.slice(0, 3).some((names) =>
    (names as readonly string[]).includes(words.peek()),
  );
  if (!isOfQuarter) {
    return words.list("'month', 'quarter' or a month", (word) => named(MONTHS, word) + 1 || -1);
  }
  const which = words.list(
    'one of first to third',
    (word) =>
      ORDINALS.slice(0, 3).findIndex((names) => (names as readonly string[]).includes(word)) + 1 ||
      -1,
  );
  for (const word of ['month', 'of', 'quarter']) words.expect(word);
  return new Set([...which].flatMap((nth) => [nth, nth + 3, nth + 6, nth + 9]));
}

/** By the whole name, or by its first three letters. */
function named(names: readonly string[], word: string): number {
  return names.findIndex((name) => name === word || name.slice(0, 3) === word);
}

function numbersTo(most: number): number[] {
  return Array.from({ length: most }, (_, index) => index + 1);
}

/** Leap days, on one weekday in one week, come no rarer than this. */
const MOST_DAYS = 366 * 41;

function nextDay(days: Days, minute: number, zone: Zone, after: Instant): Instant | undefined {
  const today = startOfDay(zone.wallOf(after));
  for (let n = -1; n <= MOST_DAYS; n++) {
    const date = new Date(today + n * DAY_MS);
    if (!isMeant(days, date)) continue;
    const wall = wallTime(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), minute);
    // Shown twice, the first; left out, as much later as the clock was set forward.
    const [instant] = zone.instantsOf(wall).instants;
    if (instant !== undefined && instant > after) return instant;
  }
  return undefined;
}

function isMeant({ months, monthdays, weekdays, ordinals }: Days, date: Date): boolean {
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const day = date.getUTCDate();
  if (monthdays) return monthdays.has(day);
  return weekdays.has(date.getUTCDay()) && ordinals.has(Math.floor((day - 1) / 7) + 1);
}
