/** Answers 404 for what this process's role doesn't serve: every role mounts every route, since `.delay` needs their paths. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import type { IncomingMessage } from 'node:http';
import { TaskGuard } from '../modules/auth/task-guard.js';
import { ProducerGuard } from '../modules/producer/producer-guard.js';
import { CallbackController } from '../modules/relay/callback.controller.js';
import { RelayController } from '../modules/relay/relay.controller.js';
import { TickGuard } from '../modules/schedules/tick-guard.js';
import { handlerMark } from '../modules/tasks/routes/task-metadata.js';
import type { Role } from '../settings/role.js';
import { servesProducers } from '../settings/role.js';

/** What a relay does: the calls, and telling how they ended. */
const RELAY: readonly unknown[] = [RelayController, CallbackController];

@Injectable()
export class RoleGuard implements CanActivate {
  constructor(private readonly role: Role) {}

  /** As Nest answers for a path that nobody has, and before anybody is asked who they are. */
  canActivate(context: ExecutionContext): boolean {
    if (this.serves(context)) return true;
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    // What gets here is a verified task, and 404 would be its end; but it was only sent to the wrong
    // process, so the queue is to try again.
    if (handlerMark(context.getHandler())) {
      throw new ServiceUnavailableException(
        `A process of role '${this.role}' handles no such task.`,
      );
    }
    const { method = '', url = '' } = request;
    throw new NotFoundException(`Cannot ${method} ${url}`);
  }

  /** Whose a route is, its guard says. */
  private serves(context: ExecutionContext): boolean {
    if (this.role === 'all') return true;
    const controller = context.getClass();
    const guards = [...guardsOf(controller), ...guardsOf(context.getHandler())];
    if (guards.includes(ProducerGuard)) return servesProducers(this.role);
    if (guards.includes(TickGuard)) return this.role === 'worker';
    if (!guards.includes(TaskGuard)) return true;
    return this.role === 'worker' || (this.role === 'relay' && RELAY.includes(controller));
  }
}

function guardsOf(target: object): readonly unknown[] {
  return (Reflect.getMetadata(GUARDS_METADATA, target) as readonly unknown[] | undefined) ?? [];
}
