/** Writes App Engine's `cron.yaml` of schedules, each in the form that App Engine knows. */
import { stringify } from 'yaml';
import { isGroc } from '../adapters/cron-groc.js';
import { unixFields } from '../adapters/cron-unix.js';
import { SECOND } from '../engine/time.js';
import type { ReadRetry, WantedSchedule } from '../foundation/schedule-plan.js';
import { TICK_PATH } from '../foundation/schedule-plan.js';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
/** App Engine's form has one time of day, so that several become entries; so many at most. */
const MOST_TIMES = 24;

/**
 * @param from where the schedules are written
 * @throws Error with one line for a schedule that App Engine's form can't say
 */
export function cronYaml(schedules: readonly WantedSchedule[], from: string): string {
  const head = [
    `# Made of ${from} by: npx nest-cloud-tasks generate cron.yaml`,
    '# Change that, and generate this file again.',
  ];
  const cron = schedules.flatMap((wanted) =>
    grocOf(wanted).map((schedule) => entryOf(wanted, schedule)),
  );
  return `${head.join('\n')}\n${stringify({ cron })}`;
}

function entryOf(wanted: WantedSchedule, schedule: string): object {
  const { name, task, description = `Makes a task for ${task}.`, timeZone, retry } = wanted;
  return {
    description,
    url: `${TICK_PATH}${name}`,
    schedule,
    ...(timeZone === 'Etc/UTC' ? {} : { timezone: timeZone }),
    retry_parameters: retryOf(retry),
  };
}

function retryOf(retry: ReadRetry): object {
  const { retryCount = 0, maxRetryDuration, minBackoffDuration, maxBackoffDuration } = retry;
  return {
    job_retry_limit: retryCount,
    ...(maxRetryDuration === undefined ? {} : { job_age_limit: `${maxRetryDuration / SECOND}s` }),
    ...(minBackoffDuration === undefined
      ? {}
      : { min_backoff_seconds: minBackoffDuration / SECOND }),
    ...(maxBackoffDuration === undefined
      ? {}
      : { max_backoff_seconds: maxBackoffDuration / SECOND }),
    ...(retry.maxDoublings === undefined ? {} : { max_doublings: retry.maxDoublings }),
  };
}

function grocOf({ schedule, name, at }: WantedSchedule): string[] {
  if (isGroc(schedule)) return [schedule];
  const refuse = (why: string) =>
    new Error(`${at}: cron.yaml can't say '${schedule}' of ${name}: ${why}`);
  const sets = unixFields(schedule).map((values) => [...values]);
  const [minutes = [], hours = [], days = [], months = [], week = []] = sets;
  const weekdays = [...new Set(week.map((day) => day % 7))].sort((a, b) => a - b);
  const isEveryDay = days.length === 31 && weekdays.length === 7;
  if (days.length < 31 && weekdays.length < 7) {
    throw refuse('it has days of the month or days of the week, not either');
  }
  if (isEveryDay && months.length === 12) {
    if (hours.length === 24 && isEven(minutes, 60)) {
      return [`every ${60 / minutes.length} minutes synchronized`];
    }
    if (minutes.length === 1 && minutes[0] === 0 && isEven(hours, 24)) {
      return [`every ${24 / hours.length} hours synchronized`];
    }
  }
  if (hours.length * minutes.length > MOST_TIMES) {
    throw refuse(
      `it would take ${hours.length * minutes.length} entries, one for each time of day`,
    );
  }
  const inMonths = months.length === 12 ? undefined : names(months, MONTHS, 1);
  const on =
    days.length < 31
      ? `${days.sort((a, b) => a - b).join(',')} of ${inMonths ?? 'month'}`
      : `every ${weekdays.length === 7 ? 'day' : names(weekdays, DAYS, 0)}${inMonths ? ` of ${inMonths}` : ''}`;
  return hours.flatMap((hour) => minutes.map((minute) => `${on} ${two(hour)}:${two(minute)}`));
}

/** Whether these are 0 and its multiples by what divides the whole. */
function isEven(values: readonly number[], whole: number): boolean {
  const step = whole / values.length;
  return (
    Number.isInteger(step) && values.length > 1 && values.every((value, n) => value === n * step)
  );
}

function names(values: readonly number[], all: readonly string[], first: number): string {
  return values.map((value) => all[value - first]).join(',');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
