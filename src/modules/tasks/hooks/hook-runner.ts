/** Finds the hooks of a task among Nest's providers and calls them in their order. */
import { Injectable, Logger } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { invalidArgument } from '../../../engine/errors.js';
import type { HookChanges } from './hook-changes.js';
import type { HandlerRoute } from '../calls/rebuilt-request.js';
import type { TaskAttempt, TaskHook, TaskHookOption, TaskOutcome } from './task-hook.js';
import { traceHook } from './trace-context.js';

@Injectable()
export class HookRunner {
  private readonly logger = new Logger('Tasks');
  private readonly found = new Map<TaskHookOption, TaskHook>();

  constructor(private readonly modules: ModuleRef) {}

  /** @throws Error with a line for each handler one of whose hooks no module provides */
  check(routes: Iterable<Pick<HandlerRoute, 'handler' | 'options'>>): void {
    const problems: string[] = [];
    for (const { handler, options } of routes) {
      try {
        this.resolve(options.hooks);
      } catch (error) {
        problems.push(`\n- ${handler}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (problems.length > 0) throw new Error(`TasksModule can't start.${problems.join('')}`);
  }

  /**
   * Each hook sees the task as those before it have left it.
   *
   * @throws what a hook throws; CloudTasksError INVALID_ARGUMENT for changes that can't be
   */
  async beforeCreate(
    hooks: readonly TaskHookOption[] | undefined,
    task: Pick<HookChanges, 'draft' | 'add'>,
  ): Promise<void> {
    for (const hook of this.resolve(hooks)) {
      const changes = await hook.beforeCreate?.(task.draft);
      if (changes) task.add(changes);
    }
  }

  /** @throws what the handler or a hook throws */
  aroundHandler(
    hooks: readonly TaskHookOption[] | undefined,
    attempt: TaskAttempt,
    handler: () => Promise<unknown>,
  ): Promise<unknown> {
    return this.resolve(hooks).reduceRight<() => Promise<unknown>>(
      (next, hook) => async () => (hook.aroundHandler ? hook.aroundHandler(attempt, next) : next()),
      handler,
    )();
  }

  /** Never rejects: the outcome is decided. */
  async afterOutcome(
    hooks: readonly TaskHookOption[] | undefined,
    outcome: TaskOutcome,
  ): Promise<void> {
    for (const hook of this.resolve(hooks)) {
      try {
        await hook.afterOutcome?.(outcome);
      } catch (error) {
        const where = outcome.handler ?? 'A path without a handler';
        this.logger.error(`${where}: a hook failed after the outcome. ${String(error)}`);
      }
    }
  }

  /** Traces are followed first of all, so that every other hook runs within them. */
  private resolve(hooks: readonly TaskHookOption[] = []): TaskHook[] {
    return [traceHook, ...hooks.map((hook) => this.find(hook))];
  }

  private find(option: TaskHookOption): TaskHook {
    if (typeof option !== 'function') return option;
    let hook = this.found.get(option);
    if (!hook) {
      try {
        hook = this.modules.get<TaskHook>(option, { strict: false });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
        throw invalidArgument(
          `hooks: ${option.name} must be a provider of some module, and not of request scope. ${reason ?? ''}`,
          'hooks',
        );
      }
      this.found.set(option, hook);
    }
    return hook;
  }
}
