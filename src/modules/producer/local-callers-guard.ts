/** Lets only programs of this machine enqueue, where nothing else is asked of a caller. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import { isLoopback } from '../../loopback.js';

/**
 * The app listens on loopback then, which a web page reaches too: one whose own name was made to
 * resolve to this machine still sends that name as its `Host`.
 */
@Injectable()
export class LocalCallersGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const [host = '', ...more] = request.headersDistinct['host'] ?? [];
    if (more.length === 0 && isLoopback(host.replace(PORT, ''))) return true;
    throw new CloudTasksError(
      'PERMISSION_DENIED',
      'Only programs of this machine may enqueue here: call localhost or 127.0.0.1.',
    );
  }
}

const PORT = /:\d{1,5}$/;
