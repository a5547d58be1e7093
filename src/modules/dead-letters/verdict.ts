/** Judges a failed attempt: given up, tried later, or left to the queue to try again. */
import { HttpException } from '@nestjs/common';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, MILLISECOND, SECOND } from '../../engine/time.js';
import { NotNow } from '../journal/exclusive-runs.js';
import type { DeadReason } from './dead-letter.js';
import { GivenUp, PermanentFailure, RetryLater } from './handler-failures.js';

export interface Failure {
  readonly error?: unknown;
  /** `body`: it couldn't be read. `guard`: nobody was let in. `route`: all that came after. */
  readonly stage: 'body' | 'guard' | 'route';
  /** What would have been answered, where no error was seen. */
  readonly status?: number;
  /** The answer's `Retry-After`, as it stands there. */
  readonly retryAfter?: string | undefined;
}

export interface AttemptFacts {
  readonly now: Instant;
  /** Attempts with this one, whatever their tasks. */
  readonly attempts: number;
  /** -1 for as many as it takes. */
  readonly maxAttempts: number;
}

export type Verdict =
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly message: string }
  | { readonly kind: 'later'; readonly at: Instant }
  | { readonly kind: 'again'; readonly status: number; readonly retryAfter?: Duration };

/** The statuses that say of themselves that they will pass. */
const PASSING = new Set([408, 409, 423, 425, 429]);
/** Those for which `Retry-After` is meant. */
const WITH_RETRY_AFTER = new Set([408, 425, 429, 503]);
const MOST_AHEAD: Duration = 30 * DAY;

export function judge(failure: Failure, facts: AttemptFacts): Verdict {
  const { error } = failure;
  // The work is being done elsewhere, or wasn't begun: no attempt of its own.
  if (error instanceof NotNow) {
    const { retryAfter } = error;
    const when = retryAfter === undefined ? {} : { retryAfter };
    return { kind: 'again', status: error.getStatus(), ...when };
  }
  const verdict = ofError(failure, facts.now);
  if (verdict.kind === 'dead' || !isLast(facts)) return verdict;
  const message = `Attempt ${facts.attempts} of ${facts.maxAttempts} failed: ${messageOf(failure)}`;
  return { kind: 'dead', reason: 'exhausted', message };
}

/** Whether no attempt is left after this one. */
export function isLast({ attempts, maxAttempts }: AttemptFacts): boolean {
  return maxAttempts >= 0 && attempts >= maxAttempts;
}

function ofError(failure: Failure, now: Instant): Verdict {
  const { error, stage } = failure;
  if (error instanceof PermanentFailure) {
    const reason = error instanceof GivenUp ? error.reason : 'permanent';
    return { kind: 'dead', reason, message: messageOf(failure) };
  }
  if (error instanceof RetryLater) return { kind: 'later', at: error.retryAt(now) };
  const status = statusOf(failure);
  if (stage === 'body' && isClientError(status)) {
    return { kind: 'dead', reason: 'unreadable', message: messageOf(failure) };
  }
  // Nothing is wrong with the task: somebody else's right to come in may be back the next time.
  if (stage === 'guard' && (status === 401 || status === 403)) return { kind: 'again', status };
  const at = WITH_RETRY_AFTER.has(status) ? retryAfter(failure, now) : undefined;
  if (at !== undefined) return { kind: 'later', at };
  if (isClientError(status)) {
    return { kind: 'dead', reason: 'refused', message: `${status}: ${messageOf(failure)}` };
  }
  return { kind: 'again', status: 500 };
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500 && !PASSING.has(status);
}

/**
 * Only of an HttpException, which means it; other errors that have a status say what somebody else
 * has answered. Those of the body's parsers are a form of their own.
 */
function statusOf({ error, stage, status = 500 }: Failure): number {
  if (error === undefined) return status;
  if (error instanceof HttpException) return error.getStatus();
  if (stage !== 'body' || !isObject(error)) return 500;
  // The connection was lost: nothing is wrong with the body.
  if (error['type'] === 'request.aborted') return 500;
  return typeof error['status'] === 'number' ? error['status'] : 500;
}

function retryAfter({ error, retryAfter: answered }: Failure, now: Instant): Instant | undefined {
  const own = isObject(error) && isObject(error['headers']) ? error['headers'] : {};
  const [, named] =
    Object.entries(own).find(([name]) => name.toLowerCase() === 'retry-after') ?? [];
  const text = typeof named === 'string' || typeof named === 'number' ? String(named) : answered;
  const at = text === undefined ? undefined : instantOf(text.trim(), now);
  return at === undefined ? undefined : Math.min(Math.max(at, now), now + MOST_AHEAD);
}

/** Seconds, or an HTTP date. */
function instantOf(text: string, now: Instant): Instant | undefined {
  if (/^\d{1,9}$/.test(text)) return now + Number(text) * SECOND;
  const date = /[A-Za-z]{3}/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : date * MILLISECOND;
}

/** What an error says, validation's list included. */
export function messageOf({ error, status }: Failure): string {
  if (error === undefined) return `answered with ${status ?? 'nothing'}`;
  if (error instanceof HttpException) {
    const body = error.getResponse();
    const message: unknown = isObject(body) ? body['message'] : undefined;
    if (Array.isArray(message)) return message.map(String).join('; ');
    return error.message;
  }
  // By its shape: an error of another realm is no instance of ours.
  if (isObject(error) && typeof error['message'] === 'string') return error['message'];
  return typeof error === 'string' ? error : typeof error;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
