/** Makes a task of a delayed call and creates it. */
import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { CloudTasksApi, TaskInput } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { shortId, TASK_ID, taskName } from '../../engine/resource-name.js';
import { MAX_TASK_SIZE } from '../../engine/task-size.js';
import type { Instant } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { HandlerAddress } from './handler-address.js';
import { firstAttempt } from './schedule-time.js';
import { DEADLINE_HEADER } from './task-headers.js';
import { DEFAULT_HTTP_DEADLINE, inputSize, MOST_URL_LENGTH } from './task-limits.js';
import type { BaseOptions, ReadOptions, TaskTarget } from './task-options.js';
import type { RebuiltRequest } from './rebuilt-request.js';
import type { TaskRef } from './tasks.js';
import { TasksSettings } from './module-options.js';

@Injectable()
export class TaskSender {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    private readonly backend: QueueBackend,
    private readonly settings: TasksSettings,
    private readonly address: HandlerAddress,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws CloudTasksError */
  async send(request: RebuiltRequest, options: BaseOptions): Promise<TaskRef> {
    const { queue: id, taskId } = options;
    const queue = this.backend.queueName(id);
    const now = this.clock.now();
    const scheduleTime = firstAttempt(options.when, now);
    const task: TaskInput = {
      ...(taskId === undefined ? {} : { name: taskName(queue, legalId(taskId)) }),
      ...(await this.target(request, options)),
      ...(scheduleTime === undefined ? {} : { scheduleTime }),
      ...(options.dispatchDeadline === undefined
        ? {}
        : { dispatchDeadline: options.dispatchDeadline }),
    };
    checkSize(task, queue, now);
    const created = await this.api.createTask({ parent: queue, task });
    return {
      name: created.name,
      queue: id,
      taskId: shortId(created.name),
      scheduleTime: new Date(created.scheduleTime / MILLISECOND),
    };
  }

  private async target(
    request: RebuiltRequest,
    { headers: given, dispatchDeadline, target = 'http' }: ReadOptions,
  ): Promise<Pick<TaskInput, 'httpRequest' | 'appEngineHttpRequest'>> {
    const { path, body } = request;
    const deadline = dispatchDeadline ?? (target === 'http' ? DEFAULT_HTTP_DEADLINE : undefined);
    const headers = {
      // The arguments' own beat those of the options, or they would not arrive.
      ...Object.fromEntries([...(given ?? []), ...request.headers]),
      ...(deadline === undefined ? {} : { [DEADLINE_HEADER]: String(deadline / MILLISECOND) }),
    };
    const content = { httpMethod: 'POST' as const, headers, ...(body ? { body } : {}) };
    if (target !== 'http') {
      return { appEngineHttpRequest: { ...content, ...this.appEngine(path, target) } };
    }
    const url = `${await this.address.serviceUrl()}${path}`;
    if (url.length > MOST_URL_LENGTH) {
      throw invalidArgument(
        `The arguments make a URL of ${url.length} characters; at most ${MOST_URL_LENGTH} are allowed.`,
        'task.httpRequest.url',
      );
    }
    const oidcToken = {
      serviceAccountEmail: this.settings.serviceAccount,
      audience: await this.address.audience(),
    };
    return { httpRequest: { ...content, url, oidcToken } };
  }

  private appEngine(relativeUri: string, target: Exclude<TaskTarget, 'http'>) {
    if (this.settings.auth.mode !== 'local') {
      throw new CloudTasksError(
        'FAILED_PRECONDITION',
        `target: an App Engine task carries no token, so auth mode '${this.settings.auth.mode}' would refuse it.`,
        { field: 'target' },
      );
    }
    const { service, version } = target === 'app-engine' ? {} : target;
    const appEngineRouting = {
      ...(service === undefined ? {} : { service }),
      ...(version === undefined ? {} : { version }),
    };
    return { relativeUri, appEngineRouting };
  }
}

/** A text that is no legal id is replaced by its digest, always the same one. */
function legalId(taskId: string): string {
  return TASK_ID.test(taskId) ? taskId : createHash('sha256').update(taskId).digest('hex');
}

function checkSize(input: TaskInput, queue: string, now: Instant): void {
  const size = inputSize(input, queue, now);
  if (size > MAX_TASK_SIZE) {
    throw invalidArgument(
      `The arguments make a task of ${size} bytes; at most ${MAX_TASK_SIZE} are allowed.`,
      'task',
    );
  }
}
