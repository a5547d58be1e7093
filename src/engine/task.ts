/** A task: what a create must hold, the defaults it gets, and how it is shown. */
import type { CreateTaskRequest, Task, TaskInput, View } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';
import type { StoredTask } from './ports.js';
import { parseQueueName, parseTaskName, taskName } from './resource-name.js';
import { MAX_TASK_SIZE, taskSize } from './task-size.js';
import type { TargetRules } from './task-target.js';
import { target } from './task-target.js';
import type { Duration, Instant } from './time.js';
import { HOUR, MINUTE, SECOND } from './time.js';

const MAX_SCHEDULE_AHEAD: Duration = 720 * HOUR;
/** The start of the year 10000: no Timestamp goes so far, in either direction. */
const END_OF_TIME: Instant = 253_402_300_800 * SECOND;
const DEFAULT_HTTP_DEADLINE: Duration = 10 * MINUTE;

export interface TaskRules extends TargetRules {
  readonly now: Instant;
  /** For a task without a name. */
  readonly newId: () => string;
}

/** Checks a create and fills in what production fills in. */
export function newTask(request: CreateTaskRequest, rules: TaskRules): Omit<StoredTask, 'seq'> {
  const { parent, task } = request;
  const { now } = rules;
  const { project } = parseQueueName(parent, 'parent');
  const id = task.name === undefined ? rules.newId() : ownId(task.name, parent);
  const stored = {
    queue: parent,
    id,
    request: {
      ...target(task, project, rules),
      createTime: Math.floor(now / SECOND) * SECOND,
      ...deadline(task),
    },
    state: { scheduleTime: scheduleTime(task, now), ...NO_ATTEMPTS },
  };
  if (taskSize(shown({ ...stored, seq: 0 }, 'FULL')) > MAX_TASK_SIZE) {
    throw refusal('TASK_SIZE', { field: 'task' });
  }
  return stored;
}

const NO_ATTEMPTS = { dispatchCount: 0, responseCount: 0, executionCount: 0 };

/** The task as the API shows it. BASIC leaves only the body out. */
export function shown(task: StoredTask, view: View = 'BASIC'): Task {
  const { httpRequest, appEngineHttpRequest, createTime, dispatchDeadline } = task.request;
  const { scheduleTime, dispatchCount, responseCount, firstAttempt, lastAttempt } = task.state;
  return {
    name: taskName(task.queue, task.id),
    ...(httpRequest ? { httpRequest: inView(httpRequest, view) } : {}),
    ...(appEngineHttpRequest ? { appEngineHttpRequest: inView(appEngineHttpRequest, view) } : {}),
    scheduleTime,
    createTime,
    ...(dispatchDeadline === undefined ? {} : { dispatchDeadline }),
    dispatchCount,
    responseCount,
    ...(firstAttempt ? { firstAttempt } : {}),
    ...(lastAttempt ? { lastAttempt } : {}),
    view,
  };
}

function inView<Request extends { body?: Uint8Array }>(request: Request, view: View): Request {
  if (view === 'FULL') return request;
  const head = { ...request };
  delete head.body;
  return head;
}

/** How long an attempt may take. Without one App Engine's automatic scaling allows 10 minutes. */
export function dispatchDeadline(task: StoredTask): Duration {
  return task.request.dispatchDeadline ?? DEFAULT_HTTP_DEADLINE;
}

function ownId(name: string, parent: string): string {
  const { queue, id } = parseTaskName(name, 'task.name');
  if (queue !== parent) {
    throw refusal('OTHER_QUEUE', { parent, queue, field: 'task.name' });
  }
  return id;
}

function scheduleTime(task: TaskInput, now: Instant): Instant {
  const asked = task.scheduleTime;
  if (asked === undefined) return now;
  if (!Number.isInteger(asked) || Math.abs(asked) >= END_OF_TIME) {
    throw refusal('SCHEDULE_UNREADABLE', { got: asked, field: 'task.scheduleTime' });
  }
  if (asked > now + MAX_SCHEDULE_AHEAD) {
    throw refusal('SCHEDULE_TOO_FAR', { time: pacificTime(asked), field: 'task.scheduleTime' });
  }
  return Math.max(asked, now);
}

/** Production writes this one time as the clocks in California show it. */
function pacificTime(instant: Instant): string {
  const parts = new Map(
    new Intl.DateTimeFormat('en-US', {
      timeZone: 'America/Los_Angeles',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    })
      .formatToParts(Math.floor(instant / 1000))
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? '';
  const offset = part('timeZoneName').replace('GMT', '');
  return `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}:${part('second')}${offset}`;
}

function deadline(task: TaskInput): { dispatchDeadline?: Duration } {
  const asked = task.dispatchDeadline;
  const [most, range] = task.httpRequest
    ? [30 * MINUTE, '[15s, 30m]']
    : [24 * HOUR + 15 * SECOND, '[15s, 24h15s]'];
  if (asked === undefined) {
    return task.httpRequest ? { dispatchDeadline: DEFAULT_HTTP_DEADLINE } : {};
  }
  // Written so that NaN fails too.
  if (!(asked >= 15 * SECOND && asked <= most)) {
    throw refusal('DEADLINE', { range, field: 'task.dispatchDeadline' });
  }
  return { dispatchDeadline: asked };
}
