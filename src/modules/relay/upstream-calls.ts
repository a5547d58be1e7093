/** Makes one call of the relay: permitted again, with its token and its key, and told how it went. */
import { CloudTasksError } from '../../engine/errors.js';
import type { Duration, Instant } from '../../engine/time.js';
import type { OutboundClient } from '../../outbound/outbound-client.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import type { OutboundPolicy } from '../../outbound/outbound-policy.js';
import type { IdTokens } from './id-tokens.js';
import { NoIdToken } from './id-tokens.js';
import type { RecordedAnswer } from './recorded-answer.js';
import { recordAnswer } from './recorded-answer.js';
import type { RelayCall } from './relay-call.js';
import type { RelayVerdict } from './relay-verdict.js';
import { judgeFailure, judgeStatus } from './relay-verdict.js';

export interface UpstreamCall {
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
  ) {}

  /** @param now for what an answer says of a time */
  async make(upstream: UpstreamCall, now: () => Instant): Promise<WentUpstream> {
    const { call, id, attempt, deadline, trace, signal } = upstream;
    let sent = false;
    try {
      const target = this.policy.permit(call.url);
      const { rule } = target;
      const idToken =
        rule.audience === undefined
          ? undefined
          : await this.tokens.token(rule.audience, rule.serviceAccount);
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
      return { verdict: judgeStatus(answer.status, retryAfter, rule, now()), answer, sent };
    } catch (error) {
      return { verdict: verdictOf(error, call), sent: sent || wasSent(error) };
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
