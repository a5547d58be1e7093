/** Puts around a handler what belongs to its task: its outcome is noted, its hooks run, it runs once. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { defer } from 'rxjs';
import { HookRunner } from '../hooks/hook-runner.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { AttemptOutcomes } from './attempt-outcomes.js';
import { HandlerInterceptor } from './handler-interceptor.js';
import { HandlerRuns } from './handler-runs.js';
import { OutcomeInterceptor } from './outcome-interceptor.js';

/** One to Nest, which holds more than a kilobyte for each while the handler runs: a call may take hours. */
@Injectable()
export class TaskInterceptor implements NestInterceptor {
  private readonly outcome: OutcomeInterceptor;
  private readonly handler: HandlerInterceptor;

  constructor(
    routes: HandlerRoutes,
    outcomes: AttemptOutcomes,
    hooks: HookRunner,
    runs: HandlerRuns,
  ) {
    this.outcome = new OutcomeInterceptor(routes, outcomes);
    this.handler = new HandlerInterceptor(routes, hooks, runs);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handler = { handle: () => defer(() => this.handler.intercept(context, next)) };
    return this.outcome.intercept(context, handler);
  }
}
