/** The job that sends one mail, once, and the endpoint that enqueues it. */
import { Body, Controller, Inject, Logger } from '@nestjs/common';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { DAY, MILLISECOND, MINUTE } from '../../engine/time.js';
import { MailError } from '../../foundation/mail.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { PermanentFailure } from '../dead-letters/handler-failures.js';
import { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import type { Email } from './email.js';
import { EMAIL_FIELDS, readEmail } from './email.js';
import { JobBody } from './job-body.js';
import { JobEndpoint } from './job-endpoint.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import type { JobsMail } from './jobs-mail.js';
import { JOBS_MAIL } from './jobs-mail.js';

/** No task is tried for longer. */
const REMEMBERED: Duration = 31 * DAY;
const LEASE: Duration = MINUTE;

@TaskController('tasks', { queue: 'email-queue' })
export class SendEmailTasks {
  private readonly logger = new Logger('Mail');

  constructor(
    @Inject(JOBS_MAIL) private readonly mail: JobsMail,
    @Inject(JOBS_OPTIONS) private readonly options: JobsOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly runs: ExclusiveRuns,
    private readonly backend: QueueBackend,
  ) {}

  /**
   * However often the task is delivered: whoever sends notes it down in the journal. Only a crash
   * between the server's yes and that note makes a second mail, of the same Message-ID.
   */
  @Task('send-email', { dispatchDeadline: '5m' })
  async send(
    @Body(new JobBody(EMAIL_FIELDS, readEmail)) email: Email,
    @TaskInfo() task: TaskContext,
  ): Promise<object> {
    const { mailer, mailbox } = this.mail;
    if (!mailer) {
      const message = 'Mail needs a server to go to: set SMTP_URL, and MAIL_FROM.';
      throw new CloudTasksError('FAILED_PRECONDITION', message, { field: 'SMTP_URL' });
    }
    const { from } = this.options.mail;
    const messageId = `<${task.uid}@${from.slice(from.lastIndexOf('@') + 1)}>`;
    const key = `mail ${this.backend.location} ${task.uid}`;
    const { ran } = await this.runs.run(key, { lease: LEASE, ttl: REMEMBERED }, async (hold) => {
      const { to, subject, content } = email;
      const date = new Date(this.clock.now() / MILLISECOND);
      const signal = AbortSignal.any([task.signal, hold.lost]);
      try {
        await mailer.send({ messageId, from, to, subject, ...content, date }, signal);
      } catch (error) {
        if (!(error instanceof MailError) || !error.permanent) throw error;
        throw new PermanentFailure(error.message, { cause: error });
      }
      return messageId;
    });
    const done = mailbox ? 'put into the mailbox' : 'sent';
    this.logger.log(
      ran ? `Mail ${messageId} was ${done}.` : `Mail ${messageId} was ${done} before.`,
    );
    return { messageId, sent: ran };
  }
}

@Controller('emails')
export class EmailsController extends JobEndpoint {
  protected readonly job = {
    path: '/tasks/send-email',
    fields: EMAIL_FIELDS,
    check: readEmail,
  };
}
