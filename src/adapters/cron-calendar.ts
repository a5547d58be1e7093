/** The calendar: reads schedules in both forms, and knows every time zone that this machine knows. */
import { refusal } from '../engine/error-catalogue.js';
import type { Cron, Ticks } from '../engine/ports.js';
import { printable } from '../foundation/printable.js';
import { isGroc, readGroc } from './cron-groc.js';
import { NotASchedule, UnixCron } from './cron-unix.js';
import { Zone } from './cron-zone.js';

export class Calendar implements Cron {
  parse(schedule: string, timeZone: string): Ticks {
    const zone = zoneOf(timeZone);
    try {
      if (isGroc(schedule)) {
        const ticks = readGroc(schedule, zone);
        return { form: 'groc', fromEnd: ticks.fromEnd, next: (after) => ticks.next(after) };
      }
      const cron = new UnixCron(schedule, zone);
      return { form: 'unix-cron', fromEnd: false, next: (after) => cron.next(after) };
    } catch (error) {
      if (!(error instanceof NotASchedule)) throw error;
      const { expected, got, column } = error;
      throw refusal('SCHEDULE', {
        expected,
        got: printable(got),
        column,
        schedule: printable(schedule),
        field: 'schedule',
      });
    }
  }
}

function zoneOf(timeZone: string): Zone {
  try {
    // An offset such as +02:00 is one too, but none of the tz database.
    if (/^[A-Za-z]/.test(timeZone)) return new Zone(timeZone);
  } catch {
    // Told below.
  }
  throw refusal('TIME_ZONE', { got: printable(timeZone), field: 'timeZone' });
}
