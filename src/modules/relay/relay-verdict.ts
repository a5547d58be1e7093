/** Judges how a relayed call went: done, given up, or worth another attempt, and when. */
import type { Duration, Instant } from '../../engine/time.js';
import type { OutboundError } from '../../outbound/outbound-error.js';
import type { OutboundRule } from '../../outbound/outbound-rule.js';
import { retryAfterWait } from '../../foundation/retry-after.js';
import type { DeadReason } from '../dead-letters/dead-letter.js';
import type { RelayRetry } from './relay-call.js';

export type RelayVerdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly message: string }
  | { readonly kind: 'again'; readonly message: string; readonly after?: Duration };

/** Those that say of themselves that they will pass. */
const PASSING = new Set([408, 425, 429]);
/** What the target can't do now, it won't do later. */
const PERMANENT = new Set([501, 505]);
const WITH_RETRY_AFTER = new Set([408, 425, 429, 503]);

type StatusRules = Pick<OutboundRule, 'permanent' | 'transient'>;

/** @param retryAfter the header as it came */
export function judgeStatus(
  status: number,
  retryAfter: string | undefined,
  { permanent = [], transient = [] }: StatusRules,
  now: Instant,
): RelayVerdict {
  if (status >= 200 && status < 300) return { kind: 'done' };
  const message = `The target answered ${status}.`;
  const again = (): RelayVerdict => {
    const may = WITH_RETRY_AFTER.has(status) || transient.includes(status);
    const after = may ? retryAfterWait(retryAfter, now) : undefined;
    return { kind: 'again', message, ...(after === undefined ? {} : { after }) };
  };
  if (transient.includes(status)) return again();
  if (permanent.includes(status)) return { kind: 'dead', reason: 'refused', message };
  if (status >= 300 && status < 400) {
    return { kind: 'dead', reason: 'unexpected-redirect', message };
  }
  const isClientError = status >= 400 && status < 500 && !PASSING.has(status);
  if (isClientError || PERMANENT.has(status)) return { kind: 'dead', reason: 'refused', message };
  // Also for what is no status of HTTP, which counts as 5xx (RFC 9110, 15).
  return again();
}

export function judgeFailure(error: OutboundError, retry: RelayRetry): RelayVerdict {
  const message = `The call failed: ${error.message}.`;
  if (error.failure === 'refused') return { kind: 'dead', reason: 'policy', message };
  if (error.sent && retry === 'never-after-sent') {
    return {
      kind: 'dead',
      reason: 'unknown',
      message: `${message} The target may have acted on it.`,
    };
  }
  return { kind: 'again', message };
}
