/** Makes one call of the relay: permitted again, with its token and its key, and told how it went. */
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import type { OutboundClient } from '../../outbound/outbound-client.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import type { OutboundPolicy, PermittedTarget } from '../../outbound/outbound-policy.js';
import type { IdTokens } from './id-tokens.js';
import { NoIdToken } from './id-tokens.js';
import type { RecordedAnswer } from './recorded-answer.js';
import { recordAnswer } from './recorded-answer.js';
import type { RelayCall } from './relay-call.js';
import type { RelayVerdict } from './relay-verdict.js';
import { judgeFailure, judgeStatus } from './relay-verdict.js';

/** What has to be there before anything is sent. */
export interface PreparedCall {
  readonly target: PermittedTarget;
  /** Where its rule names an audience. */
  readonly idToken: string | undefined;
}

export interface UpstreamCall extends PreparedCall {
  readonly call: RelayCall;
  readonly id: string;
  readonly attempt: number;
  readonly deadline: Duration;
  /** Of the trace that the call belongs to. */
  readonly trace: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface WentUpstream {
  readonly verdict: RelayVerdict;
  readonly answer?: RecordedAnswer;
  /** Whether the target may have seen it. */
  readonly sent: boolean;
}

/** Methods that change nothing, so that a repeated call is none. */
const SAFE = ['GET', 'HEAD', 'OPTIONS'];

export class UpstreamCalls {
  constructor(
    private readonly policy: OutboundPolicy,
    private readonly client: OutboundClient,
    private readonly tokens: IdTokens,
    private readonly recordBytes: number,
    private readonly clock: Clock,
  ) {}

  /** Sends nothing; ends with the deadline and the signal as the call itself does. */
  async prepare(
    call: RelayCall,
    deadline: Duration,
    signal: AbortSignal,
  ): Promise<PreparedCall | WentUpstream> {
    try {
      const target = this.policy.permit(call.url);
      const { audience, serviceAccount } = target.rule;
      if (audience === undefined) return { target, idToken: undefined };
      const minted = this.tokens.token(audience, serviceAccount);
      return { target, idToken: await this.inTime(minted, deadline, signal) };
    } catch (error) {
      return { verdict: verdictOf(error, call), sent: false };
    }
  }

  async make(upstream: UpstreamCall): Promise<WentUpstream> {
    const { target, idToken, call, id, attempt, deadline, trace, signal } = upstream;
    let sent = false;
    try {
      const response = await this.client.call(target, {
        method: call.method,
        headers: call.headers,
        own: {
          ...trace,
          // A string of a structured field, as the draft of the header has it.
          ...(SAFE.includes(call.method) ? {} : { 'Idempotency-Key': `"${id}"` }),
          'X-Relay-Attempt': String(attempt),
        },
        ...(idToken === undefined ? {} : { idToken }),
        ...(call.body === undefined ? {} : { body: call.body }),
        deadline,
        signal,
      });
      sent = true;
      const answer = await recordAnswer(response, this.recordBytes);
      const after = answer.headers['retry-after'];
      const retryAfter = Array.isArray(after) ? after[0] : after;
      const verdict = judgeStatus(answer.status, retryAfter, target.rule, this.clock.now());
      return { verdict, answer, sent };
    } catch (error) {
      return { verdict: verdictOf(error, call), sent: sent || wasSent(error) };
    }
  }

  /** What mints tokens may hang, and is shared by all calls that wait for the same one. */
  private async inTime(
    minted: Promise<string>,
    deadline: Duration,
    signal: AbortSignal,
  ): Promise<string> {
    const over = Promise.withResolvers<never>();
    const end = (failure: OutboundError['failure'], message: string) =>
      over.reject(new OutboundError(failure, false, message));
    const onAbort = () => end('aborted', 'given up by the caller');
    const timer = this.clock.after(deadline, () => end('deadline', 'no ID token came in time'));
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([minted, over.promise]);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function verdictOf(error: unknown, { retry }: RelayCall): RelayVerdict {
  if (error instanceof OutboundError) return judgeFailure(error, retry);
  if (error instanceof NoIdToken) return { kind: 'again', message: error.message };
  // What the rules refuse now they refuse the next time.
  if (error instanceof CloudTasksError) {
    return { kind: 'dead', reason: 'policy', message: error.message };
  }
  throw error;
}

function wasSent(error: unknown): boolean {
  return error instanceof OutboundError && error.sent;
}
