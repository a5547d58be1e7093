/** Starts the queue backend with the app, lets it dispatch when the app listens, drains it last. */
import type {
  BeforeApplicationShutdown,
  OnApplicationShutdown,
  OnModuleDestroy,
  OnModuleInit,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Logger, Module } from '@nestjs/common';
import { SECOND } from '../../engine/time.js';
import { Calendar } from '../../host/cron.js';
import { SystemClock } from '../../host/system-clock.js';
import { AppAddress } from './app-address.js';
import type { CloudTasksOptions } from './cloud-tasks-options.js';
import { EmbeddedBackend } from './embedded-backend.js';
import { GoogleBackend } from './google-backend.js';
import type { TaskSeal } from './queue-backend.js';
import { CLOCK, CLOUD_TASKS, CRON, QueueBackend, sealing, TASK_SEAL } from './queue-backend.js';

/** Handlers in flight get this long at shutdown; platforms kill a process soon after 10 s. */
const DRAIN_LIMIT = 8 * SECOND;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<CloudTasksOptions>().setClassMethodName('forRoot').build();

@Global()
@Module({
  providers: [
    AppAddress,
    { provide: CLOCK, useClass: SystemClock },
    { provide: CRON, useClass: Calendar },
    {
      provide: QueueBackend,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: CloudTasksOptions): Promise<QueueBackend> =>
        options.backend === 'google'
          ? GoogleBackend.connect(options)
          : EmbeddedBackend.start(options),
    },
    {
      provide: CLOUD_TASKS,
      inject: [QueueBackend, { token: TASK_SEAL, optional: true }],
      useFactory: ({ api }: QueueBackend, seal?: TaskSeal) => (seal ? sealing(api, seal) : api),
    },
  ],
  exports: [AppAddress, CLOCK, CLOUD_TASKS, CRON, QueueBackend],
})
export class CloudTasksModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('Tasks');
  private draining: Promise<void> | undefined;

  constructor(
    private readonly backend: QueueBackend,
    private readonly address: AppAddress,
  ) {
    super();
  }

  onModuleInit(): void {
    this.address.url().then(
      (url) => this.dispatch(url),
      (error: unknown) => this.logger.debug(`Nothing is dispatched here. ${String(error)}`),
    );
  }

  /** Begins with the first step of the shutdown: the sooner, the less is cut off. */
  onModuleDestroy(): void {
    this.draining ??= this.backend
      .drain(DRAIN_LIMIT)
      .catch((error: unknown) => this.logger.error(`Draining failed. ${String(error)}`));
  }

  /** Before Nest closes its HTTP server, which the handlers in flight still answer through. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.draining;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.backend.close();
  }

  private async dispatch(url: string): Promise<void> {
    if (this.draining) return;
    try {
      await this.backend.dispatch(url);
    } catch (error) {
      this.logger.error(`The backend can't dispatch. ${String(error)}`);
    }
  }
}
