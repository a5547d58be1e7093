/** Moves the engine's time, and stands still wherever a handler runs until that has settled. */
// None of them the global one, which a test may have replaced.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Engine } from '../engine/engine.js';
import type { Dispatch } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import { MILLISECOND } from '../engine/time.js';
import { settled } from './virtual-clock.js';
import type { VirtualClock } from './virtual-clock.js';

/** Real time after which a handler that may hang is taken to do so. */
const LINGER: Duration = 50 * MILLISECOND;

export interface RunPorts {
  readonly clock: VirtualClock;
  readonly engine: Engine;
  /** What was sent and isn't answered yet. */
  readonly inFlight: ReadonlySet<Dispatch>;
  /** Real time that a handler may take. */
  readonly patience: Duration;
  /** Names an attempt in an error. */
  readonly describe: (dispatch: Dispatch) => string;
}

export class VirtualRun {
  /** Attempts that time passes for, although they haven't settled. */
  private hanging: ReadonlySet<Dispatch> = new Set();
  private running = false;

  constructor(private readonly ports: RunPorts) {}

  /** @throws Error naming the handlers that haven't settled */
  async advance(duration: Duration, mayHang: boolean): Promise<void> {
    const { clock } = this.ports;
    await this.dispatching(async () => {
      const end = clock.now() + duration;
      await this.settle(mayHang);
      while (clock.step(end)) await this.settle(mayHang);
    });
  }

  /**
   * Goes on until `isDone`.
   *
   * @returns whether that was within `limit`
   */
  async until(isDone: () => Promise<boolean>, limit: Duration): Promise<boolean> {
    const { clock } = this.ports;
    return this.dispatching(async () => {
      const end = clock.now() + limit;
      await this.settle(false);
      while (!(await isDone())) {
        if (!clock.step(end)) return false;
        await this.settle(false);
      }
      return true;
    });
  }

  /** Nothing is dispatched but in here, so that a test sees what waits before it goes. */
  private async dispatching<T>(work: () => Promise<T>): Promise<T> {
    if (this.running) {
      throw new Error('TasksTestbed: time moves already; await advance() or drain() first.');
    }
    this.running = true;
    this.hanging = new Set();
    const { engine } = this.ports;
    engine.dispatch();
    try {
      return await work();
    } finally {
      engine.hold();
      this.running = false;
    }
  }

  private async settle(mayHang: boolean): Promise<void> {
    const { engine, patience } = this.ports;
    await settled();
    if (mayHang) {
      await this.settleOrHang();
    } else if (!(await within(patience, engine.settled()))) {
      throw new Error(this.unsettled());
    }
    await settled();
  }

  /** Waits for all but those that hang. */
  private async settleOrHang(): Promise<void> {
    const { engine, inFlight } = this.ports;
    const limit = performance.now() + LINGER / MILLISECOND;
    while (engine.attemptsInFlight > this.stillHanging()) {
      if (performance.now() > limit) {
        this.hanging = new Set(inFlight);
        return;
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  private stillHanging(): number {
    return [...this.ports.inFlight].filter((dispatch) => this.hanging.has(dispatch)).length;
  }

  private unsettled(): string {
    const { inFlight, describe, patience } = this.ports;
    const names = [...inFlight].map((dispatch) => `\n- ${describe(dispatch)}`);
    return (
      `TasksTestbed: not settled after ${patience / MILLISECOND} ms of real time:` +
      (names.length > 0 ? names.join('') : ' an attempt that was not sent yet') +
      '\nDoes it await what the test never brings? For one that is only slow, raise the option patience; ' +
      "to let time pass meanwhile, as far as its deadline, use advance('…', { mayHang: true })."
    );
  }
}

/** @returns whether `work` came to its end in that much real time */
async function within(limit: Duration, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limit / MILLISECOND);
  });
  try {
    return await Promise.race([work.then(() => true), passed]);
  } finally {
    clearTimeout(timer);
  }
}
