/** One queue's loop: due -> token -> slot -> send -> settle. Between two events nothing runs. */
import type { AttemptResult } from './attempt.js';
import { dispatched, failed, succeeded } from './attempt.js';
import type { Queue, QueueStats } from './cloud-tasks-api.js';
import { toDispatch } from './dispatch-headers.js';
import { DueWindow } from './due-window.js';
import { MinuteCounter } from './minute-counter.js';
import type { DueTask, EngineEvents, StoredTask, TaskState, TaskStore, Timer } from './ports.js';
import { taskTtl } from './queue.js';
import { nextRetry } from './retry.js';
import { shortId } from './resource-name.js';
import type { SenderPorts } from './sender.js';
import { Sender } from './sender.js';
import type { Instant } from './time.js';
import { dispatchDeadline } from './task.js';
import { retryAfter, Throttle } from './throttle.js';
import { TokenBucket } from './token-bucket.js';
import { Trouble } from './trouble.js';

export interface DispatcherPorts extends SenderPorts {
  readonly store: TaskStore;
  readonly onEvent: EngineEvents;
  /** A settled task leaves its name behind until then. */
  readonly tombstoneUntil: (queue: Queue) => Instant;
}

/** Tasks of one queue that are held in memory, at most twice as many; the rest waits on disk. */
const WINDOW = 1000;

export class Dispatcher {
  private readonly window: DueWindow;
  private readonly bucket: TokenBucket;
  /** Attempts under way by task, the queue's own and those of RunTask. */
  private readonly inFlight = new Map<number, number>();
  private slotsTaken = 0;
  private readonly executed = new MinuteCounter();
  private readonly throttle = new Throttle();
  private readonly trouble: Trouble;
  private readonly sender: Sender;
  private isThrottled = false;
  private timer: Timer | undefined;
  private running = false;
  private abandoned = false;
  private idle: (() => void)[] = [];

  constructor(
    private queue: Queue,
    private readonly ports: DispatcherPorts,
  ) {
    const { store, clock, onEvent } = ports;
    const { maxDispatchesPerSecond, maxBurstSize } = queue.rateLimits;
    this.window = new DueWindow((after, limit) => store.due(queue.name, after, limit), WINDOW);
    this.bucket = new TokenBucket(maxDispatchesPerSecond, maxBurstSize, clock.now());
    this.trouble = new Trouble(clock, onEvent);
    this.sender = new Sender(ports);
  }

  start(): void {
    this.running = true;
    this.pump();
  }

  /** Takes no new task; what is in flight goes on. */
  stop(): void {
    this.running = false;
    this.pump();
  }

  /** Stops, cuts what is in flight and settles none of it: the next start delivers it again. */
  abandon(): void {
    this.stop();
    this.abandoned = true;
    this.sender.cutAll();
  }

  /** Resolves once nothing is in flight and every outcome is recorded. */
  async drained(): Promise<void> {
    if (this.inFlight.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Attempts under way, or whose outcome isn't on record yet. */
  get attemptsInFlight(): number {
    return [...this.inFlight.values()].reduce((sum, attempts) => sum + attempts, 0);
  }

  /** New limits, another state, or tasks purged: what is held may no longer be true. */
  configure(queue: Queue): void {
    this.queue = queue;
    this.setRate(this.ports.clock.now());
    this.window.clear();
    this.pump();
  }

  /** A task was created. */
  offer(task: DueTask): void {
    this.window.offer(task);
    this.pump();
  }

  /** Dispatches a task now, past rate, slots and pause; resolves to it once that is on record. */
  async run(task: StoredTask): Promise<StoredTask> {
    const calledAt = this.ports.clock.now();
    const state = await this.attempt(task, { takesSlot: false, calledAt });
    return { ...task, state: state ?? dispatched(task.state, calledAt) };
  }

  stats(): Omit<QueueStats, 'tasksCount' | 'oldestEstimatedArrivalTime'> {
    const { maxDispatchesPerSecond } = this.queue.rateLimits;
    const now = this.ports.clock.now();
    return {
      executedLastMinuteCount: this.executed.total(now),
      concurrentDispatchesCount: this.attemptsInFlight,
      effectiveExecutionRate: this.throttle.rate(maxDispatchesPerSecond, now),
    };
  }

  /** Sends what may be sent now, and sets one timer for what may be sent next. */
  private pump(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (!this.running || this.queue.state !== 'RUNNING' || this.trouble.lasts) return;
    if (this.isThrottled) this.setRate(this.ports.clock.now());
    try {
      this.timer = this.sendDue();
    } catch (error) {
      // A damaged file can fail any read: the other queues go on, and this one looks again.
      this.lookAgain(error);
    }
  }

  private lookAgain(error: unknown): void {
    void this.trouble.pause({ type: 'store-failure', error }).then(() => this.pump());
  }

  /** A timer for when there is more to send; undefined when some other event will bring it. */
  private sendDue(): Timer | undefined {
    const { clock } = this.ports;
    while (this.slotsTaken < this.queue.rateLimits.maxConcurrentDispatches) {
      const due = this.window.peek();
      if (!due) return undefined;
      const now = clock.now();
      if (due.scheduleTime > now) return clock.at(due.scheduleTime, () => this.pump());
      const wait = this.bucket.nextAt(now) - now;
      if (wait > 0) return clock.after(wait, () => this.pump());
      const task = this.stillDue(due);
      this.window.pop();
      if (!task) continue;
      this.bucket.take(now);
      void this.attempt(task, { takesSlot: true });
    }
    return undefined;
  }

  /** The window is told of nothing but creates: a task may be gone, moved or under way by RunTask. */
  private stillDue(due: DueTask): StoredTask | undefined {
    if (this.inFlight.has(due.seq)) return undefined;
    const task = this.ports.store.task(due.seq);
    if (task?.state.scheduleTime !== due.scheduleTime) return undefined;
    // Too old: it waits for the sweep.
    return task.request.createTime + taskTtl(this.queue) > this.ports.clock.now()
      ? task
      : undefined;
  }

  private attempt(
    task: StoredTask,
    how: { readonly takesSlot: boolean; readonly calledAt?: Instant },
  ): Promise<TaskState | undefined> {
    const { clock, store } = this.ports;
    const dispatchTime = clock.now();
    this.inFlight.set(task.seq, (this.inFlight.get(task.seq) ?? 0) + 1);
    if (how.takesSlot) this.slotsTaken++;
    // On record with the next commit; the request doesn't wait for it. A crash in between only
    // delivers again, as any crash before the outcome does.
    const recorded = store
      .updateTask(task.seq, ({ state }) => dispatched(state, dispatchTime))
      .catch((error: unknown) => {
        this.lookAgain(error);
        return undefined;
      });
    void this.send(task).then(async (result) => {
      if (this.abandoned || !result) return;
      if (how.takesSlot) {
        this.slotsTaken--;
        this.watch(task, dispatchTime, result);
      }
      this.pump();
      await this.settle(task, dispatchTime, result, how.calledAt);
      this.leave(task.seq);
    });
    return recorded;
  }

  /** Slows down where targets are overloaded. RunTask ignores rates, so it doesn't change them. */
  private watch(task: StoredTask, dispatchTime: Instant, result: AttemptResult): void {
    const { clock, onEvent } = this.ports;
    const now = clock.now();
    const attempt = { seq: task.seq, dispatchTime, isHttp: isHttp(task) };
    if (!this.throttle.ended(attempt, result, now)) return;
    const wasThrottled = this.isThrottled;
    this.setRate(now);
    if (!wasThrottled) onEvent({ type: 'throttled', queue: shortId(task.queue) });
  }

  /** While throttled the rate grows with time: whoever looks at the bucket brings it up to date. */
  private setRate(now: Instant): void {
    const { maxDispatchesPerSecond, maxBurstSize } = this.queue.rateLimits;
    const share = this.throttle.shareAt(now);
    const burst = Math.max(1, Math.floor(maxBurstSize * share));
    this.bucket.configure(this.throttle.rate(maxDispatchesPerSecond, now), burst, now);
    this.isThrottled = share < 1;
  }

  /** Lacking sockets of our own, a task must not lose attempts for it: it waits in its slot. */
  private send(task: StoredTask): Promise<AttemptResult | undefined> {
    return this.trouble.outlast(
      'network-failure',
      async () => {
        const prepare = () => toDispatch(task, this.queue);
        const result = await this.sender.send(prepare, dispatchDeadline(task));
        if (result.kind === 'not-sent') throw new Error(`nothing can be sent: ${result.reason}`);
        return result;
      },
      () => this.abandoned,
    );
  }

  private async settle(
    task: StoredTask,
    dispatchTime: Instant,
    result: AttemptResult,
    calledAt: Instant | undefined,
  ): Promise<void> {
    const { clock, store, onEvent, tombstoneUntil } = this.ports;
    const now = clock.now();
    this.executed.add(now);
    const dispatchCount = task.state.dispatchCount + 1;
    const retryTime = succeeded(result)
      ? undefined
      : nextRetry(this.queue.retryConfig, {
          attempts: dispatchCount,
          firstDispatch: task.state.firstAttempt?.dispatchTime ?? dispatchTime,
          now,
          countFrom: calledAt ?? now,
          notBefore: now + retryAfter(result, isHttp(task), now),
        });
    onEvent({
      type: 'attempt',
      queue: shortId(task.queue),
      task: task.id,
      dispatchCount,
      duration: Math.max(0, now - dispatchTime),
      result,
      gaveUp: !succeeded(result) && retryTime === undefined,
      ...(retryTime === undefined ? {} : { retryTime }),
    });
    if (retryTime === undefined) {
      await this.untilRecorded(() =>
        store.removeTask(task.seq, tombstoneUntil(this.queue), 'soon'),
      );
      return;
    }
    const state = await this.untilRecorded(() =>
      store.updateTask(task.seq, (stored) => {
        // Its start could not be recorded, on a full disk for one: it counts all the same.
        const isCounted = stored.state.dispatchCount > task.state.dispatchCount;
        const counted = isCounted
          ? stored
          : { ...stored, state: dispatched(stored.state, dispatchTime) };
        return failed(counted, result, now, retryTime);
      }),
    );
    // Gone: deleted or purged meanwhile.
    if (state) this.window.offer({ seq: task.seq, scheduleTime: retryTime });
  }

  /** A full disk must not turn a finished attempt into another one: its outcome waits for room. */
  private untilRecorded<T>(write: () => Promise<T>): Promise<T | undefined> {
    return this.trouble.outlast('store-failure', write, () => this.abandoned);
  }

  private leave(seq: number): void {
    const left = (this.inFlight.get(seq) ?? 1) - 1;
    if (left > 0) this.inFlight.set(seq, left);
    else this.inFlight.delete(seq);
    if (this.inFlight.size === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
    }
    this.pump();
  }
}

function isHttp(task: StoredTask): boolean {
  return task.request.httpRequest !== undefined;
}
