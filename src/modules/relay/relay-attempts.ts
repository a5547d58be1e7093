/** One attempt of a relayed call: counted, sent no more often than it may be, and judged. */
import { HttpException } from '@nestjs/common';
import { hostname } from 'node:os';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { MILLISECOND } from '../../engine/time.js';
import { RetryLater } from '../dead-letters/handler-failures.js';
import type { Hold } from '../journal/exclusive-runs.js';
import { NotNow, RunsElsewhere } from '../journal/exclusive-runs.js';
import type { OnCallerGone, RelayCall } from './relay-call.js';
import type { Flight } from './relay-flight.js';
import type { EndedRelay, RelayRecords, StartedRelay } from './relay-records.js';
import { fingerprintOf } from './relay-task.js';
import type { RelayVerdict } from './relay-verdict.js';
import type { UpstreamCalls } from './upstream-calls.js';

const INSTANCE = `${hostname()}/${process.pid}`;

/** A call as it is to be run now. */
export interface RelayRun {
  readonly id: string;
  /** How often its dead letter was redriven. */
  readonly redrive: number;
  readonly call: RelayCall;
  /** From now on. */
  readonly budget: Duration;
  readonly onCallerGone: OnCallerGone;
  readonly maxAttempts: number;
  readonly trace: Readonly<Record<string, string>>;
  /** What to answer when there is no room: App Engine slows the queue down at 503, not at 429. */
  readonly fullStatus: 429 | 503;
}

/** Another attempt is made when the queue likes. */
export class TryAgain extends HttpException {
  constructor(message: string) {
    super(message, 500);
  }
}

export class RelayAttempts {
  constructor(
    private readonly records: RelayRecords,
    private readonly upstream: UpstreamCalls,
    private readonly clock: Clock,
  ) {}

  /**
   * @param begun when the time of its budget began
   * @returns how the call has ended for good
   * @throws RetryLater or TryAgain where another attempt is to follow, NotNow where this was none
   */
  async make(run: RelayRun, flight: Flight, hold: Hold, begun: Instant): Promise<EndedRelay> {
    const { id, redrive, call, budget, maxAttempts, trace } = run;
    const { records, clock, upstream } = this;
    const { signal } = flight;
    const end = (ended: Omit<EndedRelay, 'endedAt' | 'fingerprint'>): EndedRelay => ({
      ...ended,
      endedAt: clock.now(),
      fingerprint: fingerprintOf(call),
    });
    const { attempts: earlier = 0, spared = 0 } = (await records.started(id, redrive)) ?? {};
    const attempts = earlier + 1;
    const counted = attempts - spared;
    if (isBeyond(counted, maxAttempts)) {
      const message = 'The last attempt ended without an outcome: its process ended.';
      return end({ state: 'dead', reason: 'exhausted', message, attempts: earlier });
    }
    const startedAt = clock.now();
    const started: StartedRelay = { attempts, spared, startedAt, instance: INSTANCE };
    await records.noteStarted(id, redrive, started);
    // Rather than a signal of both, which costs an open call more than either.
    const takenOver = () => flight.stop('taken-over');
    if (hold.lost.aborted) takenOver();
    else hold.lost.addEventListener('abort', takenOver, { once: true });
    const left = () => Math.max(budget - (clock.now() - begun), MILLISECOND);
    let went = await upstream.prepare(call, left(), signal);
    let unsent: (() => Promise<void>) | undefined;
    if ('target' in went) {
      // At the last moment: whatever ends this process before has sent nothing.
      if (call.retry === 'never-after-sent') {
        unsent = await records.claimSending(id, redrive);
        if (!unsent) return end({ ...SENT_BEFORE, attempts: earlier });
      }
      const { target, idToken } = went;
      const prepared = { target, idToken, call, id, attempt: attempts, trace };
      went = await upstream.make({ ...prepared, deadline: left(), signal });
    }
    const { verdict, answer, sent } = went;
    if (!sent) await unsent?.();
    if (hold.lost.aborted) throw new RunsElsewhere('Another instance has taken this over.');
    const last = { attempts, ...(answer ? { answer } : {}) };
    if (verdict.kind === 'done') return end({ state: 'done', ...last });
    if (flight.endedBy === 'cancelled') {
      return end({ state: 'cancelled', message: 'It was cancelled.', ...last });
    }
    const { message } = verdict;
    if (verdict.kind === 'dead') {
      return end({ state: 'dead', reason: verdict.reason, message, ...last });
    }
    // An answer is an outcome: this one was sent, and the next attempt is another call.
    if (sent) await unsent?.();
    if (flight.endedBy === 'shutdown') {
      // Where it can't be noted that this was none of the call's attempts, it counts as one.
      await records
        .noteStarted(id, redrive, { ...started, spared: spared + 1 })
        .catch(() => undefined);
      throw new NotNow('This instance is shutting down.', 503);
    }
    if (isBeyond(counted + 1, maxAttempts)) {
      const why = `Attempt ${counted} of ${maxAttempts} failed: ${message}`;
      return end({ state: 'dead', reason: 'exhausted', message: why, ...last });
    }
    if (flight.endedBy === 'caller-gone') throw new TryAgain('The caller has gone away.');
    throw again(verdict);
  }
}

const SENT_BEFORE = {
  state: 'dead',
  reason: 'unknown',
  message: 'An earlier attempt may have reached the target, and ended without an outcome.',
} as const;

function isBeyond(attempts: number, maxAttempts: number): boolean {
  return maxAttempts >= 0 && attempts > maxAttempts;
}

function again({ message, after }: Extract<RelayVerdict, { kind: 'again' }>): Error {
  if (after === undefined) return new TryAgain(message);
  return new RetryLater({ after: `${Math.ceil(after / MILLISECOND)}ms`, reason: message });
}
