/** Delivers an attempt to its handler: within its hooks, and once where that is asked for. */
import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { Injectable, InternalServerErrorException } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { lastValueFrom } from 'rxjs';
import { verifiedRequest } from '../../auth/task-guard.js';
import { isKeptApart, isRestored } from '../../payloads/payloads.js';
import { HookRunner } from '../hooks/hook-runner.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import { handlerMark } from '../routes/task-metadata.js';
import { taskContextOf } from './attempt-context.js';
import { HandlerRuns } from './handler-runs.js';
import type { Work } from './returned-work.js';
import { returnsWork } from './returned-work.js';

@Injectable()
export class HandlerDelivery {
  constructor(
    private readonly routes: HandlerRoutes,
    private readonly hooks: HookRunner,
    private readonly runs: HandlerRuns,
  ) {}

  /**
   * @param next Nest's pipes and the handler
   * @throws what a hook, a pipe or the handler throws
   */
  async run(context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const method = context.getHandler();
    const mark = handlerMark(method);
    const verified = verifiedRequest(request);
    const isWork = returnsWork(method);
    const handle = () => {
      const result = lastValueFrom<unknown, unknown>(next.handle(), { defaultValue: undefined });
      return isWork ? result.then((work) => (work as Work)()) : result;
    };
    // Where a test has taken the guard away, the headers say nothing.
    if (!mark || !verified) return handle();
    refuseWithoutPayload(request);
    const { handler, options } = this.routes.of(mark, method.name);
    const task = taskContextOf(request, http.getResponse<ServerResponse>());
    const attempt = { handler, task, headers: request.headers };
    const run = isWork ? handle : () => this.runs.run(method, request, verified, handle);
    return this.hooks.aroundHandler(options.hooks, attempt, run);
  }
}

/** A route that an ordinary one shares its path with isn't known for a task's in time. */
function refuseWithoutPayload(request: IncomingMessage): void {
  if (!isKeptApart(request) || isRestored(request)) return;
  throw new InternalServerErrorException(
    "The task's payload can't be put back: another controller has this path too.",
  );
}
