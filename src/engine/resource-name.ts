/** The names of locations, queues, tasks and jobs: what is legal, and how to take one apart. */
import { refusal } from './error-catalogue.js';

const PROJECT = '[A-Za-z0-9:.-]+';
const LOCATION = '[A-Za-z0-9-]+';
const QUEUE = '[A-Za-z0-9-]{1,100}';
const PROJECT_NAME = new RegExp(`^projects/${PROJECT}$`);
const LOCATION_NAME = new RegExp(`^projects/(${PROJECT})/locations/(${LOCATION})$`);
const QUEUE_NAME = new RegExp(`^projects/(${PROJECT})/locations/(${LOCATION})/queues/(${QUEUE})$`);
const TASK_NAME = /^(.+)\/tasks\/([^/]*)$/;
/** An id alone, as it stands in a name. */
export const QUEUE_ID = new RegExp(`^${QUEUE}$`);
export const TASK_ID = /^[A-Za-z0-9_-]{1,500}$/;

export interface QueueParts {
  readonly project: string;
  readonly location: string;
  readonly queueId: string;
}

/** Production answers a location it can't read as one it may not see. */
export function checkLocationName(name: string, field: string): void {
  if (LOCATION_NAME.test(name)) return;
  const project = /^projects\/([^/]+)/.exec(name)?.[1] ?? name;
  throw refusal('PROJECT_DENIED', { project, field });
}

export function checkProjectName(name: string, field: string): void {
  if (PROJECT_NAME.test(name)) return;
  throw refusal('PROJECT_DENIED', { project: name, field });
}

export function parseQueueName(name: string, field: string): QueueParts {
  const [, project, location, queueId] = QUEUE_NAME.exec(name) ?? [];
  if (project === undefined || location === undefined || queueId === undefined) {
    throw refusal('QUEUE_NAME', { field });
  }
  return { project, location, queueId };
}

export function parseTaskName(name: string, field: string): { queue: string; id: string } {
  const [, queue, id] = TASK_NAME.exec(name) ?? [];
  if (queue === undefined || id === undefined || !QUEUE_NAME.test(queue)) {
    throw refusal('TASK_NAME', { field });
  }
  if (!TASK_ID.test(id)) throw refusal('TASK_ID', { id, field });
  return { queue, id };
}

export function taskName(queue: string, id: string): string {
  return `${queue}/tasks/${id}`;
}

/** @returns its project, and its location's full name */
export function parseJobName(name: string, field: string): { project: string; location: string } {
  const [, location = '', id = ''] = /^(.+)\/jobs\/([^/]*)$/.exec(name) ?? [];
  const [, project] = LOCATION_NAME.exec(location) ?? [];
  if (project === undefined || !TASK_ID.test(id)) throw refusal('JOB_NAME', { field });
  return { project, location };
}

/** The last part of a queue's, a task's or a job's full name. */
export function shortId(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
