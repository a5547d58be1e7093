/** Runs a piece of work once, however often and wherever it is asked for at the same time. */
import { HttpException, Inject, Injectable } from '@nestjs/common';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock, Timer } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { JOURNAL, STORE_MISSING } from './journal-options.js';

/** How long after a crash somebody else may take over; what runs renews it three times as often. */
export const DEFAULT_LEASE: Duration = 30 * SECOND;

/** Between two tries to record an outcome while the store can't be reached. */
const PAUSE: Duration = SECOND / 2;

/**
 * The work was not done, for a reason that is none of its own: come again later. Never a failed
 * attempt, and so never a reason to give a task up.
 */
export class NotNow extends HttpException {
  /** When to come again, for those who ask; absent, whenever they like. */
  readonly retryAfter: Duration | undefined = undefined;
}

/** Another process, or another request here, is at it. */
export class RunsElsewhere extends NotNow {
  /** It may take long, but it may have crashed as well. */
  override readonly retryAfter: Duration = 10 * SECOND;

  constructor(message = 'Another instance is at it now.') {
    super(message, 409);
  }
}

/** What keeps others from doing the same can't be reached, so nobody does it. */
class StoreUnreachable extends NotNow {
  constructor(cause: unknown) {
    super("The journal can't be reached.", 503, { cause });
  }
}

export interface RunLimits {
  readonly lease: Duration;
  /** How long the outcome is remembered. */
  readonly ttl: Duration;
}

/** The right to do the work, which can be lost. */
export interface Hold {
  /** Greater than that of every earlier run: what it writes to can refuse less. */
  readonly fence: number;
  /** Aborted when somebody else has taken the work over. */
  readonly lost: AbortSignal;
}

@Injectable()
export class ExclusiveRuns {
  constructor(
    @Inject(JOURNAL) private readonly journal: Journal | null,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whether there is a store to run anything by. */
  get possible(): boolean {
    return this.journal !== null;
  }

  /**
   * Does the work, unless it was done within its `ttl`; then the outcome of that time is answered.
   * What the work throws is thrown, and whoever comes next may do it.
   *
   * @param work gives what to remember, as text
   * @throws RunsElsewhere while somebody else does it, also when it was taken over meanwhile
   * @throws NotNow while the store can't be reached
   * @throws CloudTasksError FAILED_PRECONDITION where there is none, UNAVAILABLE where the work was
   *   done and then the store couldn't be reached until the lease had lapsed
   */
  async run(
    key: string,
    limits: RunLimits,
    work: (hold: Hold) => Promise<string>,
  ): Promise<{ readonly outcome: string; readonly ran: boolean }> {
    const { journal } = this;
    if (!journal) throw new CloudTasksError('FAILED_PRECONDITION', `This ${STORE_MISSING}.`);
    const claim = await journal.claim(key, limits.lease).catch((error: unknown) => {
      throw new StoreUnreachable(error);
    });
    if (claim.state === 'done') return { outcome: claim.outcome, ran: false };
    if (claim.state === 'running') throw new RunsElsewhere();
    const lease = new RenewedLease(journal, this.clock, key, claim.fence, limits.lease);
    let outcome: string;
    try {
      outcome = await work({ fence: claim.fence, lost: lease.lost });
    } catch (error) {
      lease.end();
      // If this fails too, the lease lapses.
      await journal.release(key, claim.fence).catch(() => undefined);
      throw error;
    }
    try {
      await this.complete(journal, lease, outcome, limits.ttl);
    } finally {
      lease.end();
    }
    return { outcome, ran: true };
  }

  /** Tries again while the work is still ours: without a record of it, it would be done again. */
  private async complete(
    journal: Journal,
    lease: RenewedLease,
    outcome: string,
    ttl: Duration,
  ): Promise<void> {
    for (;;) {
      try {
        if (await journal.complete(lease.key, lease.fence, outcome, ttl)) return;
      } catch (error) {
        if (this.clock.now() + PAUSE >= lease.until) throw error;
        await new Promise<void>((resolve) => {
          this.clock.after(PAUSE, resolve);
        });
        continue;
      }
      throw new RunsElsewhere('It took longer than its lease, and another instance took it over.');
    }
  }
}

/** A lease that is renewed until it is ended or lost. */
class RenewedLease {
  /** By our own clock, from before it was asked for. */
  until: number;
  private readonly controller = new AbortController();
  private timer: Timer;
  private ended = false;

  constructor(
    private readonly journal: Journal,
    private readonly clock: Clock,
    readonly key: string,
    readonly fence: number,
    private readonly length: Duration,
  ) {
    this.until = clock.now() + length;
    this.timer = this.next();
  }

  get lost(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    this.ended = true;
    this.timer.cancel();
  }

  private next(): Timer {
    return this.clock.after(this.length / 3, () => void this.renew());
  }

  private async renew(): Promise<void> {
    const asked = this.clock.now();
    try {
      if (await this.journal.renew(this.key, this.fence, this.length)) {
        this.until = asked + this.length;
      } else if (!this.ended) {
        this.controller.abort(new RunsElsewhere('Another instance has taken this over.'));
        return;
      }
    } catch {
      // The next one may reach the store; until then nobody can take it over unless it lapses.
    }
    if (!this.ended) this.timer = this.next();
  }
}
