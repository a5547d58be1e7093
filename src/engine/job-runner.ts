/** One job's loop: tick -> record -> send -> settle. Between two events nothing runs. */
import type { AttemptResult } from './attempt.js';
import { responseStatus, succeeded } from './attempt.js';
import { attemptDeadline } from './job.js';
import { toJobDispatch } from './job-dispatch.js';
import type {
  EngineEvents,
  JobConfig,
  JobExecution,
  JobState,
  StoredJob,
  TaskStore,
  Ticks,
  Timer,
} from './ports.js';
import { nextRetry } from './retry.js';
import type { SenderPorts } from './sender.js';
import { Sender } from './sender.js';
import type { Instant } from './time.js';
import { Trouble } from './trouble.js';

export interface JobRunnerPorts extends SenderPorts {
  readonly store: TaskStore;
  readonly onEvent: EngineEvents;
}

export class JobRunner {
  private readonly sender: Sender;
  private readonly trouble: Trouble;
  private timer: Timer | undefined;
  private running = false;
  /** Nothing of it is to be recorded any more. */
  private ended = false;
  /** An attempt of the execution on record is under way: a job never runs twice at once. */
  private busy = false;
  /** Attempts under way, those too that somebody forced meanwhile. */
  private underWay = 0;
  private idle: (() => void)[] = [];

  constructor(
    private kept: StoredJob,
    /** Undefined when the schedule can't be read any more: its time zone is gone, say. */
    private ticks: Ticks | undefined,
    private readonly ports: JobRunnerPorts,
  ) {
    this.sender = new Sender(ports);
    this.trouble = new Trouble(ports.clock, ports.onEvent);
  }

  /** As it is now. */
  get stored(): StoredJob {
    return this.kept;
  }

  get attemptsInFlight(): number {
    return this.underWay;
  }

  start(): void {
    this.running = true;
    this.pump();
  }

  /** Begins nothing new; what is in flight goes on. */
  stop(): void {
    this.running = false;
    this.pump();
  }

  /** Stops, cuts what is in flight and settles none of it: the next start sends it again. */
  abandon(): void {
    this.end();
    this.sender.cutAll();
  }

  /** The job is gone: what is in flight goes on, and leaves nothing behind. */
  end(): void {
    this.stop();
    this.ended = true;
  }

  async drained(): Promise<void> {
    if (this.underWay > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /**
   * Takes a change over, and goes on by it: what failed before isn't tried again.
   *
   * @returns what is to be put on record, at once: what the attempt in flight records comes after
   */
  change(job: JobConfig, ticks: Ticks): StoredJob {
    const { executions, execution, lastAttemptTime, status } = this.kept.state;
    const nextTick = job.state === 'ENABLED' ? ticks.next(this.ports.clock.now()) : undefined;
    this.ticks = ticks;
    this.kept = {
      job,
      state: {
        executions,
        ...(lastAttemptTime === undefined ? {} : { lastAttemptTime }),
        ...(status === undefined ? {} : { status }),
        ...(this.busy && execution ? { execution } : {}),
        ...(nextTick === undefined ? {} : { nextTick }),
      },
    };
    this.pump();
    return this.kept;
  }

  /** Runs the job now, past its schedule and a pause; resolves once that is on record. */
  async run(): Promise<void> {
    if (this.busy) {
      // Sent beside the one on record, and like it not twice: a crash forgets it.
      void this.sendBeside();
      return;
    }
    await this.begin(this.newExecution(this.ports.clock.now()));
  }

  private pump(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (!this.running || this.busy) return;
    const { job, state } = this.kept;
    const { execution, nextTick } = state;
    const isEnabled = job.state === 'ENABLED';
    const at = execution?.attemptTime ?? (isEnabled ? nextTick : undefined);
    if (at === undefined) return;
    if (at > this.ports.clock.now()) {
      this.timer = this.ports.clock.at(at, () => this.pump());
    } else {
      void this.begin(execution ?? this.newExecution(at), execution === undefined);
    }
  }

  private newExecution(scheduleTime: Instant): JobExecution {
    const now = this.ports.clock.now();
    const id = this.kept.state.executions + 1;
    return { id, scheduleTime, attempts: 0, firstAttempt: now, attemptTime: now };
  }

  /**
   * Records that an attempt begins, and sends it.
   *
   * @param isTick the ticks that were missed meanwhile are this one
   * @returns once it is on record
   */
  private async begin(execution: JobExecution, isTick = false): Promise<void> {
    const now = this.ports.clock.now();
    const { nextTick, ...state } = this.kept.state;
    const next = isTick ? this.tickAfter(now) : nextTick;
    const begun = {
      ...execution,
      attempts: execution.attempts + 1,
      firstAttempt: execution.attempts === 0 ? now : execution.firstAttempt,
      attemptTime: now,
    };
    this.busy = true;
    this.underWay++;
    this.timer?.cancel();
    const recorded = this.record({
      ...state,
      executions: begun.id,
      execution: begun,
      lastAttemptTime: now,
      ...(next === undefined ? {} : { nextTick: next }),
    });
    // Only then: a request that went out before could be followed by one for the same tick.
    void recorded
      .then(async () => {
        if (this.isOver()) return;
        const result = await this.send(begun.scheduleTime);
        if (result && !this.isOver()) await this.settle(begun, result);
      })
      .finally(() => {
        this.busy = false;
        this.leave();
      });
    await recorded;
  }

  /** By a clock on the wall; what is counted from the end of a run is not known before that. */
  private tickAfter(now: Instant): Instant | undefined {
    return this.ticks?.fromEnd === false ? this.ticks.next(now) : undefined;
  }

  private async settle(execution: JobExecution, result: AttemptResult): Promise<void> {
    const now = this.ports.clock.now();
    const { job, state } = this.kept;
    const { nextTick, executions, lastAttemptTime } = state;
    const retryTime = this.retryTime(execution, result, now);
    const isRunByEnd = this.ticks?.fromEnd && job.state === 'ENABLED' && retryTime === undefined;
    const next = isRunByEnd ? this.ticks?.next(now) : nextTick;
    this.tell(execution, result, now, retryTime);
    await this.record({
      executions,
      ...(lastAttemptTime === undefined ? {} : { lastAttemptTime }),
      ...(succeeded(result) ? {} : { status: responseStatus(result) }),
      ...(retryTime === undefined ? {} : { execution: { ...execution, attemptTime: retryTime } }),
      ...(next === undefined ? {} : { nextTick: next }),
    });
  }

  /** Undefined when it succeeded, or is given up: the next tick takes its place. */
  private retryTime(
    { attempts, firstAttempt }: JobExecution,
    result: AttemptResult,
    now: Instant,
  ): Instant | undefined {
    const { job, state } = this.kept;
    if (succeeded(result) || job.state !== 'ENABLED') return undefined;
    const { retryCount, maxRetryDuration, minBackoffDuration, maxBackoffDuration, maxDoublings } =
      job.retryConfig;
    const isStarting =
      job.appEngineHttpTarget && result.kind === 'response' && result.status === 503;
    const time = nextRetry(
      {
        // An instance that is starting up is no failure of the job's.
        maxAttempts: isStarting ? -1 : retryCount + 1,
        maxRetryDuration: isStarting || retryCount === 0 ? 0 : maxRetryDuration,
        minBackoff: minBackoffDuration,
        maxBackoff: maxBackoffDuration,
        maxDoublings,
      },
      { attempts, firstDispatch: firstAttempt, now, countFrom: now },
    );
    const isTooLate = time !== undefined && state.nextTick !== undefined && time >= state.nextTick;
    return isTooLate ? undefined : time;
  }

  private async sendBeside(): Promise<void> {
    const now = this.ports.clock.now();
    this.underWay++;
    const result = await this.send(now);
    if (result && !this.ended) {
      this.tell({ ...this.newExecution(now), attempts: 1 }, result, now, undefined);
    }
    this.leave();
  }

  /** Lacking sockets of our own, a job must not lose attempts for it: it waits. */
  private send(scheduleTime: Instant): Promise<AttemptResult | undefined> {
    return this.trouble.outlast(
      'network-failure',
      async () => {
        const { job } = this.kept;
        const prepare = () => toJobDispatch(job, scheduleTime, this.ticks?.form);
        const result = await this.sender.send(prepare, attemptDeadline(job));
        if (result.kind === 'not-sent') throw new Error(`nothing can be sent: ${result.reason}`);
        return result;
      },
      () => this.ended,
    );
  }

  /** A full disk must not turn one tick into two: what was to be recorded waits for room. */
  private async record(state: JobState): Promise<void> {
    const { job } = this.kept;
    this.kept = { job, state };
    const { store } = this.ports;
    const write = () => store.putJobState(job.name, this.kept.state);
    await this.trouble.outlast('store-failure', write, () => this.ended);
  }

  private tell(
    { scheduleTime, attempts: attempt, attemptTime }: JobExecution,
    result: AttemptResult,
    now: Instant,
    retryTime: Instant | undefined,
  ): void {
    this.ports.onEvent({
      type: 'execution',
      job: this.kept.job.name,
      scheduleTime,
      attempt,
      duration: Math.max(0, now - attemptTime),
      result,
      gaveUp: !succeeded(result) && retryTime === undefined,
      ...(retryTime === undefined ? {} : { retryTime }),
    });
  }

  private isOver(): boolean {
    return this.ended;
  }

  private leave(): void {
    this.underWay--;
    if (this.underWay === 0) for (const resolve of this.idle.splice(0)) resolve();
    this.pump();
  }
}
