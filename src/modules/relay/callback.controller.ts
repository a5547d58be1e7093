/** Delivers callbacks: a handler of tasks of its own queue, tried again for days. */
import { Body, Inject, Logger } from '@nestjs/common';
import { DAY, SECOND } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { webhookPause, WebhookCalls } from '../../outbound/webhook-call.js';
import { printable } from '../../foundation/printable.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import { GivenUp, RetryLater } from '../dead-letters/handler-failures.js';
import { JOURNAL } from '../journal/journal-options.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import type { CallbackEvent } from './callback-event.js';
import { RelaySettings } from './relay-options.js';
import { digest } from './relay-records.js';

/** How long a receiver that said that it is gone isn't asked again. */
const SILENCE = 30 * DAY;

export interface CallbackTask {
  /** The same for each attempt: a receiver tells a repeated one by it. */
  readonly id: string;
  readonly url: string;
  readonly event: CallbackEvent;
}

@TaskController('relay', { queue: 'relay-callbacks' })
export class CallbackController {
  private readonly logger = new Logger('Relay');

  constructor(
    private readonly calls: WebhookCalls,
    private readonly settings: RelaySettings,
    private readonly backend: QueueBackend,
    @Inject(JOURNAL) private readonly journal: Journal | null,
  ) {}

  @Task('callback', { maxAttempts: -1 })
  async deliver(
    @Body() { id, url, event }: CallbackTask,
    @TaskInfo() task: TaskContext,
  ): Promise<void> {
    // Apps may share a store, and a receiver may be gone for one of them alone.
    const gone = `relay-callback-gone:${this.backend.location}/${digest(url)}`;
    if ((await this.journal?.read(gone))?.state === 'done') {
      throw new GivenUp('refused', 'The receiver has answered 410: it wants no more callbacks.');
    }
    const answer = await this.calls.deliver({
      ...{ id, url, body: JSON.stringify(event), signal: task.signal },
      field: 'callbackUrl',
      headers: { 'Content-Type': 'application/json' },
      secrets: this.settings.callbackSecrets,
    });
    if (answer.kind === 'delivered') return;
    const { kind, message } = answer;
    if (kind === 'gone') {
      await this.journal?.note([{ key: gone, outcome: '{}', ttl: SILENCE }]);
      throw new GivenUp('refused', message);
    }
    if (kind === 'refused') throw new GivenUp('policy', message);
    const pause = webhookPause(task.retryCount, answer.after);
    if (pause === undefined) {
      throw new GivenUp('exhausted', `Attempt ${task.retryCount + 1} failed: ${message}`);
    }
    const seconds = Math.round(pause / SECOND);
    this.logger.warn(
      `Callback ${id.slice(0, 12)} is tried again in ${seconds} s: ${printable(message)}`,
    );
    throw new RetryLater({ after: `${seconds}s`, reason: message });
  }
}
