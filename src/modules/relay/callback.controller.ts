/** Delivers callbacks: a handler of tasks of its own queue, tried again for days. */
import { Body, Inject, Logger } from '@nestjs/common';
import type { DurationText } from '../../duration.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { DAY, MILLISECOND, SECOND } from '../../engine/time.js';
import type { Journal } from '../../journal.js';
import { OutboundClient } from '../../outbound/outbound-client.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { printable } from '../../printable.js';
import { signWebhook } from '../../webhook-signature.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { GivenUp, RetryLater } from '../dead-letters/handler-failures.js';
import { JOURNAL } from '../journal/journal-options.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import type { CallbackEvent } from './callback-event.js';
import { RelaySettings } from './relay-options.js';
import { digest } from './relay-records.js';

/** As the specification of Standard Webhooks suggests: about three days in all. */
const PAUSES: readonly DurationText[] = [
  ...(['5s', '5m', '30m', '2h', '5h', '10h', '14h', '20h', '24h'] as const),
];
const DEADLINE = 30 * SECOND;
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
    private readonly policy: OutboundPolicy,
    private readonly client: OutboundClient,
    private readonly settings: RelaySettings,
    @Inject(JOURNAL) private readonly journal: Journal | null,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Task('callback', { maxAttempts: -1 })
  async deliver(
    @Body() { id, url, event }: CallbackTask,
    @TaskInfo() task: TaskContext,
  ): Promise<void> {
    const gone = `relay-callback-gone:${digest(url)}`;
    if ((await this.journal?.read(gone))?.state === 'done') {
      throw new GivenUp('refused', 'The receiver has answered 410: it wants no more callbacks.');
    }
    const status = await this.send(id, url, JSON.stringify(event), task.signal);
    if (typeof status === 'number' && status >= 200 && status < 300) return;
    const what = typeof status === 'number' ? `The receiver answered ${status}.` : status.message;
    if (status === 410) {
      await this.journal?.note([{ key: gone, outcome: '{}', ttl: SILENCE }]);
      throw new GivenUp('refused', what);
    }
    const pause = PAUSES[task.retryCount];
    if (pause === undefined) {
      throw new GivenUp('exhausted', `Attempt ${task.retryCount + 1} failed: ${what}`);
    }
    this.logger.warn(`Callback ${id.slice(0, 12)} is tried again in ${pause}: ${printable(what)}`);
    throw new RetryLater({ after: pause, reason: what });
  }

  /** @throws GivenUp for what the outbound rules refuse */
  private async send(
    id: string,
    url: string,
    body: string,
    signal: AbortSignal,
  ): Promise<number | OutboundError> {
    const timestamp = Math.floor(this.clock.now() / MILLISECOND / 1000);
    const own = {
      'Content-Type': 'application/json',
      ...signWebhook({ id, timestamp, body }, this.settings.callbackSecrets),
    };
    try {
      const target = this.policy.permit(url, 'callbackUrl');
      const call = { method: 'POST', own, body, deadline: DEADLINE, signal } as const;
      const response = await this.client.call(target, call);
      // Nobody reads what it says.
      response.body.destroy();
      return response.status;
    } catch (error) {
      if (error instanceof CloudTasksError) throw new GivenUp('policy', error.message);
      if (!(error instanceof OutboundError)) throw error;
      if (error.failure === 'refused') throw new GivenUp('policy', error.message);
      return error;
    }
  }
}
