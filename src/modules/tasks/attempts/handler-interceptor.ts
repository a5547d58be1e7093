/** Puts the run of a handler between the guard and the pipes. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Observable } from 'rxjs';
import { from, lastValueFrom } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import type { HandlerRuns } from './handler-runs.js';

export class HandlerInterceptor implements NestInterceptor {
  constructor(private readonly runs: HandlerRuns) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const verified = verifiedRequest(request);
    // Where a test has taken the guard away, the headers say nothing.
    if (!verified) return next.handle();
    const work = () => lastValueFrom(next.handle(), { defaultValue: undefined });
    return from(this.runs.run(context.getHandler(), request, verified, work));
  }
}
