/** What of a queue is held in memory: the tasks that are due first, however many wait on disk. */
import type { DueTask } from './ports.js';

/** Reads on in the order of dispatch, strictly after a place. */
export type ReadDue = (after: DueTask | undefined, limit: number) => DueTask[];

/**
 * A heap over the head of the queue's order. `horizon` is the last place up to which everything
 * is known here; beyond it only the store knows. A million waiting tasks cost one window.
 */
export class DueWindow {
  private heap: DueTask[] = [];
  /** Undefined: nothing is known yet. `COMPLETE`: nothing waits outside. */
  private horizon: DueTask | undefined;

  constructor(
    private readonly read: ReadDue,
    private readonly limit: number,
  ) {}

  /** The task that is due first; reads on when what is held has run out. */
  peek(): DueTask | undefined {
    if (this.heap.length === 0 && this.horizon !== COMPLETE) this.refill();
    return this.heap[0];
  }

  pop(): DueTask | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first && last && first !== last) {
      this.heap[0] = last;
      this.sink(0);
    }
    return first;
  }

  /** A task was created, or got another time. Beyond the horizon it waits in the store. */
  offer(task: DueTask): void {
    if (this.horizon === undefined || !before(task, this.horizon)) return;
    this.heap.push(task);
    this.rise(this.heap.length - 1);
    if (this.heap.length >= 2 * this.limit) this.shrink();
  }

  /** Forgets everything; the next look reads from the store. */
  clear(): void {
    this.heap = [];
    this.horizon = undefined;
  }

  private refill(): void {
    const batch = this.read(this.horizon, this.limit);
    this.horizon = batch.length < this.limit ? COMPLETE : batch.at(-1);
    // In order of dispatch already, and so a heap.
    this.heap = batch;
  }

  /** Keeps the first half; what is dropped is still in the store, beyond the new horizon. */
  private shrink(): void {
    this.heap.sort(compare);
    this.heap.length = this.limit;
    this.horizon = this.heap.at(-1);
  }

  private rise(from: number): void {
    const { heap } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.swapIfBefore(heap, at, parent)) return;
      at = parent;
    }
  }

  private sink(from: number): void {
    const { heap } = this;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child = isBefore(heap[right], heap[left]) ? right : left;
      if (!this.swapIfBefore(heap, child, at)) return;
      at = child;
    }
  }

  private swapIfBefore(heap: DueTask[], lower: number, upper: number): boolean {
    const a = heap[lower];
    const b = heap[upper];
    if (!a || !b || !before(a, b)) return false;
    heap[lower] = b;
    heap[upper] = a;
    return true;
  }
}

const COMPLETE: DueTask = { scheduleTime: Infinity, seq: Infinity };

function compare(a: DueTask, b: DueTask): number {
  return a.scheduleTime - b.scheduleTime || a.seq - b.seq;
}

function before(a: DueTask, b: DueTask): boolean {
  return compare(a, b) < 0;
}

function isBefore(a: DueTask | undefined, b: DueTask | undefined): boolean {
  return a !== undefined && b !== undefined && before(a, b);
}
