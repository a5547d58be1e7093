/** Tells whether a request is a dispatch of our backend, once for each request. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import {
  SIGNATURE_HEADER,
  SIGNATURE_VERSION,
  signedText,
} from '../../engine/dispatch-signature.js';
import type { Clock } from '../../engine/ports.js';
import type { Instant } from '../../engine/time.js';
import { platformOf } from '../../foundation/platform.js';
import { printable } from '../../foundation/printable.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { namedAccounts } from './allowed-accounts.js';
import { checkAppEngineHeaders, checkCronHeader } from './app-engine-dispatch.js';
import type { AuthMode, AuthOptions } from './auth-options.js';
import { AUTH_OPTIONS, emailOf } from './auth-options.js';
import { Envelope } from './envelope.js';
import { checkEnvelope } from './enveloped-request.js';
import { KeySet } from './key-set.js';
import { OidcVerifier } from './oidc-verifier.js';
import { GUARD_HEADER, PROBE_HEADER, PublicProbe } from './public-probe.js';
import { forbidden, Refusal, unauthenticated } from './refusal.js';

/** What is known of a request that was let in. */
export interface VerifiedRequest {
  /** Which of its headers tell about the task; those of the other kind may be forged. */
  readonly headers: 'x-cloudtasks' | 'x-appengine';
  /** The service account that called; absent when the engine's signature proved the request. */
  readonly account?: string;
  readonly arrivedAt: Instant;
  readonly clock: Clock;
}

/** On the request itself: a map of all requests costs each of them more than its check does. */
const DECIDED = Symbol('decided');

/** Express keeps the path that was asked for here, also under a mounted router, and the answer. */
export type TaskRequest = IncomingMessage & {
  readonly originalUrl?: string;
  readonly res?: ServerResponse | undefined;
  [DECIDED]?: Promise<VerifiedRequest> | undefined;
};

@Injectable()
export class TaskAuthenticator {
  private readonly logger = new Logger('Tasks');
  private readonly issuers: readonly string[];
  private readonly keys: KeySet;
  private readonly secret: string | undefined;
  private readonly envelope: Envelope | undefined;
  private readonly accounts: readonly string[];
  private queues: ReadonlySet<string> | undefined;
  /** Where only Cloud Run stands between strangers and the handlers. */
  private probe: PublicProbe | undefined;
  private verifier: OidcVerifier | undefined;

  constructor(
    @Inject(AUTH_OPTIONS) private readonly options: AuthOptions,
    backend: QueueBackend,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    const { envelope, issuer, mode, queues } = options;
    checkPlatform(mode);
    this.accounts = options.accounts.map(emailOf);
    this.queues = queues && new Set(queues);
    const { issuers, jwksUrl, secret } = backend.proof;
    const isBackend = issuer === undefined || issuers.includes(issuer);
    this.issuers = isBackend ? issuers : [issuer];
    this.keys = new KeySet(isBackend ? { jwksUrl } : { issuer }, clock);
    this.secret = mode === 'local' ? secret : undefined;
    this.envelope = envelope && new Envelope(envelope);
  }

  /** Whether a body has to be looked at before it is read. */
  get opensEnvelopes(): boolean {
    return this.envelope !== undefined;
  }

  /**
   * Tells of the handlers, once they are known.
   *
   * @param queues ids of theirs: the default in mode `appengine`
   * @param paths of theirs, one of which strangers must not get to in mode `cloud-run-iam`
   */
  guards(queues: ReadonlySet<string>, paths: readonly string[]): void {
    const { mode, serviceUrl } = this.options;
    if (mode === 'appengine') this.queues ??= queues;
    else if (mode !== 'local') this.keys.warmUp();
    if (mode !== 'cloud-run-iam') return;
    const path = paths.find((each) => !/[:*{]/.test(each)) ?? '/';
    this.probe = new PublicProbe(async () => `${await serviceUrl()}${path}`, this.clock);
    // So that the log tells at the start; a task that comes sooner waits for it.
    void this.probe.problem();
  }

  /**
   * The first call decides; later ones about the same request get its answer.
   *
   * @throws Refusal
   */
  verify(request: TaskRequest): Promise<VerifiedRequest> {
    return (request[DECIDED] ??= this.decide(request));
  }

  private async decide(request: TaskRequest): Promise<VerifiedRequest> {
    const arrivedAt = this.clock.now();
    try {
      const proven = await this.proveOrigin(request);
      this.checkQueue(request, proven.headers);
      if (this.envelope) await this.checkEnvelope(request, proven.headers, this.envelope);
      return { ...proven, arrivedAt, clock: this.clock };
    } catch (error) {
      this.tellRefusal(request, error);
      throw error;
    }
  }

  get mode(): AuthMode {
    return this.options.mode;
  }

  /**
   * A request that is no task but a tick: App Engine's cron sends it, or one of the app's accounts.
   *
   * @throws Refusal
   */
  async verifyTick(request: TaskRequest): Promise<void> {
    try {
      if (this.options.mode === 'appengine') {
        checkCronHeader(request);
        return;
      }
      if (this.options.mode === 'cloud-run-iam') await this.checkProbe(request);
      this.verifier ??= await this.makeVerifier();
      const { email } = await this.verifier.verify(this.authorization(request));
      if (!this.accounts.includes(email)) {
        throw forbidden(`the account '${printable(email, 200)}' may not send ticks`);
      }
    } catch (error) {
      this.tellRefusal(request, error);
      throw error;
    }
  }

  /**
   * Of a request that is verified: whether its account may call this handler.
   *
   * @param allowed whom the handler names; undefined, those of the app
   * @throws Refusal PERMISSION_DENIED
   */
  checkAccount(
    request: TaskRequest,
    { account }: VerifiedRequest,
    allowed: readonly string[] | undefined,
  ): void {
    // The embedded engine gives a task whichever account it asks for.
    if (this.options.mode === 'local') return;
    if (account === undefined ? !allowed : (allowed ?? this.accounts).includes(account)) return;
    const error = forbidden(
      account === undefined
        ? 'the handler names accounts, and an App Engine task has none'
        : `the account '${printable(account, 200)}' may not call this handler`,
    );
    this.tellRefusal(request, error);
    throw error;
  }

  private tellRefusal(request: TaskRequest, error: unknown): void {
    const reason = error instanceof Refusal ? error.reason : 'the check itself failed';
    const { method = '', url = '' } = request;
    const [path = ''] = (request.originalUrl ?? url).split('?', 1);
    request.res?.setHeader(GUARD_HEADER, 'refused');
    this.logger.warn(`Refused ${method} ${printable(path, 200)}: ${reason}`);
  }

  private async proveOrigin(
    request: TaskRequest,
  ): Promise<Pick<VerifiedRequest, 'headers' | 'account'>> {
    if (this.options.mode === 'appengine') {
      checkAppEngineHeaders(request);
      return { headers: 'x-appengine' };
    }
    const signatures = request.headersDistinct[SIGNATURE_HEADER.toLowerCase()];
    if (this.secret !== undefined && signatures) {
      checkSignature(request, signatures, this.secret);
      return { headers: 'x-appengine' };
    }
    if (this.options.mode === 'cloud-run-iam') await this.checkProbe(request);
    this.verifier ??= await this.makeVerifier();
    const { email } = await this.verifier.verify(this.authorization(request));
    return { headers: 'x-cloudtasks', account: email };
  }

  private async checkProbe({ headersDistinct }: TaskRequest): Promise<void> {
    if (headersDistinct[PROBE_HEADER]) throw unauthenticated('a probe, which has got through');
    const problem = this.probe ? await this.probe.problem() : 'no handler is known';
    if (problem !== undefined) throw new Refusal('UNAVAILABLE', problem);
  }

  /** Cloud Run checks the first of these that there is, and passes the other on as it came. */
  private authorization({ headersDistinct }: TaskRequest): readonly string[] {
    const checked = headersDistinct['x-serverless-authorization'];
    if (this.options.mode === 'cloud-run-iam' && checked) return checked;
    return headersDistinct['authorization'] ?? [];
  }

  /** Of a request that is proven, or will be by its queue: whatever else it says is the backend's. */
  private checkQueue(request: TaskRequest, kind: VerifiedRequest['headers']): void {
    if (!this.queues && this.options.mode !== 'appengine') return;
    const queue = single(request.headersDistinct[`${kind}-queuename`]);
    if (queue !== undefined && this.queues?.has(queue)) return;
    throw forbidden(`the queue ${printable(queue ?? '(none)', 100)} is not one of those let in`);
  }

  /** Of a request that is the backend's: whether the task is one that we have made. */
  private async checkEnvelope(
    request: TaskRequest,
    headers: VerifiedRequest['headers'],
    envelope: Envelope,
  ): Promise<void> {
    const asked = request.originalUrl ?? request.url ?? '';
    // What stands before the app takes the path of its address off.
    const isHttp = headers === 'x-cloudtasks';
    const base = isHttp ? new URL(await this.options.serviceUrl()).pathname : '/';
    const path = `${base.replace(/\/$/, '')}${asked}`;
    await checkEnvelope(request, { envelope, headers, path, now: this.clock.now() });
  }

  private async makeVerifier(): Promise<OidcVerifier> {
    const { accounts, mode } = this.options;
    const audience = await this.options.audience();
    if (audience === '' || accounts.length === 0) {
      // Checked at start-up too; a verifier without them would let anybody in.
      throw new Error('No audience or no account is configured.');
    }
    const signatureRemoved = mode === 'cloud-run-iam';
    const known = [...accounts, ...namedAccounts()];
    const rules = { issuers: this.issuers, audience, accounts: known, signatureRemoved };
    return new OidcVerifier(this.keys, rules, this.clock);
  }
}

/** @throws CloudTasksError where the mode would believe what anybody can send */
function checkPlatform(mode: AuthMode): void {
  if (mode === 'appengine' && platformOf() !== 'app-engine-standard') {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      "Auth mode 'appengine' is safe on App Engine standard alone, whose front end strips forged headers: use 'oidc'.",
      { field: 'auth.mode' },
    );
  }
  if (mode === 'cloud-run-iam' && platformOf() !== 'cloud-run') {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      "Auth mode 'cloud-run-iam' is safe behind Cloud Run alone, which checks tokens before it removes their signature: use 'oidc'.",
      { field: 'auth.mode' },
    );
  }
}

function checkSignature(request: TaskRequest, signatures: readonly string[], secret: string): void {
  const [signature = '', ...more] = signatures;
  if (more.length > 0) throw unauthenticated(`there is more than one ${SIGNATURE_HEADER}`);
  const text = signedText({
    method: request.method ?? '',
    relativeUri: request.originalUrl ?? request.url ?? '',
    // A header that came twice is none: which of the two was signed?
    header: (name) => single(request.headersDistinct[name.toLowerCase()]),
  });
  const mac = createHmac('sha256', secret).update(text).digest('hex');
  const expected = Buffer.from(`${SIGNATURE_VERSION}=${mac}`);
  const came = Buffer.from(signature);
  // Lengths are no secret.
  if (came.length !== expected.length || !timingSafeEqual(came, expected)) {
    throw unauthenticated(`the ${SIGNATURE_HEADER} is not this engine's`);
  }
}

function single(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 ? values[0] : undefined;
}
