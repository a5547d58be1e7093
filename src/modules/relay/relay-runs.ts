/** Runs a relayed call once: claimed in the journal, carried out, recorded, and reported. */
import { HttpException, Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { MILLISECOND, SECOND } from '../../engine/time.js';
import type { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { printable } from '../../foundation/printable.js';
import { GivenUp, RetryLater } from '../dead-letters/handler-failures.js';
import type { ExclusiveRuns, Hold } from '../journal/exclusive-runs.js';
import { NotNow, RunsElsewhere } from '../journal/exclusive-runs.js';
import type { CallLimits } from './call-limits.js';
import type { Callbacks } from './callbacks.js';
import { Flight } from './relay-flight.js';
import type { OnCallerGone, RelayCall } from './relay-call.js';
import type { RelaySettings } from './relay-options.js';
import type { EndedRelay, RelayRecords, StartedRelay } from './relay-records.js';
import { readEnded } from './relay-records.js';
import { fingerprintOf } from './relay-task.js';
import type { RelayVerdict } from './relay-verdict.js';
import type { UpstreamCalls, WentUpstream } from './upstream-calls.js';

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

interface Services {
  readonly runs: ExclusiveRuns;
  readonly records: RelayRecords;
  readonly upstream: UpstreamCalls;
  readonly policy: OutboundPolicy;
  readonly limits: CallLimits;
  readonly callbacks: Callbacks;
  readonly settings: RelaySettings;
  readonly clock: Clock;
}

const INSTANCE = `${hostname()}/${process.pid}`;
/** When somebody else's call or our own end may have made room. */
const COME_AGAIN: Duration = 5 * SECOND;

/** Another attempt is made when the queue likes. */
export class TryAgain extends HttpException {
  constructor(message: string) {
    super(message, 500);
  }
}

export class RelayRuns {
  private readonly logger = new Logger('Relay');
  private readonly flights = new Map<string, Flight>();
  private isEnding = false;

  constructor(private readonly services: Services) {}

  /**
   * @param gone aborted when whoever asks has left
   * @throws GivenUp for a call that is dead, RetryLater or TryAgain for one that isn't over,
   *   NotNow for one that wasn't begun
   */
  async run(run: RelayRun, gone: AbortSignal): Promise<EndedRelay> {
    const { records } = this.services;
    const key = records.runKey(run.id, run.redrive);
    const flight = this.flights.get(key) ?? this.begin(key, run);
    const ended = await flight.wait(gone);
    // Of one that was cancelled before we knew what it was, there is none.
    if (ended.fingerprint !== '' && ended.fingerprint !== fingerprintOf(run.call)) {
      throw new GivenUp('refused', 'Another call was made under this idempotencyKey.');
    }
    if (ended.state !== 'dead') return ended;
    throw new GivenUp(ended.reason ?? 'permanent', ended.message ?? 'The call was given up.');
  }

  /** Whether this instance was at it. Resolves once it has ended. */
  async cancel(id: string, redrive: number): Promise<EndedRelay | undefined> {
    const flight = this.flights.get(this.services.records.runKey(id, redrive));
    if (!flight) return undefined;
    flight.stop('cancelled');
    return flight.ended.catch(() => undefined);
  }

  /** Begins no more; those that run get `grace` to end by themselves, and are then ended. */
  async end(grace: Duration): Promise<void> {
    this.isEnding = true;
    const all = [...this.flights.values()];
    const ended = Promise.allSettled(all.map((flight) => flight.ended));
    const timer = this.services.clock.after(grace, () => {
      for (const flight of all) flight.stop('shutdown');
    });
    await ended;
    timer.cancel();
  }

  private begin(key: string, run: RelayRun): Flight {
    if (this.isEnding) throw new NotNow('This instance is shutting down.', 503);
    const { limits, policy, settings } = this.services;
    const place = placeFor(run.call, policy);
    const leave = place ? limits.enter(place.origin, place.concurrency) : () => undefined;
    if (!leave) throw new NoRoom(run.fullStatus);
    const onCallerGone = settings.mayFinish ? run.onCallerGone : 'abort';
    const flight = new Flight(onCallerGone, (own) =>
      this.carryOut(key, run, own).finally(() => {
        leave();
        this.flights.delete(key);
      }),
    );
    this.flights.set(key, flight);
    return flight;
  }

  private async carryOut(key: string, run: RelayRun, flight: Flight): Promise<EndedRelay> {
    const { runs, settings, callbacks } = this.services;
    const limits = { lease: settings.lease, ttl: settings.keep };
    const begun = this.services.clock.now();
    let unkept: EndedRelay | undefined;
    try {
      const { outcome, ran } = await runs.run(key, limits, async (hold) => {
        unkept = await this.call(run, flight, hold, begun);
        return JSON.stringify(unkept);
      });
      const ended = readEnded(outcome);
      if (ran) this.tell(run, ended);
      unkept = undefined;
      await callbacks.enqueue(run, ended);
      return ended;
    } catch (error) {
      if (unkept) this.tellUnkept(run, unkept, error);
      throw error;
    }
  }

  private async call(
    run: RelayRun,
    flight: Flight,
    hold: Hold,
    begun: number,
  ): Promise<EndedRelay> {
    const { records, clock } = this.services;
    const { id, redrive, call } = run;
    const earlier = await records.started(id, redrive);
    const attempts = (earlier?.attempts ?? 0) + 1;
    const fingerprint = fingerprintOf(call);
    const end = (ended: Omit<EndedRelay, 'endedAt' | 'fingerprint'>): EndedRelay => ({
      ...ended,
      endedAt: clock.now(),
      fingerprint,
    });
    if (isBeyond(attempts, run.maxAttempts)) {
      const message = 'The last attempt ended without an outcome: its process ended.';
      return end({ state: 'dead', reason: 'exhausted', message, attempts: attempts - 1 });
    }
    let unsent: (() => Promise<void>) | undefined;
    if (call.retry === 'never-after-sent') {
      unsent = await records.claimSending(id, redrive);
      if (!unsent) {
        const message =
          'An earlier attempt may have reached the target, and ended without an outcome.';
        return end({ state: 'dead', reason: 'unknown', message, attempts: attempts - 1 });
      }
    }
    const started: StartedRelay = { attempts, startedAt: clock.now(), instance: INSTANCE };
    await records.noteStarted(id, redrive, started);
    // Rather than a signal of both, which costs an open call more than either.
    const takenOver = () => flight.stop('taken-over');
    if (hold.lost.aborted) takenOver();
    else hold.lost.addEventListener('abort', takenOver, { once: true });
    const { verdict, answer, sent } = await this.upstream(run, attempts, flight.signal, begun);
    if (hold.lost.aborted) throw new RunsElsewhere('Another instance has taken this over.');
    const last = { attempts, ...(answer ? { answer } : {}) };
    if (flight.endedBy === 'cancelled' && verdict.kind !== 'done') {
      return end({ state: 'cancelled', message: 'It was cancelled.', ...last });
    }
    if (!sent) await unsent?.();
    if (verdict.kind === 'done') return end({ state: 'done', ...last });
    const { message } = verdict;
    if (verdict.kind === 'dead') {
      return end({ state: 'dead', reason: verdict.reason, message, ...last });
    }
    if (flight.endedBy === 'shutdown') throw new NotNow('This instance is shutting down.', 503);
    // An answer is an outcome: this one was sent, and the next attempt is another call.
    if (sent) await unsent?.();
    if (flight.endedBy === 'caller-gone') throw new TryAgain('The caller has gone away.');
    if (isBeyond(attempts + 1, run.maxAttempts)) {
      const why = `Attempt ${attempts} of ${run.maxAttempts} failed: ${message}`;
      return end({ state: 'dead', reason: 'exhausted', message: why, ...last });
    }
    throw again(verdict);
  }

  private upstream(
    { id, call, budget, trace }: RelayRun,
    attempt: number,
    signal: AbortSignal,
    begun: number,
  ): Promise<WentUpstream> {
    const { clock, upstream } = this.services;
    const deadline = Math.max(budget - (clock.now() - begun), MILLISECOND);
    return upstream.make({ call, id, attempt, deadline, trace, signal }, () => clock.now());
  }

  /** Nobody will find how it ended: to whoever comes next it is unknown. */
  private tellUnkept({ id }: RelayRun, { state, answer }: EndedRelay, error: unknown): void {
    const how = answer ? `${state}, ${answer.status}` : state;
    this.logger.error(
      `${id.slice(0, 12)}: its outcome (${how}) can't be recorded, so it is unknown. ${String(error)}`,
    );
  }

  private tell({ id, call }: RelayRun, ended: EndedRelay): void {
    const { state, reason = '', answer, attempts, message = '' } = ended;
    const { origin } = URL.parse(call.url) ?? { origin: 'nowhere' };
    const what = `${call.method} ${printable(origin)} (${id.slice(0, 12)})`;
    const how = answer ? `${answer.status}, ${answer.bytes} bytes` : 'no answer';
    if (state === 'dead') {
      this.logger.warn(`${what}: given up, ${reason}, after ${attempts} attempt(s): ${message}`);
    } else {
      this.logger.log(`${what}: ${state}, ${how}, ${attempts} attempt(s).`);
    }
  }
}

/** There is no room for it here. It was not begun, and no attempt of it is used up. */
export class NoRoom extends NotNow {
  constructor(status: 429 | 503) {
    super('This instance has as many calls open as it may.', status);
  }

  override readonly retryAfter = COME_AGAIN;
}

/** Undefined where nothing may be called: that is for the call itself to find out. */
function placeFor({ url }: RelayCall, policy: OutboundPolicy) {
  try {
    const { url: target, rule } = policy.permit(url);
    return { origin: target.origin, concurrency: rule.concurrency };
  } catch {
    return undefined;
  }
}

function isBeyond(attempts: number, maxAttempts: number): boolean {
  return maxAttempts >= 0 && attempts > maxAttempts;
}

function again({ message, after }: Extract<RelayVerdict, { kind: 'again' }>): Error {
  if (after === undefined) return new TryAgain(message);
  return new RetryLater({ after: `${Math.ceil(after / MILLISECOND)}ms`, reason: message });
}
