/** Puts the hooks of a handler, and its run, between the guard and the pipes. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { InternalServerErrorException } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Observable } from 'rxjs';
import { from, lastValueFrom } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import { isKeptApart, isRestored } from '../../payloads/payloads.js';
import type { HookRunner } from '../hooks/hook-runner.js';
import type { HandlerRoutes } from '../routes/handler-routes.js';
import { handlerMark } from '../routes/task-metadata.js';
import { taskContextOf } from './attempt-context.js';
import type { HandlerRuns } from './handler-runs.js';

export class HandlerInterceptor implements NestInterceptor {
  constructor(
    private readonly routes: HandlerRoutes,
    private readonly hooks: HookRunner,
    private readonly runs: HandlerRuns,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const method = context.getHandler();
    const mark = handlerMark(method);
    const verified = verifiedRequest(request);
    // Where a test has taken the guard away, the headers say nothing.
    if (!mark || !verified) return next.handle();
    refuseWithoutPayload(request);
    const { handler, options } = this.routes.of(mark, method.name);
    const task = taskContextOf(request, http.getResponse<ServerResponse>());
    const attempt = { handler, task, headers: request.headers };
    const work = () => lastValueFrom(next.handle(), { defaultValue: undefined });
    const run = () => this.runs.run(method, request, verified, work);
    return from(this.hooks.aroundHandler(options.hooks, attempt, run));
  }
}

/** A route that an ordinary one shares its path with isn't known for a task's in time. */
function refuseWithoutPayload(request: IncomingMessage): void {
  if (!isKeptApart(request) || isRestored(request)) return;
  throw new InternalServerErrorException(
    "The task's payload can't be put back: another controller has this path too.",
  );
}
