/** The job that carries a schedule out: it calls the app, which then makes the task. */
import type { Job, JobInput } from '../engine/cloud-scheduler-api.js';
import type { WantedSchedule } from '../foundation/schedule-plan.js';
import { TICK_PATH } from '../foundation/schedule-plan.js';

/** Where ticks are sent, and as whom. */
export interface TickTarget {
  /** Without a slash at the end. */
  readonly serviceUrl: string;
  readonly serviceAccount: string;
  readonly audience: string;
}

/** In its description, a job says whose it is: there are no labels. */
const MARK = '[nest-cloud-tasks]';

export function jobOf(schedule: WantedSchedule, location: string, target: TickTarget): JobInput {
  const {
    name,
    task,
    description = `Makes a task for ${task}.`,
    retry,
    attemptDeadline,
  } = schedule;
  return {
    name: `${location}/jobs/${name}`,
    description: `${description} ${MARK}`,
    schedule: schedule.schedule,
    timeZone: schedule.timeZone,
    httpTarget: {
      uri: `${tickAddress(target.serviceUrl)}${name}`,
      httpMethod: 'POST',
      oidcToken: { serviceAccountEmail: target.serviceAccount, audience: target.audience },
    },
    retryConfig: retry,
    ...(attemptDeadline === undefined ? {} : { attemptDeadline }),
  };
}

export function isMarked({ description = '' }: Job): boolean {
  return description.endsWith(MARK);
}

/** Of all the jobs of its address. */
export function tickAddress(serviceUrl: string): string {
  return serviceUrl + TICK_PATH;
}
