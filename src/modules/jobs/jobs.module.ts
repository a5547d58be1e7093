/** The jobs that come with the app: their handlers, and the endpoints that enqueue them. */
import type { OnApplicationShutdown } from '@nestjs/common';
import { ConfigurableModuleBuilder, Inject, Module } from '@nestjs/common';
import type { AppRecords } from '../../foundation/app-records.js';
import type { Clock } from '../../engine/ports.js';
import { openMail } from '../../host/open-mail.js';
import { openRecords } from '../../host/open-records.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { CleanupTasks } from './cleanup.js';
import { ProcessWebhookTasks, WebhooksController } from './process-webhook.js';
import { EventDisplayController } from './event-display.controller.js';
import { ExampleController } from './example.controller.js';
import type { JobsMail } from './jobs-mail.js';
import { JOBS_MAIL } from './jobs-mail.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS, JOBS_RECORDS, SYNC_SOURCE } from './jobs-options.js';
import { MailboxController } from './mailbox.controller.js';
import { EmailsController, SendEmailTasks } from './send-email.js';
import { SyncDataTasks, SyncsController } from './sync-data.js';
import { SyncSource } from './sync-source.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<JobsOptions>({
  optionsInjectionToken: JOBS_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

@Module({
  controllers: [
    ExampleController,
    EventDisplayController,
    SendEmailTasks,
    EmailsController,
    MailboxController,
    ProcessWebhookTasks,
    WebhooksController,
    SyncDataTasks,
    SyncsController,
    CleanupTasks,
  ],
  providers: [
    {
      provide: JOBS_MAIL,
      inject: [JOBS_OPTIONS],
      useFactory: async ({ mail }: JobsOptions): Promise<JobsMail> =>
        mail.place ? openMail(mail.place) : {},
    },
    {
      provide: JOBS_RECORDS,
      // After the backend: a start that it refuses leaves no file.
      inject: [JOBS_OPTIONS, QueueBackend],
      // Nest takes undefined for a provider that isn't there.
      useFactory: ({ records }: JobsOptions): Promise<AppRecords> | null =>
        records ? openRecords(records) : null,
    },
    {
      provide: SYNC_SOURCE,
      inject: [JOBS_OPTIONS, CLOCK],
      useFactory: ({ sync }: JobsOptions, clock: Clock) =>
        sync ? new SyncSource(sync, clock) : null,
    },
  ],
})
export class JobsModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(
    @Inject(JOBS_RECORDS) private readonly records: AppRecords | null,
    @Inject(SYNC_SOURCE) private readonly source: SyncSource | null,
  ) {
    super();
  }

  /** By now Nest has closed the HTTP server, so no handler runs any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.source?.close();
    await this.records?.close();
  }
}
