/** Lets only those enqueue who may, by whichever check the app is configured with. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { printable } from '../../printable.js';
import { IAP_HEADER, IAP_KEYS, IapVerifier } from '../auth/iap-verifier.js';
import { KeySet } from '../auth/key-set.js';
import { OidcVerifier } from '../auth/oidc-verifier.js';
import type { RefusalCode } from '../auth/refusal.js';
import { Refusal } from '../auth/refusal.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { ApiKeyCheck, TooMany } from './api-key-check.js';
import { isLocalCaller } from './local-caller.js';
import type { ProducerCaller } from './producer-caller.js';
import { noteCaller } from './producer-caller.js';
import type { ProducerAuth, ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';

const GOOGLE = 'https://accounts.google.com';

/** The same words for every reason, as at the handlers. */
const MESSAGE: Readonly<Record<RefusalCode, string>> = {
  UNAUTHENTICATED: 'Enqueuing takes a valid credential.',
  PERMISSION_DENIED: 'This caller may not enqueue.',
  RESOURCE_EXHAUSTED: 'Too many requests.',
  UNAVAILABLE: 'Nobody can be verified at the moment.',
};

type Check = (request: IncomingMessage) => ProducerCaller | Promise<ProducerCaller>;

@Injectable()
export class ProducerGuard implements CanActivate {
  private readonly logger = new Logger('Tasks');
  private readonly check: Check;

  constructor(
    @Inject(PRODUCER_OPTIONS) { auth }: ProducerOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.check = this.checkOf(auth);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    try {
      noteCaller(request, await this.check(request));
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

  private checkOf(auth: ProducerAuth): Check {
    switch (auth.kind) {
      case 'none':
        return localCaller;
      case 'api-key': {
        const keys = new ApiKeyCheck(auth.file, this.clock);
        return (request) => keys.check(request);
      }
      case 'oidc': {
        const { issuer = GOOGLE, audience, accounts } = auth;
        // Google writes its own in two ways.
        const issuers = issuer === GOOGLE ? [GOOGLE, 'accounts.google.com'] : [issuer];
        const keys = new KeySet({ issuer }, this.clock);
        const verifier = new OidcVerifier(keys, { issuers, audience, accounts }, this.clock);
        return async ({ headersDistinct }) => ({
          name: (await verifier.verify(headersDistinct['authorization'] ?? [])).email,
        });
      }
      case 'iap': {
        const { audience, accounts, keysUrl = IAP_KEYS } = auth;
        const keys = new KeySet({ jwksUrl: keysUrl }, this.clock, 'ES256');
        const verifier = new IapVerifier(keys, audience, accounts, this.clock);
        return async ({ headersDistinct }) => ({
          name: await verifier.verify(headersDistinct[IAP_HEADER] ?? []),
        });
      }
    }
  }
}

function localCaller(request: IncomingMessage): ProducerCaller {
  if (isLocalCaller(request)) return { name: 'this machine' };
  throw new CloudTasksError(
    'PERMISSION_DENIED',
    'Only programs of this machine may enqueue here: call localhost or 127.0.0.1.',
  );
}
