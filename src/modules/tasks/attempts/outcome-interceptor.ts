/** Notes of each attempt how its handler and its pipes came out, before others make something of it. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Observable } from 'rxjs';
import { NEVER, tap } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import type { AttemptOutcomes } from './attempt-outcomes.js';
import { runningAttempt } from './attempt-outcomes.js';
import type { HandlerRoutes } from '../routes/handler-routes.js';
import { handlerMark } from '../routes/task-metadata.js';

export class OutcomeInterceptor implements NestInterceptor {
  constructor(
    private readonly routes: HandlerRoutes,
    private readonly outcomes: AttemptOutcomes,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const attempt =
      runningAttempt(request) ??
      this.open(context.getHandler(), request, http.getResponse<ServerResponse>());
    if (!attempt) return next.handle();
    // It was answered already, while the guards were asked.
    if (attempt.isOver) return NEVER;
    attempt.letIn();
    return next.handle().pipe(
      tap({
        error: (error: unknown) => attempt.failed(error),
        complete: () => attempt.returned(),
      }),
    );
  }

  /** Where an ordinary route may have the same path, only now it is known whose it is. */
  private open(handler: object, request: IncomingMessage, response: ServerResponse) {
    const mark = handlerMark(handler);
    const verified = verifiedRequest(request);
    if (!mark || !verified) return undefined;
    return this.outcomes.open(request, response, verified, this.routes.rulesOf(mark));
  }
}
