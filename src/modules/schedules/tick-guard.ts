/** Lets only ticks in: of Cloud Scheduler with our account's token, on App Engine those of its cron. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, NotFoundException } from '@nestjs/common';
import type { TaskRequest } from '../auth/task-authenticator.js';
import { TaskAuthenticator } from '../auth/task-authenticator.js';

@Injectable()
export class TickGuard implements CanActivate {
  constructor(private readonly authenticator: TaskAuthenticator) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<TaskRequest>();
    const { method = '', url = '' } = request;
    const own = this.authenticator.mode === 'appengine' ? 'GET' : 'POST';
    if (method !== own) throw new NotFoundException(`Cannot ${method} ${url}`);
    await this.authenticator.verifyTick(request);
    return true;
  }
}
