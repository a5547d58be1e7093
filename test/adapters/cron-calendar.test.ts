import { describe, expect, test } from '@jest/globals';
import { CronExpressionParser } from 'cron-parser';
import { Calendar } from '../../src/adapters/cron-calendar.js';
import { MILLISECOND, MINUTE } from '../../src/engine/time.js';

const calendar = new Calendar();

/** Ticks after `from`, as `11-01T08:30Z` each. */
function ticks(schedule: string, timeZone: string, from: string, count: number): string[] {
  const parsed = calendar.parse(schedule, timeZone);
  const found: string[] = [];
  let at = Date.parse(from) * MILLISECOND;
  while (found.length < count) {
    const next = parsed.next(at);
    if (next === undefined) break;
    at = next;
    found.push(new Date(at / MILLISECOND).toISOString().replace(/^\d+-(.*):00\.000Z$/, '$1Z'));
  }
  return found;
}

describe('what a clock does when it is set, in Los Angeles', () => {
  const spring = '2026-03-08T08:00:00Z';
  const autumn = '2026-11-01T07:00:00Z';

  test.each([
    ['left out: as much later', '30 2 * * *', spring, ['03-08T10:30Z', '03-09T09:30Z']],
    ['left out, and there too: once', '30 2,3 * * *', spring, ['03-08T10:30Z', '03-09T09:30Z']],
    ['at the very edge', '0 2 * * *', spring, ['03-08T10:00Z', '03-09T09:00Z']],
    ['shown twice: the first time', '30 1 * * *', autumn, ['11-01T08:30Z', '11-02T09:30Z']],
    ['shown twice, by a list', '0 1,2 * * *', autumn, ['11-01T08:00Z', '11-01T10:00Z']],
    [
      'every hour: each real hour',
      '0 * * * *',
      autumn,
      ['11-01T08:00Z', '11-01T09:00Z', '11-01T10:00Z'],
    ],
    [
      'every hour, an hour left out',
      '30 * * * *',
      spring,
      ['03-08T08:30Z', '03-08T09:30Z', '03-08T10:30Z'],
    ],
    ['groc, left out', 'every day 02:30', spring, ['03-08T10:30Z', '03-09T09:30Z']],
    ['groc, shown twice', 'every day 01:30', autumn, ['11-01T08:30Z', '11-02T09:30Z']],
    [
      'groc, a window that begins in what is left out',
      'every 30 mins from 02:15 to 03:30',
      spring,
      ['03-08T10:00Z', '03-08T10:30Z', '03-09T09:15Z'],
    ],
  ])('%s: %s', (_, schedule, from, expected) => {
    expect(ticks(schedule, 'America/Los_Angeles', from, expected.length)).toEqual(expected);
  });

  test('half an hour, on Lord Howe Island', () => {
    expect(ticks('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T14:00:00Z', 2)).toEqual([
      '10-03T15:45Z',
      '10-04T15:15Z',
    ]);
  });
});

describe('a year of ticks is the one of an independent implementation', () => {
  const schedules = [
    ...['0 3 * * *', '30 2 * * *', '30 1 * * *', '0 0 * * *', '*/30 * * * *', '7 * * * *'],
    ...['0 9-17 * * mon-fri', '15,45 1,2,3 * * *', '0 12 1 * *', '0 0 13 * 5', '0 6 29 2 *'],
    ...['*/20 0-23/2 * * *', '59 23 31 12 *', '0 4 * jan,jul sun', '0 0 * * 7', '5 5 */10 * *'],
  ];

  test.each([
    ...['America/Los_Angeles', 'Europe/Berlin'].flatMap((zone) =>
      schedules.map((schedule) => [schedule, zone] as const),
    ),
    ...['Etc/UTC', 'Asia/Kolkata', 'Australia/Sydney'].map((zone) => ['30 2 * * *', zone] as const),
  ])('%s in %s', (schedule, zone) => {
    const start = Date.UTC(2026, 0, 1);
    const end = Date.UTC(2027, 0, 1);
    const other = CronExpressionParser.parse(schedule, { currentDate: new Date(start), tz: zone });
    const ours = calendar.parse(schedule, zone);
    let at = start * MILLISECOND;
    for (let count = 0; ; count++) {
      const expected = other.next().toDate().getTime();
      const next = ours.next(at) ?? Infinity;
      if (expected >= end && next >= end * MILLISECOND) break;
      const text = (ms: number) => `tick ${count}: ${new Date(ms).toISOString()}`;
      if (next !== expected * MILLISECOND) expect(text(next / MILLISECOND)).toBe(text(expected));
      at = next;
    }
  });
});

describe("App Engine's form", () => {
  const noon = '2026-01-01T12:00:30Z';

  test.each([
    ['every 5 minutes', ['01-01T12:05Z', '01-01T12:10Z']],
    ['every 12 hours', ['01-02T00:00Z', '01-02T12:00Z']],
    ['every 5 minutes synchronized', ['01-01T12:05Z', '01-01T12:10Z']],
    ['every 2 hours synchronized', ['01-01T14:00Z', '01-01T16:00Z']],
    [
      'every 45 mins from 10:00 to 14:00',
      ['01-01T12:15Z', '01-01T13:00Z', '01-01T13:45Z', '01-02T10:00Z'],
    ],
    [
      'every 1 hours from 22:30 to 01:00',
      ['01-01T22:30Z', '01-01T23:30Z', '01-02T00:30Z', '01-02T22:30Z'],
    ],
    ['every day 00:00', ['01-02T00:00Z', '01-03T00:00Z']],
    ['every monday 09:00', ['01-05T09:00Z', '01-12T09:00Z']],
    ['every mon,wed 9:05', ['01-05T09:05Z', '01-07T09:05Z']],
    [
      '2nd,third mon,wed,thu of march 17:00',
      ['03-09T17:00Z', '03-11T17:00Z', '03-12T17:00Z', '03-16T17:00Z'],
    ],
    ['1st monday of sep,oct,nov 17:00', ['09-07T17:00Z', '10-05T17:00Z', '11-02T17:00Z']],
    ['first sunday of quarter 00:00', ['01-04T00:00Z', '04-05T00:00Z']],
    ['first monday of third month of quarter 03:00', ['03-02T03:00Z', '06-01T03:00Z']],
    ['1,15 of month 04:00', ['01-15T04:00Z', '02-01T04:00Z']],
    ['29 of february 10:00', ['02-29T10:00Z']],
    ['Every Day of June 06:00', ['06-01T06:00Z', '06-02T06:00Z']],
  ])('%s', (schedule, expected) => {
    expect(ticks(schedule, 'Etc/UTC', noon, expected.length)).toEqual(expected);
  });

  test('an interval counts from the end of the run before, a window by the clock', () => {
    expect(calendar.parse('every 5 minutes', 'Etc/UTC').fromEnd).toBe(true);
    expect(calendar.parse('every 5 minutes synchronized', 'Etc/UTC').fromEnd).toBe(false);
    expect(calendar.parse('*/5 * * * *', 'Etc/UTC').fromEnd).toBe(false);
  });

  test('every minute of a year by a window is every minute', () => {
    const parsed = calendar.parse('every 7 minutes from 00:00 to 23:59', 'Europe/Berlin');
    const start = Date.parse('2026-03-28T00:00:00Z') * MILLISECOND;
    let at = start;
    const steps = new Set<number>();
    for (let count = 0; count < 1_000; count++) {
      const next = parsed.next(at) ?? NaN;
      steps.add((next - at) / MINUTE);
      at = next;
    }
    // Each day begins anew, so that its last step may be shorter.
    expect([...steps].every((step) => step > 0 && step <= 7)).toBe(true);
  });
});

describe('what is no schedule is refused with where it is wrong', () => {
  test.each([
    ['* * * * * *', 'expected 5 fields, got 6, at character 11'],
    ['* * * *', 'expected 5 fields, got 4, at character 8'],
    ['', 'expected 5 fields, got 0, at character 1'],
    ['@daily', 'expected 5 fields, got 1, at character 7'],
    ['60 * * * *', "expected a minute of 0-59, *, a range or a list, got '60', at character 1"],
    ['0 24 * * *', "expected an hour of 0-23, *, a range or a list, got '24', at character 3"],
    ['0 0 L * *', "got 'L', at character 5"],
    ['0 0 * * 1,8', "got '8', at character 11"],
    [
      '0 0 * foo *',
      "expected a month of 1-12 or jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec, *, a range or a list, got 'foo', at character 7",
    ],
    ['*/0 * * * *', "expected a step of 1-59 for the minute, got '*/0', at character 1"],
    ['5/10 * * * *', "expected a step after * or a range, got '5/10', at character 1"],
    ['10-5 * * * *', "expected a range of minute from the smaller to the greater, got '10-5'"],
    ['0 0 * * 5#2', "got '5#2', at character 9"],
    ['1,,2 * * * *', "got '', at character 3"],
    ['every 5 seconds', "expected 'minutes' or 'hours', got 'seconds', at character 9"],
    ['every 5 minutes from 10:00', "expected 'to', got the end, at character 27"],
    [
      'every 7 minutes synchronized',
      "expected a period that divides 24 hours evenly before 'synchronized'",
    ],
    ['every day 25:00', "expected a time such as '09:30', got '25:00', at character 11"],
    ['every day 10:00 sharp', "expected nothing more, got 'sharp', at character 17"],
    ['31 of february 10:00', 'expected a month that has a day 31 before'],
    [
      'first blursday of month 10:00',
      "expected 'day' or a day of the week, got 'blursday', at character 7",
    ],
    ['every 0 minutes', 'expected a whole number from 1 to 99999'],
    ['every 5 constructor', "expected 'minutes' or 'hours'"],
  ])('%s', (schedule, message) => {
    expect(() => calendar.parse(schedule, 'Etc/UTC')).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        field: 'schedule',
        message: expect.stringContaining(message),
      }),
    );
  });

  test.each(['Mars/Olympus', '', '+02:00', 'America/Los Angeles'])('time zone %j', (zone) => {
    expect(() => calendar.parse('* * * * *', zone)).toThrow(
      expect.objectContaining({ field: 'timeZone', message: expect.stringContaining(`'${zone}'`) }),
    );
  });

  test('30 February never comes', () => {
    expect(calendar.parse('0 0 30 2 *', 'Etc/UTC').next(0)).toBeUndefined();
  });
});
