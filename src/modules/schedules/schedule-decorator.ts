/** The decorator that gives a handler its schedule. */
import type { ScheduleOptions } from '../../foundation/schedule-plan.js';
import { markSchedule } from '../tasks/routes/schedule-marks.js';
import type { ControllerClass } from '../tasks/routes/task-metadata.js';

/**
 * Makes a task of this handler at each tick; on any `@Task`, also more than once, in an app that
 * imports `SchedulesModule`. What is wrong with it is told when the app starts.
 *
 * @param schedule unix-cron (`0 3 * * *`), or App Engine's form (`every 5 minutes`)
 */
export function Schedule(schedule: string, options: ScheduleOptions = {}): MethodDecorator {
  return (target, method) => {
    const controller = target.constructor as ControllerClass;
    markSchedule({ controller, method: String(method), schedule, options });
  };
}
