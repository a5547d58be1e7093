/** One call: its request, and an answer whose body is read no faster than it is taken. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import { MINUTE, SECOND } from '../engine/time.js';
import { failureOf, OutboundError } from './outbound-error.js';
import type { AnswerHeaders } from './outbound-headers.js';
import { answerHeaders } from './outbound-headers.js';

export interface OutboundResponse {
  readonly status: number;
  /** By lower-case name; without those of the connection and cookies, at most 64. */
  readonly headers: AnswerHeaders;
  /** As it came, also where the server compressed it. Ends with an `OutboundError`, if badly. */
  readonly body: Readable;
}

export interface ExchangeLimits {
  /** For all of it. */
  readonly deadline: Duration;
  /** Bytes a second that a body has to bring on average, once it has had a minute. */
  readonly minimumRate: number;
  readonly signal?: AbortSignal | undefined;
}

/** A body may start slowly. */
const GRACE: Duration = MINUTE;
const RATE_CHECK: Duration = 10 * SECOND;

export class OutboundExchange implements Dispatcher.DispatchHandler {
  readonly response: Promise<OutboundResponse>;
  private readonly head = Promise.withResolvers<OutboundResponse>();
  private readonly timer: Timer;
  private rateTimer: Timer | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private body: Readable | undefined;
  private ended: OutboundError | 'well' | undefined;
  private received = 0;
  /** How long the body was the server's to send; counted by timers, which no change of clocks moves. */
  private waited: Duration = 0;
  private isPaused = false;
  /** Since the rate was last looked at. */
  private wasPaused = false;

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly limits: ExchangeLimits,
  ) {
    this.response = this.head.promise;
    this.timer = clock.after(limits.deadline, () => this.cut('deadline', 'not done in time'));
    limits.signal?.addEventListener('abort', this.onAbort);
    if (limits.signal?.aborted) this.onAbort();
  }

  /** Before it has begun: `signal` was aborted already. */
  get isOver(): boolean {
    return this.ended !== undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // It waited for a connection until now, and is not written when it ends here.
    if (this.ended instanceof OutboundError) controller.abort(this.ended);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200 || this.ended) return; // Only announces the answer.
    const body = new Readable({
      read: () => this.resume(),
      destroy: (error, done) => {
        // Whoever has enough of it ends the call.
        if (!this.ended) this.cut('aborted', 'the body was let go');
        done(error);
      },
    });
    // An error is for whoever reads the body; nobody may have begun.
    body.on('error', () => {});
    this.body = body;
    this.watchRate();
    this.head.resolve({ status, headers: answerHeaders(headers), body });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.received += chunk.length;
    if (this.body?.push(chunk) !== false) return;
    this.isPaused = true;
    this.wasPaused = true;
    controller.pause();
  }

  onResponseEnd(): void {
    this.end('well');
    this.body?.push(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(failureOf(error, this.controller !== undefined));
  }

  private readonly onAbort = (): void => this.cut('aborted', 'given up by the caller');

  private cut(failure: OutboundError['failure'], message: string): void {
    this.fail(new OutboundError(failure, this.controller !== undefined, message));
  }

  private fail(error: OutboundError): void {
    if (this.ended) return;
    this.end(error);
    this.head.reject(error);
    this.body?.destroy(error);
    this.controller?.abort(error);
  }

  private end(how: OutboundError | 'well'): void {
    this.ended ??= how;
    this.timer.cancel();
    this.rateTimer?.cancel();
    this.limits.signal?.removeEventListener('abort', this.onAbort);
  }

  private resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.controller?.resume();
  }

  private watchRate(): void {
    const { minimumRate } = this.limits;
    if (minimumRate === 0) return;
    this.rateTimer = this.clock.after(RATE_CHECK, () => {
      // While nobody takes the body, its rate says nothing of the server.
      if (!this.wasPaused) this.waited += RATE_CHECK;
      this.wasPaused = this.isPaused;
      const isSlow = this.received < minimumRate * (this.waited / SECOND);
      if (this.waited > GRACE && isSlow) {
        this.cut('too-slow', `the body brings less than ${minimumRate} bytes a second`);
      } else {
        this.watchRate();
      }
    });
  }
}
