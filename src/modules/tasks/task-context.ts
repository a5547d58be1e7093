/** What a handler learns about the attempt that it is. */

/**
 * Only of requests that the guard has verified. A class, not an interface, so that TypeScript's
 * decorator metadata can name it; nobody constructs one by hand but a test.
 */
export class TaskContext {
  /** The queue's id; empty when the caller is allowed but is no queue. */
  readonly queue: string;
  /** Empty like `queue`. */
  readonly taskId: string;
  /**
   * The same for all deliveries of one piece of work, its successors after a `RetryLater` or a
   * redrive included, and for no other work: of 16 to 64 letters, digits, `-` and `_`.
   */
  readonly uid: string;
  /** Earlier attempts, whatever became of them; 0 at the first. */
  readonly retryCount: number;
  /** Earlier attempts that were answered; App Engine counts every answer, HTTP none of 5xx. */
  readonly executionCount: number;
  readonly scheduledAt: Date;
  /** HTTP status of the attempt before. */
  readonly previousResponse: number | undefined;
  /** Why there is another attempt, as far as the backend tells. */
  readonly retryReason: string | undefined;
  /**
   * Aborted 5 s before the attempt's deadline, when the caller has gone away, and with `idempotency`
   * when another instance has taken the work over.
   */
  readonly signal: AbortSignal;

  /**
   * With `idempotency`: greater than that of every earlier run of the same work, so that what the
   * handler writes to can refuse one that was taken over and doesn't know it yet.
   */
  readonly fence: number | undefined;

  // Makes the type nominal: an argument that only looks like one must not be taken for it.
  declare private readonly nominal: true;

  constructor(
    facts: Pick<
      TaskContext,
      | 'queue'
      | 'taskId'
      | 'retryCount'
      | 'executionCount'
      | 'scheduledAt'
      | 'previousResponse'
      | 'retryReason'
      | 'signal'
    > &
      Partial<Pick<TaskContext, 'uid' | 'fence'>>,
  ) {
    this.queue = facts.queue;
    this.taskId = facts.taskId;
    this.uid = facts.uid ?? '';
    this.retryCount = facts.retryCount;
    this.executionCount = facts.executionCount;
    this.scheduledAt = facts.scheduledAt;
    this.previousResponse = facts.previousResponse;
    this.retryReason = facts.retryReason;
    this.signal = facts.signal;
    this.fence = facts.fence;
    Object.freeze(this);
  }
}
