/** Makes of a handler's arguments the call that becomes a task. */
import { Injectable } from '@nestjs/common';
import { HandlerTarget } from '../calls/handler-target.js';
import type { HandlerRoute } from '../calls/rebuilt-request.js';
import { rebuildRequest } from '../calls/rebuilt-request.js';
import type { BaseOptions } from '../task-options.js';
import type { OutgoingCall } from '../calls/task-sender.js';

@Injectable()
export class HandlerCalls {
  constructor(private readonly target: HandlerTarget) {}

  /** @throws CloudTasksError INVALID_ARGUMENT naming the argument that HTTP can't carry */
  async of(
    route: HandlerRoute,
    args: readonly unknown[],
    options: BaseOptions,
  ): Promise<OutgoingCall> {
    const request = await rebuildRequest(route, args, options.validate);
    return { ...request, isOurs: true, target: () => this.target.of(request, options) };
  }
}
