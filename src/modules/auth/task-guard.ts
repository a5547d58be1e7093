/** Lets only verified tasks reach a handler. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { accountsAllowedBy } from './allowed-accounts.js';
import { unauthenticated } from './refusal.js';
import type { TaskRequest, VerifiedRequest } from './task-authenticator.js';
import { TaskAuthenticator } from './task-authenticator.js';

/** On the request itself: a map of all requests costs each of them more than its check does. */
const VERIFIED = Symbol('verified');
interface Guarded {
  [VERIFIED]?: VerifiedRequest;
}

/**
 * Answers 401 to whoever brings no valid credential, 403 to whoever brings another's, and 503
 * while nobody can be told from anybody. `@TaskController` and `@Task` have it; an ordinary
 * controller gets it by `@UseGuards(TaskGuard)`. `@AllowServiceAccounts` says who may call a handler.
 */
@Injectable()
export class TaskGuard implements CanActivate {
  constructor(private readonly authenticator: TaskAuthenticator) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') {
      throw unauthenticated(`a task can't come by ${context.getType()}`);
    }
    const request = context.switchToHttp().getRequest<TaskRequest & Guarded>();
    const found = await this.authenticator.verify(request);
    this.authenticator.checkAccount(request, found, accountsAllowedBy(context));
    request[VERIFIED] = found;
    return true;
  }
}

export type { VerifiedRequest };

/** What the guard found out of a request; undefined when it never looked at it. */
export function verifiedRequest(request: object): VerifiedRequest | undefined {
  return (request as Guarded)[VERIFIED];
}
