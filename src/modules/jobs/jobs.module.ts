/** The jobs that come with the app: their handlers, and the endpoints that enqueue them. */
import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import { openMail } from '../../host/open-mail.js';
import { EventDisplayController } from './event-display.controller.js';
import { ExampleController } from './example.controller.js';
import type { JobsMail } from './jobs-mail.js';
import { JOBS_MAIL } from './jobs-mail.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import { MailboxController } from './mailbox.controller.js';
import { EmailsController, SendEmailTasks } from './send-email.js';

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
  ],
  providers: [
    {
      provide: JOBS_MAIL,
      inject: [JOBS_OPTIONS],
      useFactory: async ({ mail }: JobsOptions): Promise<JobsMail> =>
        mail.place ? openMail(mail.place) : {},
    },
  ],
})
export class JobsModule extends ConfigurableModuleClass {}
