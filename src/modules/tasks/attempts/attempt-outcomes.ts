/** Decides what becomes of each attempt, does it, and only then lets the queue have its answer. */
import { HttpException, Inject, Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDeadLetterQueue } from '../../../foundation/dead-letter-queue.js';
import type { Clock } from '../../../engine/ports.js';
import { printable } from '../../../foundation/printable.js';
import type { VerifiedRequest } from '../../auth/task-guard.js';
import { CLOCK, QueueBackend } from '../../cloud-tasks/queue-backend.js';
import type { DeliveredTask } from '../../dead-letters/delivered-task.js';
import { deliveredTask, oddRetryCount } from '../../dead-letters/delivered-task.js';
import { PermanentFailure, RetryLater } from '../../dead-letters/handler-failures.js';
import type { EndedAttempt } from '../../dead-letters/outcomes.js';
import { legible } from '../../dead-letters/legible.js';
import { Outcomes } from '../../dead-letters/outcomes.js';
import { TaskSuccession } from '../../dead-letters/task-succession.js';
import type { AttemptFacts, Failure, Verdict } from '../../dead-letters/verdict.js';
import { isLast, judge, messageOf } from '../../dead-letters/verdict.js';
import { NotNow } from '../../journal/exclusive-runs.js';
import type { AttemptRules } from './attempt-rules.js';
import { LostLastAttempt } from './attempt-rules.js';
import { deadlineSignal } from './attempt-context.js';
import { HeldAnswer } from './held-answer.js';
import { maxAttemptsOf } from '../task-headers.js';

const attempts = new WeakMap<object, RunningAttempt>();

/** The attempt that a request is; undefined where its outcome is no business of ours. */
export function runningAttempt(request: object): RunningAttempt | undefined {
  return attempts.get(request);
}

@Injectable()
export class AttemptOutcomes {
  private readonly logger = new Logger('Tasks');

  constructor(
    private readonly succession: TaskSuccession,
    private readonly outcomes: Outcomes,
    private readonly backend: QueueBackend,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * From here on the answer is held. One that is beyond the last attempt is parked at once.
   *
   * @returns undefined when the caller is allowed but is no queue
   */
  open(
    request: IncomingMessage,
    response: ServerResponse,
    verified: VerifiedRequest,
    rules: AttemptRules,
  ): RunningAttempt | undefined {
    const open = attempts.get(request);
    if (open) return open;
    const task = deliveredTask(request, verified);
    if (!task) return undefined;
    const odd = oddRetryCount(request, verified);
    if (odd !== undefined) {
      const name = `task ${task.taskId} of queue ${task.queue}`;
      this.logger.warn(`The retry count of ${name} is '${printable(odd, 40)}', so it counts as 0.`);
    }
    const { succession, outcomes, backend, clock } = this;
    const about = { request, response, verified, task };
    const attempt = new RunningAttempt(about, rules, { succession, outcomes, backend, clock });
    attempts.set(request, attempt);
    return attempt;
  }
}

interface Services {
  readonly succession: TaskSuccession;
  readonly outcomes: Outcomes;
  readonly backend: Pick<QueueBackend, 'failureIsLogged'>;
  readonly clock: Clock;
}

type About = Pick<EndedAttempt, 'request' | 'response' | 'verified'> & {
  readonly task: DeliveredTask;
};

export class RunningAttempt {
  private readonly logger = new Logger('Tasks');
  private readonly answer: HeldAnswer;
  private failure: Failure | undefined;
  private isSettled = false;
  private isLetIn = false;

  constructor(
    private readonly about: About,
    private readonly rules: AttemptRules,
    private readonly services: Services,
  ) {
    const { request, response, verified } = about;
    this.answer = new HeldAnswer(response, {
      passes: (status) => !this.failure && status >= 200 && status < 300,
      passed: () => this.succeeded(),
      held: (status, retryAfter) =>
        void this.settle({ stage: 'route', status, ...this.failure, retryAfter }),
    });
    const signal = deadlineSignal(request, response, verified);
    // When the caller has gone away too, but then nobody hears what is answered.
    signal.addEventListener('abort', () => this.outOfTime(signal.reason));
    if (this.isBeyondLast && !rules.isDoneOnce) {
      void this.settle({ stage: 'route', error: new LostLastAttempt() });
    }
  }

  /** Nothing is left to be done for it; what follows changes nothing. */
  get isOver(): boolean {
    return this.isSettled;
  }

  /** All guards have let it in. */
  letIn(): void {
    this.isLetIn = true;
  }

  /** The handler has returned, perhaps after an interceptor has run it again. */
  returned(): void {
    this.failure = undefined;
  }

  /** @param stage default: where it has come to */
  failed(error: unknown, stage: Failure['stage'] = this.isLetIn ? 'route' : 'guard'): void {
    // What says what is to become of the task isn't replaced by what was made of it on its way.
    if (!saysMore(this.failure?.error)) this.failure = legible({ error, stage });
  }

  /** What Nest answers is dropped: the queue's answer is what `work` comes to. */
  answerLater(work: Promise<object>): void {
    this.answer.hold();
    work.then(
      (value) => this.ended(value),
      (error: unknown) => {
        // As Nest logs what nobody has foreseen.
        if (!(error instanceof HttpException) && !saysMore(error)) this.logger.error(error);
        this.failed(error);
        void this.settle({ error, stage: 'route', ...this.failure });
      },
    );
  }

  private async ended(value: object): Promise<void> {
    if (this.isSettled) return;
    await this.succeeded();
    this.answer.send(200, value);
  }

  /** No handler has its path. */
  unknownPath(): void {
    const { method = '', url = '' } = this.about.request;
    const [path = ''] = url.split('?', 1);
    const message = `No handler has ${method} ${printable(path, 200)}.`;
    const verdict: Verdict = isLast(this.facts)
      ? { kind: 'dead', reason: 'unknown-path', message }
      : { kind: 'again', status: 404 };
    void this.settle({ stage: 'route', status: 404 }, verdict, message);
  }

  private get maxAttempts(): number {
    return maxAttemptsOf(this.about.request) ?? this.rules.maxAttempts;
  }

  private get facts(): AttemptFacts {
    const attempts = this.about.task.retryCount + 1;
    return { now: this.services.clock.now(), attempts, maxAttempts: this.maxAttempts };
  }

  /** The last one was made, and whoever made it didn't live to say how it ended. */
  get isBeyondLast(): boolean {
    const { attempts, maxAttempts } = this.facts;
    return maxAttempts >= 0 && attempts > maxAttempts && !this.isDeadLetter;
  }

  /** Run by hand where it is parked: there it stays unless it succeeds. */
  private get isDeadLetter(): boolean {
    return isDeadLetterQueue(this.about.task.queue);
  }

  /** What the handler comes to later isn't waited for. */
  private outOfTime(error: unknown): void {
    this.failure = { error, stage: 'route' };
    void this.settle(this.failure);
  }

  private succeeded(): Promise<void> | undefined {
    if (this.isSettled) return undefined;
    this.isSettled = true;
    const { outcomes } = this.services;
    return outcomes.heard ? this.tell('succeeded', undefined, undefined) : undefined;
  }

  private async settle(failure: Failure, given?: Verdict, why?: string): Promise<void> {
    if (this.isSettled) return;
    this.isSettled = true;
    // Nobody hears the answer, so there will be another attempt; this one decides nothing.
    if (this.about.response.closed) return;
    const { facts } = this;
    const isLost = failure.error instanceof LostLastAttempt;
    const verdict = given ?? (isLost ? LOST_LAST : judge(failure, facts));
    const message = why ?? (verdict.kind === 'dead' ? verdict.message : messageOf(failure));
    const kind = await this.carryOut(verdict, message, facts);
    const { queue, taskId } = this.about.task;
    if (kind === 'failed') this.services.backend.failureIsLogged(queue, taskId);
    await this.tell(kind, failure.error, message);
    const status = kind === 'failed' ? (verdict.kind === 'again' ? verdict.status : 500) : 200;
    const after = verdict.kind === 'again' ? verdict.retryAfter : undefined;
    this.answer.send(status, { outcome: kind }, after);
  }

  private async carryOut(
    verdict: Verdict,
    message: string,
    { attempts, now }: AttemptFacts,
  ): Promise<EndedAttempt['kind']> {
    const { task } = this.about;
    const name = `${task.queue}/${task.taskId}${this.rules.handler ? ` (${this.rules.handler})` : ''}`;
    const shown = printable(message, 500);
    if (verdict.kind === 'again' || this.isDeadLetter) {
      this.logger.warn(`Attempt ${attempts} of ${name} failed: ${shown}`);
      return 'failed';
    }
    try {
      if (verdict.kind === 'later') {
        await this.services.succession.later(task, verdict.at);
        return 'rescheduled';
      }
      const { reason } = verdict;
      // One that was beyond the last attempt was never made.
      const made = verdict === LOST_LAST ? attempts - 1 : attempts;
      await this.services.succession.park(task, { reason, message, attempts: made, diedAt: now });
      this.logger.error(`Parked ${name} after ${made} attempt(s), ${reason}: ${shown}`);
      return 'dead-lettered';
    } catch (error) {
      const what = verdict.kind === 'later' ? 'a successor of' : 'a dead letter of';
      // The queue keeps it, and the next attempt tries again.
      this.logger.error(`Can't make ${what} ${name}, so it stays. ${String(error)}`);
      return 'failed';
    }
  }

  private tell(
    kind: EndedAttempt['kind'],
    error: unknown,
    message: string | undefined,
  ): Promise<void> {
    const { handler } = this.rules;
    return this.services.outcomes.tell({ ...this.about, handler, kind, error, message });
  }
}

const LOST_LAST: Verdict = {
  kind: 'dead',
  reason: 'exhausted',
  message: new LostLastAttempt().message,
};

function saysMore(error: unknown): boolean {
  return (
    error instanceof PermanentFailure || error instanceof RetryLater || error instanceof NotNow
  );
}
