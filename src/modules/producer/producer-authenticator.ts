/** Finds out who calls an enqueuing endpoint, by whichever check the app is configured with. */
import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { IAP_HEADER, IAP_KEYS, IapVerifier } from '../auth/iap-verifier.js';
import { KeySet } from '../auth/key-set.js';
import { OidcVerifier } from '../auth/oidc-verifier.js';
import { Refusal } from '../auth/refusal.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { ApiKeyCheck } from './api-key-check.js';
import { isLocalCaller } from './local-caller.js';
import type { ProducerCaller } from './producer-caller.js';
import type { ProducerAuth, ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';

const GOOGLE = 'https://accounts.google.com';

type Check = (request: IncomingMessage) => ProducerCaller | Promise<ProducerCaller>;

/** One for all endpoints: how often somebody may come counts for all of them together. */
@Injectable()
export class ProducerAuthenticator {
  /** @throws Refusal, CloudTasksError */
  readonly check: Check;

  constructor(
    @Inject(PRODUCER_OPTIONS) { auth }: ProducerOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.check = this.checkOf(auth);
  }

  private checkOf(auth: ProducerAuth): Check {
    switch (auth.kind) {
      case 'none':
        return localCaller;
      case 'nobody':
        return nobody;
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

/** Where its endpoints are answered all the same, by a mistake. */
function nobody(): never {
  throw new Refusal('PERMISSION_DENIED', 'this role serves no producers');
}

function localCaller(request: IncomingMessage): ProducerCaller {
  if (isLocalCaller(request)) return { name: 'this machine' };
  throw new CloudTasksError(
    'PERMISSION_DENIED',
    'Only programs of this machine may enqueue here: call localhost or 127.0.0.1.',
  );
}
