/** Makes the object that `@InjectTasks` injects: a controller's handlers as delayed calls. */
import { Injectable } from '@nestjs/common';
import { HandlerRoutes } from './handler-routes.js';
import type { ControllerClass, HandlerMark } from './task-metadata.js';
import { handlersOf } from './task-metadata.js';
import type { ReadOptions, TaskOptions } from './task-options.js';
import { mergeOptions, readTaskOptions } from './task-options.js';
import { rebuildRequest } from './rebuilt-request.js';
import { TaskSender } from './task-sender.js';
import type { Delayable, TaskRef, Tasks } from './tasks.js';

@Injectable()
export class DelayedCalls {
  private readonly controllers = new Set<ControllerClass>();

  constructor(
    private readonly routes: HandlerRoutes,
    private readonly sender: TaskSender,
  ) {}

  /** A plain frozen object: a catch-all proxy would have a `then`, and Nest awaits providers. */
  of<Controller extends object>(
    controller: abstract new (...args: never[]) => Controller,
  ): Tasks<Controller> {
    const handlers = handlersOf(controller);
    this.controllers.add(controller);
    const calls = [...handlers].map(([method, mark]) => [
      method,
      this.delayable(controller, method, mark),
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

  private delayable(
    controller: ControllerClass,
    method: string,
    mark: HandlerMark,
  ): Delayable<unknown[]> {
    const name = `${controller.name}.${method}`;
    const delay = async (args: readonly unknown[], options: ReadOptions): Promise<TaskRef> => {
      const route = this.routes.of(mark, name);
      return this.sender.send(rebuildRequest(route, args), mergeOptions(route.options, options));
    };
    return Object.freeze({
      delay: (...args: unknown[]) => delay(args, {}),
      options: (options: TaskOptions) => {
        const read = readTaskOptions(options);
        return Object.freeze({ delay: (...args: unknown[]) => delay(args, read) });
      },
    });
  }
}
