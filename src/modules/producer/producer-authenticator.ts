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
import { HandlerRoutes } from '../tasks/routes/handler-routes.js';
import type { AccountGrants } from './account-file.js';
import { readAccountFile } from './account-file.js';
import { ApiKeyCheck } from './api-key-check.js';
import { isLocalCaller } from './local-caller.js';
import type { OpenQueues, ProducerCaller } from './producer-caller.js';
import type { ProducerAccounts, ProducerAuth, ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';
import { RequestRates } from './request-rate.js';

const GOOGLE = 'https://accounts.google.com';

type Check = (request: IncomingMessage) => ProducerCaller | Promise<ProducerCaller>;

/** One for all endpoints: how often somebody may come counts for all of them together. */
@Injectable()
export class ProducerAuthenticator {
  /** @throws Refusal, CloudTasksError */
  readonly check: Check;
  private open: ReadonlySet<string> | undefined;

  constructor(
    @Inject(PRODUCER_OPTIONS) private readonly options: ProducerOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly routes: HandlerRoutes,
  ) {
    this.check = this.checkOf(options.auth);
  }

  /** Whether a queue is one that anybody may enqueue to who may at all. */
  readonly isOpen: OpenQueues = (id) => {
    const { queues } = this.options;
    if (!queues) return true;
    this.open ??= new Set([...queues.ids, ...(queues.andHandlers ? this.routes.queues() : [])]);
    return this.open.has(id);
  };

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
        const { issuer = GOOGLE, audience } = auth;
        const callers = new AccountCallers(auth, this.clock);
        const accounts = callers.accounts ?? [];
        // Google writes its own in two ways.
        const issuers = issuer === GOOGLE ? [GOOGLE, 'accounts.google.com'] : [issuer];
        const keys = new KeySet({ issuer }, this.clock);
        keys.warmUp();
        const verifier = new OidcVerifier(keys, { issuers, audience, accounts }, this.clock);
        return async ({ headersDistinct }) => {
          const { email } = await verifier.verify(headersDistinct['authorization'] ?? []);
          return callers.caller(email);
        };
      }
      case 'iap': {
        const { audience, keysUrl = IAP_KEYS } = auth;
        const callers = new AccountCallers(auth, this.clock);
        const keys = new KeySet({ jwksUrl: keysUrl }, this.clock, 'ES256');
        keys.warmUp();
        const verifier = new IapVerifier(keys, audience, callers.accounts, this.clock);
        return async ({ headersDistinct }) =>
          callers.caller(await verifier.verify(headersDistinct[IAP_HEADER] ?? []));
      }
    }
  }
}

/** What the accounts may do that are let in. */
class AccountCallers {
  /** Who is let in; undefined for everybody. */
  readonly accounts: readonly string[] | undefined;
  private readonly grants: ReadonlyMap<string, AccountGrants> | undefined;
  private readonly rates = new RequestRates();

  constructor(
    { accounts, accountsFile }: ProducerAccounts,
    private readonly clock: Clock,
  ) {
    if (accountsFile !== undefined) this.grants = readAccountFile(accountsFile);
    this.accounts = this.grants ? [...this.grants.keys()] : accounts;
  }

  /** @throws TooMany */
  caller(email: string): ProducerCaller {
    const scopes = this.grants?.get(email);
    if (!scopes) return { name: email };
    this.rates.take(email, scopes.rate, this.clock.now(), `${email} came too often`);
    return { name: email, scopes };
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
