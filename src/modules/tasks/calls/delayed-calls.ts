/** Makes the object that `@InjectTasks` injects: a controller's handlers as delayed calls. */
import { Injectable } from '@nestjs/common';
import type { ListOfArguments } from './delay-many.js';
import { ManySender } from './delay-many.js';
import { ExistingTasks } from './existing-tasks.js';
import { HandlerCalls } from '../routes/handler-call.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { namingHandler } from '../attempts/handler-error.js';
import type { ControllerClass, HandlerMark } from '../routes/task-metadata.js';
import { handlersOf } from '../routes/task-metadata.js';
import type { ReadOptions, TaskOptions } from '../task-options.js';
import { mergeOptions, readTaskOptions } from '../task-options.js';
import { TaskSender } from './task-sender.js';
import { TaskStatuses } from '../attempts/task-statuses.js';
import type { Delayed, DelayedCall, ManyOptions, Tasks } from '../tasks.js';

@Injectable()
export class DelayedCalls {
  private readonly controllers = new Set<ControllerClass>();

  constructor(
    private readonly routes: HandlerRoutes,
    private readonly calls: HandlerCalls,
    private readonly sender: TaskSender,
    private readonly many: ManySender,
    private readonly existing: ExistingTasks,
    private readonly statuses: TaskStatuses,
  ) {}

  /** A plain frozen object: a catch-all proxy would have a `then`, and Nest awaits providers. */
  of<Controller extends object>(
    controller: abstract new (...args: never[]) => Controller,
  ): Tasks<Controller> {
    const handlers = handlersOf(controller);
    this.controllers.add(controller);
    const calls = [...handlers].map(([method, mark]) => [
      method,
      this.delayedCall(controller, method, mark),
    ]);
    return Object.freeze(Object.fromEntries(calls)) as Tasks<Controller>;
  }

  /** @throws Error for a controller of `forFeature` that no module has */
  checkRegistered(): void {
    const registered = this.routes.read();
    for (const controller of this.controllers) {
      if ([...handlersOf(controller).values()].every((mark) => registered.has(mark))) continue;
      throw new Error(
        `TasksModule.forFeature: ${controller.name} is not among the controllers of any module.`,
      );
    }
  }

  private delayedCall(
    controller: ControllerClass,
    method: string,
    mark: HandlerMark,
  ): DelayedCall<unknown[]> {
    const handler = `${controller.name}.${method}`;
    const withOptions = (options: ReadOptions): Delayed<unknown[]> => {
      const route = () => this.routes.of(mark, handler);
      const merged = () => mergeOptions(route().options, options);
      const naming = <Result>(work: () => Promise<Result>) => namingHandler(handler, work);
      const delayMany = (list: ListOfArguments, given: ManyOptions<unknown[]> = {}) =>
        naming(async () =>
          this.many.send(list, given, merged(), {
            handler,
            call: async (args, all) => this.calls.of(route(), args, all),
          }),
        );
      return {
        delay: (...args) =>
          naming(async () => {
            const all = merged();
            return this.sender.send(await this.calls.of(route(), args, all), all);
          }),
        // Its two forms differ only in what the compiler is told of the answer.
        delayMany: delayMany as Delayed<unknown[]>['delayMany'],
        cancel: (task) => naming(async () => this.existing.cancel(task, merged().queue)),
        status: (task) =>
          naming(async () => this.statuses.of(this.existing.nameOf(task, merged().queue))),
        runNow: (task) => naming(async () => this.existing.runNow(task, merged().queue)),
      };
    };
    return Object.freeze({
      ...withOptions({}),
      options: (options: TaskOptions) =>
        Object.freeze(withOptions(namingHandler(handler, () => readTaskOptions(options)))),
    });
  }
}
