/** Lets only those enqueue who may. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { printable } from '../../foundation/printable.js';
import type { RefusalCode } from '../auth/refusal.js';
import { Refusal } from '../auth/refusal.js';
import { ProducerAuthenticator } from './producer-authenticator.js';
import { noteCaller } from './producer-caller.js';
import { TooMany } from './request-rate.js';

/** The same words for every reason, as at the handlers. */
const MESSAGE: Readonly<Record<RefusalCode, string>> = {
  UNAUTHENTICATED: 'Enqueuing takes a valid credential.',
  PERMISSION_DENIED: 'This caller may not enqueue.',
  RESOURCE_EXHAUSTED: 'Too many requests.',
  UNAVAILABLE: 'Nobody can be verified at the moment.',
};

@Injectable()
export class ProducerGuard implements CanActivate {
  private readonly logger = new Logger('Tasks');

  constructor(private readonly authenticator: ProducerAuthenticator) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    try {
      noteCaller(request, await this.authenticator.check(request), this.authenticator.isOpen);
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { method = '', url = '' } = request;
      const [path = ''] = url.split('?', 1);
      this.logger.warn(`Refused ${method} ${printable(path, 200)}: ${error.reason}`);
      if (error instanceof TooMany) {
        http.getResponse<ServerResponse>().setHeader('Retry-After', error.seconds);
      }
      throw new Refusal(error.code, error.reason, MESSAGE[error.code]);
    }
  }
}
