/** Reads schedules from a file's `schedules:`, or from the options of a decorator, by the same rules. */
import { CloudTasksError } from '../engine/errors.js';
import { QUEUE_ID } from '../engine/resource-name.js';
import { MINUTE, SECOND } from '../engine/time.js';
import type { ReadRetry, ScheduleOptions, WantedSchedule } from './schedule-plan.js';
import type { YamlPlace } from './yaml-place.js';
import { placeOf } from './yaml-place.js';

/** @throws CloudTasksError of the field `schedule` or `timeZone` */
export type CheckTicks = (schedule: string, timeZone: string) => void;

const NAME = /^[A-Za-z0-9_-]{1,500}$/;
const NAME_EXPECTED = 'a name of 1 to 500 letters, digits, hyphens and underscores';
const ANY = /^[^]+$/;
const FIELDS = [
  ...['timeZone', 'description', 'payload', 'queue', 'overlap', 'retry', 'attemptDeadline'],
];

/**
 * Of a file: schedules by their names, each with its `schedule` and the `task` that it makes.
 *
 * @throws CloudTasksError INVALID_ARGUMENT with the file, the line, the field and what was expected
 */
export function readSchedules(place: YamlPlace, check: CheckTicks): WantedSchedule[] {
  if (place.isNothing) return [];
  return place.entries().map(([name, at]) => {
    if (!NAME.test(name)) throw at.error(`expected ${NAME_EXPECTED}`);
    const fields = at.fields(['schedule', 'task', ...FIELDS]);
    const task = fields.get('task') ?? at.refuse('a schedule with the task that it makes');
    const schedule = fields.get('schedule') ?? at.refuse("a schedule such as '0 3 * * *'");
    const payload = fields.get('payload');
    return checked(check, schedule, fields.get('timeZone') ?? schedule, {
      name,
      schedule: schedule.text(ANY, "a schedule such as '0 3 * * *'"),
      task: task.text(ANY, "a handler such as 'send-email'"),
      ...(payload ? { payload: payload.value() } : {}),
      ...readFields(fields),
      at: at.at,
    });
  });
}

/** Of a decorator: what it says of its own method. */
export function readSchedule(
  declared: { readonly schedule: string; readonly task: string; readonly options: ScheduleOptions },
  where: string,
  check: CheckTicks,
): WantedSchedule {
  const { payload, name: given, ...options } = declared.options;
  const place = placeOf({ schedule: declared.schedule, name: given, ...present(options) }, where);
  const fields = place.fields(['schedule', 'name', ...FIELDS]);
  const schedule = fields.get('schedule') ?? place;
  const own = declared.task.replace(/[^A-Za-z0-9_-]/g, '-');
  const name = given === undefined ? own : (fields.get('name') ?? place).text(NAME, NAME_EXPECTED);
  return checked(check, schedule, fields.get('timeZone') ?? schedule, {
    name,
    schedule: schedule.text(ANY, "a schedule such as '0 3 * * *'"),
    task: declared.task,
    ...(payload === undefined ? {} : { payload }),
    ...readFields(fields),
    at: where,
  });
}

/** The schedule, if there are such ticks; else an error at its place in the file. */
export function checked(
  check: CheckTicks,
  scheduleAt: YamlPlace,
  timeZoneAt: YamlPlace,
  schedule: WantedSchedule,
): WantedSchedule {
  try {
    check(schedule.schedule, schedule.timeZone);
    return schedule;
  } catch (error) {
    if (!(error instanceof CloudTasksError)) throw error;
    throw (error.field === 'timeZone' ? timeZoneAt : scheduleAt).error(error.message);
  }
}

function readFields(
  fields: ReadonlyMap<string, YamlPlace>,
): Omit<WantedSchedule, 'name' | 'schedule' | 'task' | 'payload' | 'at'> {
  const description = fields
    .get('description')
    ?.text(/^[^]{1,400}$/, 'a description of at most 400 characters');
  const queue = fields.get('queue')?.text(QUEUE_ID, 'a queue id');
  const attemptDeadline = fields
    .get('attemptDeadline')
    ?.duration((value) => value >= 15 * SECOND && value <= 30 * MINUTE, "from '15s' to '30m'");
  return {
    timeZone: fields.get('timeZone')?.text(ANY, 'a time zone') ?? 'Etc/UTC',
    overlap: fields.get('overlap')?.oneOf(['allow', 'skip'] as const) ?? 'allow',
    retry: { retryCount: DEFAULT_RETRIES, ...readRetry(fields.get('retry')) },
    ...(description === undefined ? {} : { description }),
    ...(queue === undefined ? {} : { queue }),
    ...(attemptDeadline === undefined ? {} : { attemptDeadline }),
  };
}

/** A tick that meets an app which just restarts is to wait for it; none by default would lose it. */
export const DEFAULT_RETRIES = 3;

function readRetry(place: YamlPlace | undefined): ReadRetry {
  const fields = place?.fields([
    ...['retryCount', 'maxRetryDuration', 'minBackoff', 'maxBackoff', 'maxDoublings'],
  ]);
  const count = (name: string, most: number) =>
    fields
      ?.get(name)
      ?.number(
        (value) => Number.isInteger(value) && value >= 0 && value <= most,
        `a whole number from 0 to ${most}`,
      );
  const duration = (name: string) =>
    fields?.get(name)?.duration((value) => value > 0, "a duration above zero such as '10s'");
  return present({
    retryCount: count('retryCount', 5),
    maxDoublings: count('maxDoublings', 16),
    maxRetryDuration: duration('maxRetryDuration'),
    minBackoffDuration: duration('minBackoff'),
    maxBackoffDuration: duration('maxBackoff'),
  });
}

function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: NonNullable<Fields[Key]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Fields]: NonNullable<Fields[Key]>;
  };
}
