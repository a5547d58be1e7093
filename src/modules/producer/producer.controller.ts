/** The endpoints that enqueue: one for our own handlers, one for other people's. */
import {
  All,
  Controller,
  HttpCode,
  Inject,
  MethodNotAllowedException,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import type {
  CloudTasksApi,
  CreateTaskRequest,
  Task,
  TaskInput,
} from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { shortId } from '../../engine/resource-name.js';
import { AppAddress } from '../cloud-tasks/app-address.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { IdempotencyKeys } from '../journal/idempotency-keys.js';
import { traceHeaders } from '../tasks/hooks/trace-context.js';
import { formatInstant } from './instant-text.js';
import { callerName, checkScopes } from './producer-caller.js';
import { ProducerGuard } from './producer-guard.js';
import type { ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';
import { readJsonText } from './request-body.js';
import type { RequestRules } from './requested-task.js';
import { appEngineTask, ENQUEUING_PATHS, externalTask } from './requested-task.js';

/** What enqueuing answers. */
export interface EnqueuedTask {
  /** Full name: `projects/local/locations/us-central1/queues/default/tasks/42`. */
  readonly name: string;
  /** The queue's id. */
  readonly queue: string;
  /** RFC 3339, as `createTime`. */
  readonly scheduleTime: string;
  readonly createTime: string;
  readonly target: object;
}

@Controller()
@UseGuards(ProducerGuard)
export class ProducerController {
  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(PRODUCER_OPTIONS) private readonly options: ProducerOptions,
    private readonly backend: QueueBackend,
    private readonly address: AppAddress,
    private readonly keys: IdempotencyKeys,
  ) {}

  @Post('add_task_app_engine')
  @HttpCode(202)
  async addAppEngineTask(@Req() request: Request): Promise<EnqueuedTask> {
    const text = await readJsonText(request);
    return this.once(request, text, (rules) => appEngineTask(text, rules));
  }

  @Post(['add_task_external', 'do_external_task'])
  @HttpCode(202)
  async addExternalTask(@Req() request: Request): Promise<EnqueuedTask> {
    const text = await readJsonText(request);
    const own = await this.ownAddresses();
    return this.once(request, text, (rules) =>
      externalTask(text, rules, this.options.external, own),
    );
  }

  @All(ENQUEUING_PATHS)
  refuseMethod(@Req() request: Request, @Res({ passthrough: true }) response: Response): never {
    response.setHeader('Allow', 'POST');
    throw new MethodNotAllowedException(`This path allows POST, got ${request.method}.`);
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

  private async ownAddresses(): Promise<string[]> {
    const engine = this.backend.kind === 'embedded' ? [this.backend.proof.jwksUrl] : [];
    return [await this.address.url(), ...engine, ...this.options.handlers];
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
        return shown(await this.created(name, wanted), queue);
      }
      throw inOurWords(error);
    }
  }

  /** By now it may have ended. */
  private async created(name: string, { task }: CreateTaskRequest): Promise<EnqueuedAs> {
    try {
      return await this.api.getTask({ name });
    } catch (error) {
      if (!(error instanceof CloudTasksError && error.code === 'NOT_FOUND')) throw error;
      const now = this.clock.now();
      return { scheduleTime: now, createTime: now, ...task, name };
    }
  }
}

type EnqueuedAs = TaskInput & Pick<Task, 'name' | 'scheduleTime' | 'createTime'>;

function shown(task: EnqueuedAs, queue: string): EnqueuedTask {
  const { name, scheduleTime, createTime, httpRequest, appEngineHttpRequest } = task;
  const { service, version, instance } = appEngineHttpRequest?.appEngineRouting ?? {};
  return {
    name,
    queue,
    scheduleTime: formatInstant(scheduleTime),
    createTime: formatInstant(createTime),
    // JSON leaves out what is undefined.
    target: httpRequest
      ? { type: 'http', url: httpRequest.url, method: httpRequest.httpMethod }
      : {
          type: 'app-engine',
          service,
          version,
          instance,
          relativeUri: appEngineHttpRequest?.relativeUri,
          method: appEngineHttpRequest?.httpMethod,
        },
  };
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

/** Which of our fields a field of the API came from. */
const OUR_FIELDS: Readonly<Record<string, string>> = {
  parent: 'queue',
  'task.name': 'taskId',
  'task.scheduleTime': 'scheduleTime',
  'task.dispatchDeadline': 'dispatchDeadline',
  'task.httpRequest.url': 'url',
  'task.appEngineHttpRequest.relativeUri': 'relativeUri',
};

function inOurWords(error: unknown): unknown {
  if (!(error instanceof CloudTasksError)) return error;
  const { code, message, cause } = error;
  const byCode = code === 'ALREADY_EXISTS' ? 'taskId' : code === 'NOT_FOUND' ? 'queue' : undefined;
  const field = error.field === undefined ? byCode : (OUR_FIELDS[error.field] ?? byCode);
  return new CloudTasksError(code, message, { field, cause });
}
