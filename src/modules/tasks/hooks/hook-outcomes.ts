/** Tells the hooks of a handler what became of each of its attempts. */
import type { OnModuleInit } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { Outcomes } from '../../dead-letters/outcomes.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { HookRunner } from './hook-runner.js';
import { TasksSettings } from '../module-options.js';

@Injectable()
export class HookOutcomes implements OnModuleInit {
  constructor(
    private readonly outcomes: Outcomes,
    private readonly routes: HandlerRoutes,
    private readonly settings: TasksSettings,
    private readonly runner: HookRunner,
  ) {}

  onModuleInit(): void {
    const everywhere = this.settings.defaults.hooks ?? [];
    const byHandler = new Map(
      [...this.routes.read().values()].map(({ handler, options }) => [handler, options.hooks]),
    );
    const lists = [everywhere, ...byHandler.values()];
    // An attempt that nobody wants to hear of is answered without a detour.
    if (lists.every((hooks) => !hooks?.length)) return;
    this.outcomes.listen(({ handler, task, kind, error }) => {
      const { queue, taskId, retryCount } = task;
      const hooks = handler === undefined ? everywhere : byHandler.get(handler);
      return this.runner.afterOutcome(hooks, {
        handler,
        task: { queue, taskId, retryCount },
        kind,
        error,
      });
    });
  }
}
