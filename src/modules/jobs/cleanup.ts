/** The job that deletes what has been kept for long enough. */
import { Body, Inject, Logger } from '@nestjs/common';
import type { AppRecords } from '../../foundation/app-records.js';
import type { Clock } from '../../engine/ports.js';
import { MILLISECOND, MINUTE } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { ExclusiveRuns } from '../journal/exclusive-runs.js';
import { JOURNAL } from '../journal/journal-options.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import { JobBody } from './job-body.js';
import type { JobsMail } from './jobs-mail.js';
import { JOBS_MAIL } from './jobs-mail.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS, JOBS_RECORDS } from './jobs-options.js';

/** How many of each were deleted. */
export interface CleanupCounts {
  /** What the journal remembered: idempotency records and outcomes, by the time each was given. */
  readonly outcomes: number;
  readonly mails: number;
  readonly deliveries: number;
  /** Synced entities that their source has no more. */
  readonly entities: number;
}

/** What is deleted in steps deletes no more in each, so that others get their turn. */
const WHOLE_STEP = 1000;
/** It is work of its own each time; no two of them overlap. */
const RUN = { lease: MINUTE, ttl: MILLISECOND };

@TaskController('tasks')
export class CleanupTasks {
  private readonly logger = new Logger('Cleanup');

  constructor(
    @Inject(JOBS_OPTIONS) private readonly options: JobsOptions,
    @Inject(JOBS_RECORDS) private readonly records: AppRecords | null,
    @Inject(JOBS_MAIL) private readonly mail: JobsMail,
    @Inject(JOURNAL) private readonly journal: Journal | null,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly runs: ExclusiveRuns,
    private readonly backend: QueueBackend,
  ) {}

  /** One that finds another at work is told to come again, and then finds less to do. */
  @Task('cleanup', { dispatchDeadline: '10m' })
  async clean(
    @Body(new JobBody([], () => undefined)) _nothing: undefined,
    @TaskInfo() task: TaskContext,
  ): Promise<CleanupCounts> {
    const key = `cleanup ${this.backend.location}`;
    const { outcome } = await this.runs.run(key, RUN, async ({ lost }) => {
      const counts = await this.deleteOld(AbortSignal.any([task.signal, lost]));
      return JSON.stringify(counts);
    });
    const counts = JSON.parse(outcome) as CleanupCounts;
    const parts = Object.entries(counts).map(([what, count]) => `${String(count)} ${what}`);
    this.logger.log(`Deleted ${parts.join(', ')}.`);
    return counts;
  }

  /** What was deleted until a failure stays deleted: the next attempt goes on with the rest. */
  private async deleteOld(signal: AbortSignal): Promise<CleanupCounts> {
    const now = this.clock.now();
    const { mails, deliveries, gone } = this.options.ages;
    const { journal, records } = this;
    const { mailbox } = this.mail;
    const mailsBefore = new Date((now - mails) / MILLISECOND);
    return {
      outcomes: await inSteps(signal, () => journal?.expire()),
      mails: (await mailbox?.expire(mailsBefore)) ?? 0,
      deliveries: await inSteps(signal, () => records?.deleteDeliveries(now - deliveries)),
      entities: await inSteps(signal, () => records?.deleteGone(now - gone)),
    };
  }
}

async function inSteps(
  signal: AbortSignal,
  step: () => Promise<number> | undefined,
): Promise<number> {
  for (let total = 0; ;) {
    signal.throwIfAborted();
    const count = (await step()) ?? 0;
    total += count;
    if (count < WHOLE_STEP) return total;
  }
}
