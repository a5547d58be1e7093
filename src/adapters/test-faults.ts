/** Lets attempts fail as a test wants them to, in place of a network that seldom does. */
import type { Clock, Dispatch, DispatchResult, NotSent, Transport } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';

export interface Fault {
  /** How many attempts it still meets. */
  readonly count: number;
  /** Full name; absent, the tasks of every queue. */
  readonly queue?: string;
  /** Passes before anything else happens. */
  readonly delay?: Duration;
  /** Answered in place of the target, which is not called. */
  readonly status?: number;
  /** `Retry-After` of that answer. */
  readonly retryAfter?: string;
  /** What is lost: the request, so that the target is not called; or its response. */
  readonly drop?: 'request' | 'response';
}

const DROPPED: DispatchResult = { kind: 'no-response', reason: 'dropped by the test API' };

export class TestFaults implements Transport {
  private faults: Fault[] = [];

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  /** Those that will still meet an attempt, in the order in which they do. */
  get pending(): readonly Fault[] {
    return this.faults;
  }

  add(fault: Fault): void {
    this.faults.push(fault);
  }

  clear(): void {
    this.faults = [];
  }

  async send(dispatch: Dispatch, signal: AbortSignal): Promise<DispatchResult | NotSent> {
    const fault = this.take(dispatch);
    if (!fault) return this.transport.send(dispatch, signal);
    const { delay, status, retryAfter, drop } = fault;
    if (delay !== undefined) await this.pause(delay, signal);
    if (status !== undefined) {
      return { kind: 'response', status, ...(retryAfter === undefined ? {} : { retryAfter }) };
    }
    if (drop === 'request') return DROPPED;
    const result = await this.transport.send(dispatch, signal);
    return drop === 'response' && result.kind === 'response' ? DROPPED : result;
  }

  /** One of the first fault that is meant for this attempt. */
  private take({ task }: Dispatch): Fault | undefined {
    const index = this.faults.findIndex(
      ({ queue }) => queue === undefined || task.startsWith(`${queue}/tasks/`),
    );
    const fault = this.faults[index];
    if (!fault) return undefined;
    const left = fault.count - 1;
    this.faults.splice(index, 1, ...(left > 0 ? [{ ...fault, count: left }] : []));
    return fault;
  }

  /** By the engine's clock, so that moving it ends a delay too. */
  private async pause(delay: Duration, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.clock.after(delay, end);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }
}
