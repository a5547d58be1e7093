/** Makes queues what a plan says they are, and says what that took. */
import type { CloudTasksApi } from '../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../engine/errors.js';
import type { QueueChange } from './queue-changes.js';
import { governed, queueChanges, VERSION } from './queue-changes.js';
import type { QueuesPlan } from './queues-plan.js';

/** One thing that was done, or found. */
export interface QueueReport {
  readonly kind: 'created' | 'updated' | 'drifted' | 'refused' | 'not-applied';
  /** The queue's, where it is about one. */
  readonly id?: string;
  /** A line for a person. */
  readonly text: string;
}

/**
 * Creates what is missing and updates what differs. What is as planned isn't touched, so applying
 * twice changes nothing; queues that the plan doesn't name are left alone.
 *
 * @param location full name: `projects/local/locations/us-central1`
 */
export async function applyQueues(
  api: CloudTasksApi,
  location: string,
  plan: QueuesPlan,
): Promise<QueueReport[]> {
  const reports: QueueReport[] = [];
  for (const change of await queueChanges(api, location, plan)) {
    const report = await applyChange(api, location, change);
    if (report) reports.push(report);
  }
  return [
    ...reports,
    ...notApplied(location, plan).map((text): QueueReport => ({ kind: 'not-applied', text })),
  ];
}

/** What stands in the file and means nothing there, a line for each. */
export function notApplied(location: string, plan: QueuesPlan): string[] {
  const { region } = plan;
  const elsewhere = region !== undefined && !location.endsWith(`/locations/${region}`);
  return [
    ...(elsewhere ? [`region ${region}: the queues are in ${location}`] : []),
    ...plan.notApplied,
  ].map((what) => `Not applied here: ${what}.`);
}

/** @returns nothing where there was nothing to do */
export async function applyChange(
  api: CloudTasksApi,
  location: string,
  { planned, kind, differences, state }: QueueChange,
): Promise<QueueReport | undefined> {
  const { id, settings, atCreation } = planned;
  const name = `${location}/queues/${id}`;
  const queue = { ...settings, name };
  if (kind === 'create') {
    try {
      await api.createQueue({
        parent: location,
        queue: { ...atCreation, ...queue },
        version: VERSION,
      });
    } catch (error) {
      const code = error instanceof CloudTasksError ? error.code : undefined;
      // Made by somebody else since we looked, which is as good where the settings don't matter.
      if (code === 'ALREADY_EXISTS' && planned.onlyState) {
        if (planned.state === 'PAUSED') await api.pauseQueue({ name });
        return undefined;
      }
      // Deleted within the last days. The other queues go on working.
      if (code !== 'FAILED_PRECONDITION' && code !== 'ALREADY_EXISTS') throw error;
      const { message } = error as CloudTasksError;
      return { kind: 'refused', text: `Queue ${id} can't be created: ${message}` };
    }
    if (planned.state === 'PAUSED') await api.pauseQueue({ name });
    const paused = planned.state === 'PAUSED' ? ', paused' : '';
    return { kind: 'created', id, text: `Queue ${id} created${paused}.` };
  }
  if (kind === 'update') {
    const changesState = planned.state !== undefined && planned.state !== state;
    if (differences.length > (changesState ? 1 : 0)) {
      await api.updateQueue({ queue, updateMask: governed(planned), version: VERSION });
    }
    if (changesState) {
      await (planned.state === 'PAUSED' ? api.pauseQueue({ name }) : api.resumeQueue({ name }));
    }
    return { kind: 'updated', text: `Queue ${id} updated: ${differences.join(', ')}.` };
  }
  if (kind === 'drift') {
    const text = `Queue ${id} is ${String(state)}, which the file doesn't say: left as it is.`;
    return { kind: 'drifted', text };
  }
  return undefined;
}
