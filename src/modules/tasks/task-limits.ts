/** The limits of Cloud Tasks that are checked before anything is sent. */
import type { HttpRequest, Task, TaskInput } from '../../engine/cloud-tasks-api.js';
import { taskName } from '../../engine/resource-name.js';
import { taskSize } from '../../engine/task-size.js';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, HOUR, MINUTE, SECOND } from '../../engine/time.js';

/** From the create to the first attempt. */
export const MOST_AHEAD: Duration = 30 * DAY;

/** How long an attempt may take. */
export const LEAST_DEADLINE: Duration = 15 * SECOND;
export const MOST_HTTP_DEADLINE: Duration = 30 * MINUTE;
export const MOST_APP_ENGINE_DEADLINE: Duration = 24 * HOUR + 15 * SECOND;
export const DEFAULT_HTTP_DEADLINE: Duration = 10 * MINUTE;

/** How long a create may take; Google's client gives up then. */
export const MOST_CREATE_TIMEOUT: Duration = 20 * SECOND;

/** The size of the task that will be made; what the service adds is the same for all. */
export function inputSize(input: TaskInput, queue: string, now: Instant): number {
  const { httpRequest, appEngineHttpRequest } = input;
  const task: Pick<Task, 'name' | 'scheduleTime' | 'createTime'> & Partial<Task> = {
    name: input.name ?? taskName(queue, '0'.repeat(19)),
    scheduleTime: input.scheduleTime ?? now,
    createTime: now,
    ...(httpRequest ? { httpRequest: httpRequest as HttpRequest } : {}),
    ...(appEngineHttpRequest
      ? { appEngineHttpRequest: appEngineHttpRequest as Required<typeof appEngineHttpRequest> }
      : {}),
    dispatchDeadline: input.dispatchDeadline ?? DEFAULT_HTTP_DEADLINE,
  };
  return taskSize(task);
}
