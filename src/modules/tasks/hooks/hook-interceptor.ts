/** Runs the hooks of a handler around it, of verified deliveries alone. */
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { InternalServerErrorException } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Observable } from 'rxjs';
import { from, lastValueFrom } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import { isKeptApart, isRestored } from '../../payloads/payloads.js';
import { taskContextOf } from '../attempts/attempt-context.js';
import type { HandlerRoutes } from '../routes/handler-routes.js';
import type { HookRunner } from './hook-runner.js';
import { handlerMark } from '../routes/task-metadata.js';

export class HookInterceptor implements NestInterceptor {
  constructor(
    private readonly routes: HandlerRoutes,
    private readonly hooks: HookRunner,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const mark = handlerMark(context.getHandler());
    if (!mark || !verifiedRequest(request)) return next.handle();
    refuseWithoutPayload(request);
    const { handler, options } = this.routes.of(mark, context.getHandler().name);
    const task = taskContextOf(request, http.getResponse<ServerResponse>());
    const attempt = { handler, task, headers: request.headers };
    return from(
      this.hooks.aroundHandler(options.hooks, attempt, () =>
        lastValueFrom(next.handle(), { defaultValue: undefined }),
      ),
    );
  }
}

/** A route that an ordinary one shares its path with isn't known for a task's in time. */
function refuseWithoutPayload(request: IncomingMessage): void {
  if (!isKeptApart(request) || isRestored(request)) return;
  throw new InternalServerErrorException(
    "The task's payload can't be put back: another controller has this path too.",
  );
}
