/** Notes of each attempt how its handler and its pipes came out, before others make something of it. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Observable } from 'rxjs';
import { defer, NEVER, of, tap } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { handlerMark } from '../routes/task-metadata.js';
import type { RunningAttempt } from './attempt-outcomes.js';
import { AttemptOutcomes, runningAttempt } from './attempt-outcomes.js';
import { HandlerDelivery } from './handler-delivery.js';
import type { Work } from './returned-work.js';
import { returnsWork } from './returned-work.js';

/** One to Nest, which holds more than a kilobyte for each while the handler runs. */
@Injectable()
export class TaskInterceptor implements NestInterceptor {
  constructor(
    private readonly routes: HandlerRoutes,
    private readonly outcomes: AttemptOutcomes,
    private readonly delivery: HandlerDelivery,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const attempt = this.attemptOf(context);
    if (!attempt) return defer(() => this.delivery.run(context, next));
    // It was answered already, while the guards were asked.
    if (attempt.isOver) return NEVER;
    attempt.letIn();
    if (returnsWork(context.getHandler())) {
      attempt.answerLater(this.delivery.run(context, next) as ReturnType<Work>);
      return of(undefined);
    }
    return defer(() => this.delivery.run(context, next)).pipe(
      tap({
        error: (error: unknown) => attempt.failed(error),
        complete: () => attempt.returned(),
      }),
    );
  }

  /** Where an ordinary route may have the same path, only now it is known whose it is. */
  private attemptOf(context: ExecutionContext): RunningAttempt | undefined {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const open = runningAttempt(request);
    if (open) return open;
    const mark = handlerMark(context.getHandler());
    const verified = verifiedRequest(request);
    if (!mark || !verified) return undefined;
    const response = http.getResponse<ServerResponse>();
    return this.outcomes.open(request, response, verified, this.routes.rulesOf(mark));
  }
}
