/** Creates tasks without a handler's class: for any URL, for App Engine, for a handler by its name. */
import { Injectable } from '@nestjs/common';
import { invalidArgument } from '../../../engine/errors.js';
import { HandlerCalls } from '../routes/handler-call.js';
import { namingHandler } from '../attempts/handler-error.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { argumentsOf, findHandler } from '../routes/named-handler.js';
import { PlainTarget } from './plain-target.js';
import type { AppEngineCall, HttpCall } from './plain-call.js';
import { readAppEngineCall, readHttpCall } from './plain-call.js';
import type { BaseOptions, ReadOptions, TaskOptions } from '../task-options.js';
import { mergeOptions, readTaskOptions } from '../task-options.js';
import type { OutgoingCall } from './task-sender.js';
import { TaskSender } from './task-sender.js';
import { TasksSettings } from '../module-options.js';
import type { TaskRef } from '../tasks.js';

/** @throws CloudTasksError also for what only a handler of ours can do */
function readPlainOptions(given: TaskOptions): ReadOptions {
  const read = readTaskOptions(given);
  if (read.idempotencyKey === undefined) return read;
  throw invalidArgument(
    'idempotency: only a handler can do its work once; make the task by .delay or TaskProducer.enqueue.',
    'idempotency',
  );
}

/** Injectable wherever `TasksModule.forRoot` is imported. */
@Injectable()
export class TaskProducer {
  constructor(
    private readonly settings: TasksSettings,
    private readonly routes: HandlerRoutes,
    private readonly calls: HandlerCalls,
    private readonly target: PlainTarget,
    private readonly sender: TaskSender,
  ) {}

  /**
   * Creates a task that calls a URL. One of our own handlers gets the token that it accepts; any
   * other gets one only where `oidc` or, for Google's APIs, `oauth` asks for it.
   *
   * @throws CloudTasksError INVALID_ARGUMENT before anything is sent, and as `.delay`
   */
  http(call: HttpCall, options: TaskOptions = {}): Promise<TaskRef> {
    return namingHandler('TaskProducer.http', async () => {
      const { target, ...given } = options;
      if (target !== undefined && target !== 'http') {
        throw invalidArgument("target: expected 'http', or TaskProducer.appEngine.", 'target');
      }
      const own = readPlainOptions(given);
      const merged = mergeOptions(this.settings.defaults, own, { target: 'http' });
      const content = readHttpCall(call);
      return this.sender.send(
        { ...content, target: () => this.target.http(content, own, merged) },
        merged,
      );
    });
  }

  /**
   * Creates a task that App Engine routes: to `service` and `version`, or the default ones.
   *
   * @throws CloudTasksError INVALID_ARGUMENT before anything is sent, and as `.delay`
   */
  appEngine(call: AppEngineCall, options: TaskOptions = {}): Promise<TaskRef> {
    return namingHandler('TaskProducer.appEngine', async () => {
      const { target = 'app-engine', ...given } = options;
      if (target === 'http') {
        throw invalidArgument("target: expected 'app-engine', or TaskProducer.http.", 'target');
      }
      const merged = mergeOptions(this.settings.defaults, readPlainOptions({ ...given, target }));
      const content = readAppEngineCall(call);
      const request = this.target.appEngine(content, target, merged);
      return this.sender.send({ ...content, target: () => Promise.resolve(request) }, merged);
    });
  }

  /**
   * Creates a task for a handler of this app: what `.delay(payload)` of it does.
   *
   * @param type the path of its `@Task` (`send-email`), its whole path (`/tasks/send-email`) or its
   *   name (`EmailTasks.send`)
   * @param payload its `@Body()`, or an object of its `@Body('…')` fields
   * @throws CloudTasksError INVALID_ARGUMENT for a type that no handler or more than one has, for a
   *   handler that takes more than a body, and as `.delay`
   */
  enqueue(type: string, payload?: unknown, options: TaskOptions = {}): Promise<TaskRef> {
    return this.calling(type, payload, options, (call, merged) => this.sender.send(call, merged));
  }

  /**
   * Nothing but what `enqueue` would throw before anything is sent: for what is to be enqueued later.
   *
   * @throws CloudTasksError INVALID_ARGUMENT as `enqueue`
   */
  check(type: string, payload?: unknown, options: TaskOptions = {}): Promise<void> {
    return this.calling(type, payload, options, async () => undefined);
  }

  private async calling<Result>(
    type: string,
    payload: unknown,
    options: TaskOptions,
    use: (call: OutgoingCall, merged: BaseOptions) => Promise<Result>,
  ): Promise<Result> {
    const route = namingHandler('TaskProducer.enqueue', () =>
      findHandler(this.routes.read(), type),
    );
    return namingHandler(route.handler, async () => {
      const merged = mergeOptions(route.options, readTaskOptions(options));
      return use(await this.calls.of(route, argumentsOf(route, payload), merged), merged);
    });
  }
}
