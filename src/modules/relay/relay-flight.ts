/** One run of a call that this instance is at, shared by all deliveries that ask for it. */
import type { EndedRelay } from './relay-records.js';
import type { OnCallerGone } from './relay-call.js';

/** Why a call was ended from outside. */
export type FlightEnd = 'caller-gone' | 'cancelled' | 'shutdown' | 'taken-over';

export class Flight {
  private readonly controller = new AbortController();
  private callers = 0;
  private end: FlightEnd | undefined;
  readonly ended: Promise<EndedRelay>;

  constructor(
    private readonly onCallerGone: OnCallerGone,
    run: (flight: Flight) => Promise<EndedRelay>,
  ) {
    this.ended = run(this);
    // Those who wait are told; where all have left, nobody is.
    this.ended.catch(() => undefined);
  }

  /** Aborted when the call is to be ended, whatever the target does. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Undefined while nobody has ended it. */
  get endedBy(): FlightEnd | undefined {
    return this.end;
  }

  /** @param gone aborted when whoever waits has left */
  async wait(gone: AbortSignal): Promise<EndedRelay> {
    this.callers++;
    const leave = () => {
      this.callers--;
      if (this.callers === 0 && this.onCallerGone === 'abort') this.stop('caller-gone');
    };
    if (gone.aborted) leave();
    else gone.addEventListener('abort', leave, { once: true });
    try {
      return await this.ended;
    } finally {
      gone.removeEventListener('abort', leave);
    }
  }

  /** The first reason counts. */
  stop(why: FlightEnd): void {
    this.end ??= why;
    this.controller.abort();
  }
}
