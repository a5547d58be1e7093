/** Notes how the routes of a `@TaskController` came out that are no `@Task`. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Observable } from 'rxjs';
import { tap } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import { deliveredTask } from '../../dead-letters/delivered-task.js';
import { legible } from '../../dead-letters/legible.js';
import type { OutcomeKind } from '../../dead-letters/outcomes.js';
import { messageOf } from '../../dead-letters/verdict.js';
import { OutcomeRecorder } from './outcome-recorder.js';
import { handlerMark } from '../routes/task-metadata.js';

/** Such a route answers as it likes; nothing is parked, and the queue alone tries again. */
@Injectable()
export class PlainRouteInterceptor implements NestInterceptor {
  constructor(private readonly recorder: OutcomeRecorder) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const verified = verifiedRequest(request);
    const task = verified && deliveredTask(request, verified);
    if (!task || handlerMark(context.getHandler())) return next.handle();
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const note = (kind: OutcomeKind, error?: unknown, message?: string) =>
      this.recorder.note({
        task,
        handler: undefined,
        request,
        response,
        verified,
        kind,
        error,
        message,
      });
    return next.handle().pipe(
      tap({
        complete: () => note('succeeded'),
        error: (error: unknown) =>
          note('failed', error, messageOf(legible({ error, stage: 'route' }))),
      }),
    );
  }
}
