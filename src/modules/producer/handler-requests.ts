/** Answers a request that enqueues work for one of the app's own handlers. */
import { Inject, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import type { Instant } from '../../engine/time.js';
import { printable } from '../../foundation/printable.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { IdempotencyKeys } from '../journal/idempotency-keys.js';
import { HandlerTasks } from '../tasks/calls/handler-tasks.js';
import { HandlerRoutes } from '../tasks/routes/handler-routes.js';
import { findHandler } from '../tasks/routes/named-handler.js';
import { mergeOptions, readTaskOptions } from '../tasks/task-options.js';
import type { EnqueuedTask } from './enqueued-task.js';
import { inOurWords, shown } from './enqueued-task.js';
import { Fields, unexpected } from './fields.js';
import { callerName, checkHandler } from './producer-caller.js';
import { readJsonText } from './request-body.js';
import { OPTION_FIELDS, readOptionFields } from './task-fields.js';

/** What an endpoint enqueues. */
export interface HandlerRequest {
  /** The handler's path: `/tasks/send-email`. */
  readonly path: string;
  /** The fields that the endpoint takes, besides `options`: the handler is sent them as they came. */
  readonly fields: readonly string[];
  /** @throws CloudTasksError naming the field that isn't right */
  readonly check: (fields: Fields) => unknown;
  /**
   * Default `application/json`. As `application/octet-stream` the handler gets the bytes as they
   * are, where numbers and repeated names must stay what they were.
   */
  readonly contentType?: string;
  /** Whether the handler calls other people's URLs, which not everybody may ask for. */
  readonly external?: boolean;
}

interface ReadRequest {
  /** The task's. */
  readonly body: string;
  readonly fields: Fields;
  /** An id that only this very request can have. */
  readonly ownId: string | undefined;
}

@Injectable()
export class HandlerRequests {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly routes: HandlerRoutes,
    private readonly tasks: HandlerTasks,
    private readonly keys: IdempotencyKeys,
  ) {}

  /**
   * Enqueues what the request's body asks for. One that is sent again under its `Idempotency-Key`
   * gets its first answer.
   *
   * @throws CloudTasksError, and what `readJsonText` throws
   */
  async enqueue(request: Request, wanted: HandlerRequest): Promise<EnqueuedTask> {
    const text = await readJsonText(request);
    const asked = { caller: callerName(request), content: `${request.path}\n${text}` };
    return this.keys.answer(request, asked, async (ownId) => {
      const fields = new Fields(text, [...wanted.fields, 'options']);
      wanted.check(fields);
      const body = fields.only(wanted.fields);
      return inOptions(wanted.fields, () => this.create(request, wanted, { body, fields, ownId }));
    });
  }

  private async create(
    request: Request,
    { path, contentType = 'application/json', external = false }: HandlerRequest,
    { body, fields, ownId }: ReadRequest,
  ): Promise<EnqueuedTask> {
    const given = readOptions(fields.json('options') ?? '{}', this.clock.now());
    const route = findHandler(this.routes.read(), path);
    const taskId = given.taskId ?? ownId;
    const own = readTaskOptions(taskId === undefined ? given : { ...given, taskId });
    const options = mergeOptions(route.options, own);
    checkHandler(request, options.queue, path, external);
    const { method } = route;
    const work = { method, callee: `${method} ${path}`, path, contentType, body };
    try {
      return shown(await this.tasks.create(work, options, ownId), options.queue);
    } catch (error) {
      throw inOurWords(error);
    }
  }
}

function readOptions(json: string, now: Instant): ReturnType<typeof readOptionFields> {
  if (!json.startsWith('{')) unexpected('', 'an object', printable(json));
  return readOptionFields(new Fields(json, OPTION_FIELDS), now);
}

/**
 * Says of what is wrong with an option that it is one.
 *
 * @param others fields beside the options
 */
async function inOptions<Result>(
  others: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CloudTasksError) || error.field === undefined) throw error;
    const { code, message, field, cause } = error;
    if (others.includes(field)) throw error;
    const isNamed = field !== '' && message.startsWith(field);
    throw new CloudTasksError(code, isNamed ? `options.${message}` : `options: ${message}`, {
      field: field === '' ? 'options' : `options.${field}`,
      cause,
    });
  }
}
