/** Runs a relayed call once: claimed in the journal, carried out, recorded, and reported. */
import { Logger } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import type { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { printable } from '../../foundation/printable.js';
import { GivenUp } from '../dead-letters/handler-failures.js';
import type { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { NotNow, RunsElsewhere } from '../journal/exclusive-runs.js';
import type { CallLimits } from './call-limits.js';
import type { Callbacks } from './callbacks.js';
import type { RelayAttempts, RelayRun } from './relay-attempts.js';
import { Flight } from './relay-flight.js';
import type { RelayCall } from './relay-call.js';
import type { RelaySettings } from './relay-options.js';
import type { EndedRelay, RelayRecords } from './relay-records.js';
import { readEnded } from './relay-records.js';
import { fingerprintOf } from './relay-task.js';

interface Services {
  readonly runs: ExclusiveRuns;
  readonly records: RelayRecords;
  readonly attempts: RelayAttempts;
  readonly policy: OutboundPolicy;
  readonly limits: CallLimits;
  readonly callbacks: Callbacks;
  readonly settings: RelaySettings;
  readonly clock: Clock;
}

/** When somebody else's call or our own end may have made room. */
const COME_AGAIN: Duration = 5 * SECOND;

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
    const { runs, records, settings, callbacks } = this.services;
    const limits = { lease: settings.lease, ttl: records.kept(run.call) };
    const begun = this.services.clock.now();
    let unkept: EndedRelay | undefined;
    try {
      const { outcome, ran } = await runs.run(key, limits, async (hold) => {
        unkept = await this.services.attempts.make(run, flight, hold, begun);
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

  /** Nobody will find how it ended: to whoever comes next it is unknown. */
  private tellUnkept({ id }: RelayRun, { state, answer }: EndedRelay, error: unknown): void {
    const how = answer ? `${state}, ${answer.status}` : state;
    if (error instanceof RunsElsewhere) {
      this.logger.warn(
        `${id.slice(0, 12)}: it was cancelled or taken over before its end (${how}).`,
      );
      return;
    }
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
