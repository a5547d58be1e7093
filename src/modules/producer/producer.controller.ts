/** The endpoints that enqueue: one for our own handlers, one for other people's. */
import { All, Controller, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { CloudTasksApi, CreateTaskRequest } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { shortId } from '../../engine/resource-name.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { IdempotencyKeys } from '../journal/idempotency-keys.js';
import { madeBefore } from '../tasks/calls/handler-tasks.js';
import { traceHeaders } from '../tasks/hooks/trace-context.js';
import type { EnqueuedTask } from './enqueued-task.js';
import { inOurWords, shown } from './enqueued-task.js';
import { callerName, checkScopes } from './producer-caller.js';
import { refuseMethod } from './post-only.js';
import { ProducerGuard } from './producer-guard.js';
import type { ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';
import { readJsonText } from './request-body.js';
import type { RequestRules } from './requested-task.js';
import { appEngineTask, externalTask } from './requested-task.js';

@Controller()
@UseGuards(ProducerGuard)
export class ProducerController {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(PRODUCER_OPTIONS) private readonly options: ProducerOptions,
    private readonly backend: QueueBackend,
    private readonly outbound: OutboundPolicy,
    private readonly keys: IdempotencyKeys,
  ) {}

  @Post('add_task_app_engine')
  @HttpCode(202)
  async addAppEngineTask(@Req() request: Request): Promise<EnqueuedTask> {
    const text = await readJsonText(request);
    return this.once(request, text, (rules) =>
      checkedForHandlers(appEngineTask(text, rules), this.options),
    );
  }

  @Post(['add_task_external', 'do_external_task'])
  @HttpCode(202)
  async addExternalTask(@Req() request: Request): Promise<EnqueuedTask> {
    const text = await readJsonText(request);
    return this.once(request, text, (rules) =>
      externalTask(text, rules, this.outbound, this.options.externalAccount),
    );
  }

  @All(['add_task_app_engine', 'add_task_external', 'do_external_task'])
  refuseMethod(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    return refuseMethod(request, response);
  }

  /** A request that is sent again under its `Idempotency-Key` gets its first answer. */
  private once(
    request: Request,
    text: string,
    read: (rules: RequestRules) => CreateTaskRequest,
  ): Promise<EnqueuedTask> {
    const asked = { caller: callerName(request), content: `${request.path}\n${text}` };
    return this.keys.answer(request, asked, async (taskId) => {
      const wanted = read({
        now: this.clock.now(),
        queue: this.options.queue,
        queueName: (id) => this.backend.queueName(id),
        taskId,
      });
      checkScopes(request, wanted);
      return this.enqueue(await traced(wanted), taskId);
    });
  }

  /** @param ownId an id that only this very request can have */
  private async enqueue(wanted: CreateTaskRequest, ownId?: string): Promise<EnqueuedTask> {
    const queue = shortId(wanted.parent);
    try {
      return shown(await this.api.createTask(wanted), queue);
    } catch (error) {
      const { name } = wanted.task;
      const isOurs = name !== undefined && shortId(name) === ownId;
      if (isOurs && error instanceof CloudTasksError && error.code === 'ALREADY_EXISTS') {
        // Created, and then the process ended before it was recorded.
        return shown(await madeBefore(this.api, { ...wanted.task, name }, this.clock.now()), queue);
      }
      throw inOurWords(error);
    }
  }
}

/** A task that nobody says another service of will come to this app's handlers. */
function checkedForHandlers(
  wanted: CreateTaskRequest,
  { noAppEngineTasks }: ProducerOptions,
): CreateTaskRequest {
  const { service, version, instance } = wanted.task.appEngineHttpRequest?.appEngineRouting ?? {};
  if (noAppEngineTasks !== undefined && !(service ?? version ?? instance)) {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      `service: ${noAppEngineTasks}, which App Engine tasks have not. Enqueue for them by .delay() or by their own endpoints, such as /emails; for an App Engine service name it, such as 'default'.`,
      { field: 'service' },
    );
  }
  return wanted;
}

/** A task for handlers of ours belongs to the trace of whoever asked for it. */
async function traced({ parent, task }: CreateTaskRequest): Promise<CreateTaskRequest> {
  const { appEngineHttpRequest } = task;
  if (!appEngineHttpRequest) return { parent, task };
  const { headers = {} } = appEngineHttpRequest;
  const trace = await traceHeaders(Object.keys(headers));
  const request = { ...appEngineHttpRequest, headers: { ...headers, ...trace } };
  return { parent, task: { ...task, appEngineHttpRequest: request } };
}
