/** What becomes of the wanted schedules when an app starts, and what is logged of it. */
import type { Logger } from '@nestjs/common';
import type { CloudSchedulerApi } from '../../engine/cloud-scheduler-api.js';
import type { SchedulesPlan } from '../../host/schedule-changes.js';

/** Makes the engine's jobs so: what is new, what has changed, what is gone. */
export async function applySchedulesAtStart(
  api: CloudSchedulerApi,
  plan: SchedulesPlan,
  logger: Logger,
): Promise<void> {
  const { applyScheduleChange, scheduleChanges } = await import('../../host/schedule-changes.js');
  for (const change of await scheduleChanges(api, plan)) {
    const { kind, name, differences, isPaused } = change;
    await applyScheduleChange(api, plan, change);
    if (kind === 'foreign') {
      logger.warn(`Schedule ${name} has no ticks: a job of that name is there, and not the app's.`);
    } else if (kind !== 'unchanged') {
      const what = differences.length > 0 ? `: ${differences.join(', ')}` : '';
      logger.log(`Schedule ${name} ${DONE[kind]}${what}.`);
    }
    if (isPaused && change.wanted) logger.warn(`Schedule ${name} is paused.`);
  }
}

const DONE = { create: 'created', update: 'updated', delete: 'deleted' } as const;
