/** The job that delivers one signed webhook, and the endpoint that enqueues it. */
import { Body, Controller, Inject, Logger } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { AppRecords } from '../../foundation/app-records.js';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, MINUTE, SECOND } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import type { Webhook, WebhookAnswer } from '../../outbound/webhook-call.js';
import { WebhookCalls, webhookPause } from '../../outbound/webhook-call.js';
import { printable } from '../../foundation/printable.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { GivenUp, RetryLater } from '../dead-letters/handler-failures.js';
import { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { JOURNAL } from '../journal/journal-options.js';
import { readHeaders } from '../producer/caller-headers.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { HandlerRequests } from '../producer/handler-requests.js';
import { readPayload } from '../producer/task-fields.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import { JobBody } from './job-body.js';
import { JobEndpoint } from './job-endpoint.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS, JOBS_RECORDS } from './jobs-options.js';

const FIELDS = ['url', 'payload', 'headers'] as const;

/** How long a receiver that said that it is gone isn't asked again. */
const SILENCE: Duration = 30 * DAY;
/** A delivery takes 30 s at most, and no task is tried for longer than 31 days. */
const RUN = { lease: MINUTE, ttl: 31 * DAY };

type WebhookContent = Pick<Webhook, 'url' | 'body'> & Required<Pick<Webhook, 'headers'>>;

@TaskController('tasks', { queue: 'webhook-queue' })
export class ProcessWebhookTasks {
  private readonly logger = new Logger('Webhooks');

  constructor(
    private readonly calls: WebhookCalls,
    @Inject(JOBS_OPTIONS) private readonly options: JobsOptions,
    @Inject(JOBS_RECORDS) private readonly records: AppRecords | null,
    @Inject(JOURNAL) private readonly journal: Journal | null,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly runs: ExclusiveRuns,
    private readonly backend: QueueBackend,
  ) {}

  /** Its own schedule of attempts says when it is given up. */
  @Task('process-webhook', { dispatchDeadline: '1m', maxAttempts: -1 })
  async process(
    @Body(new JobBody(FIELDS, readWebhook)) content: WebhookContent,
    @TaskInfo() task: TaskContext,
  ): Promise<object> {
    const { uid } = task;
    // Receivers know a repeated one by its id; where there is a journal, none is sent at all.
    if (!this.runs.possible) return this.attempt(content, task);
    const key = `webhook ${this.backend.location} ${uid}`;
    const { outcome } = await this.runs.run(key, RUN, async () =>
      JSON.stringify(await this.attempt(content, task)),
    );
    return JSON.parse(outcome) as object;
  }

  /** @throws GivenUp, RetryLater, CloudTasksError */
  private async attempt(content: WebhookContent, task: TaskContext): Promise<object> {
    const { uid: id, retryCount, signal } = task;
    const gone = `webhook-gone ${this.backend.location} ${digest(content.url)}`;
    if ((await this.journal?.read(gone))?.state === 'done') {
      throw new GivenUp('refused', 'The receiver has answered 410: it wants no more webhooks.');
    }
    const at = this.clock.now();
    const answer = await this.calls.deliver({ ...content, id, secrets: this.secrets(), signal });
    const pause = answer.kind === 'again' ? webhookPause(retryCount, answer.after) : undefined;
    await this.note(id, content.url, retryCount + 1, answer, pause, at);
    if (answer.kind === 'delivered') {
      this.logger.log(`Webhook ${id} was delivered: ${answer.status}.`);
      return { id, status: answer.status };
    }
    const { kind, message } = answer;
    if (kind === 'gone') {
      await this.journal?.note([{ key: gone, outcome: '{}', ttl: SILENCE }]);
      throw new GivenUp('refused', message);
    }
    if (kind === 'refused') throw new GivenUp('policy', message);
    if (pause === undefined) {
      throw new GivenUp('exhausted', `Attempt ${retryCount + 1} failed: ${message}`);
    }
    const after = `${Math.round(pause / SECOND)}s` as const;
    this.logger.warn(`Webhook ${id} is tried again in ${after}: ${printable(message)}`);
    throw new RetryLater({ after, reason: message });
  }

  private secrets(): readonly string[] {
    const { webhookSecrets } = this.options;
    if (webhookSecrets.length > 0) return webhookSecrets;
    const message =
      "Webhooks are signed: set WEBHOOK_SECRET to 'whsec_' and base64 of 24 to 64 random bytes, as `echo whsec_$(openssl rand -base64 32)` makes them.";
    throw new CloudTasksError('FAILED_PRECONDITION', message, { field: 'WEBHOOK_SECRET' });
  }

  /** What was delivered stays so, whatever becomes of the log. */
  private async note(
    id: string,
    url: string,
    attempt: number,
    answer: WebhookAnswer,
    pause: Duration | undefined,
    at: Instant,
  ): Promise<void> {
    const { kind, status } = answer;
    const outcome = kind === 'delivered' ? kind : pause === undefined ? 'given-up' : 'again';
    const failure = kind === 'delivered' || status !== undefined ? undefined : answer.message;
    try {
      await this.records?.noteDelivery({
        ...{ id, attempt, url: withoutQuery(url), outcome, at, took: this.clock.now() - at },
        ...(status === undefined ? {} : { status }),
        ...(failure === undefined ? {} : { failure }),
      });
    } catch (error) {
      this.logger.warn(`Attempt ${attempt} of webhook ${id} isn't in the log. ${String(error)}`);
    }
  }
}

@Controller('webhooks')
export class WebhooksController extends JobEndpoint {
  protected readonly job = {
    path: '/tasks/process-webhook',
    fields: FIELDS,
    check: (fields: Fields) => this.check(readWebhook(fields)),
    // The payload goes out byte for byte as it came in.
    contentType: 'application/octet-stream',
    external: true,
  };

  constructor(
    requests: HandlerRequests,
    private readonly policy: OutboundPolicy,
  ) {
    super(requests);
  }

  /** What the outbound rules refuse is refused now, not when it would be sent. */
  private check({ url, headers }: WebhookContent): void {
    try {
      this.policy.headers(this.policy.permit(url).rule, headers);
    } catch (error) {
      if (!(error instanceof CloudTasksError) || error.code !== 'PERMISSION_DENIED') throw error;
      const { code, message, field, cause } = error;
      const wayOut = 'EXTERNAL_ORIGINS or OUTBOUND_FILE has to name what may be called.';
      throw new CloudTasksError(code, `${message} ${wayOut}`, { field, cause });
    }
  }
}

function readWebhook(fields: Fields): WebhookContent {
  const url = fields.required('url', "a URL such as 'https://api.example.com/hooks/1'");
  if (fields.json('payload') === undefined) {
    unexpected('payload', 'any JSON, or a string to be sent as text', 'nothing');
  }
  const { headers, body = '' } = readPayload(fields, readHeaders(fields));
  return { url, body, headers };
}

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
