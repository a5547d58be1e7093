/** What `@Schedule` notes down about handlers, for start-up and for the command line to read. */
import type { ScheduleOptions } from '../../../foundation/schedule-plan.js';
import type { ControllerClass } from './task-metadata.js';

/** Injects what carries schedules out, where `SchedulesModule` is imported. */
export const SCHEDULES = Symbol('SCHEDULES');

export interface DeclaredSchedule {
  readonly controller: ControllerClass;
  readonly method: string;
  readonly schedule: string;
  readonly options: ScheduleOptions;
}

/** All that were declared by code that is loaded, whether or not an app has them. */
const declared: DeclaredSchedule[] = [];

export function markSchedule(schedule: DeclaredSchedule): void {
  declared.push(schedule);
}

export function declaredSchedules(): readonly DeclaredSchedule[] {
  return declared;
}

/** Those of a controller, inherited ones included. */
export function schedulesOf(controller: ControllerClass): DeclaredSchedule[] {
  return declared.filter(
    ({ controller: own }) => own === controller || controller.prototype instanceof own,
  );
}
