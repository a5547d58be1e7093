/** Mounts the enqueuing endpoints, and the one that tells what became of a task. */
import type { OnModuleInit } from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Inject, Module } from '@nestjs/common';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import { HandlerRequests } from './handler-requests.js';
import { ProducerAuthenticator } from './producer-authenticator.js';
import { ProducerController } from './producer.controller.js';
import type { ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';
import { TaskStatusController } from './task-status.controller.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<ProducerOptions>({
  optionsInjectionToken: PRODUCER_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

/** Other modules have enqueuing endpoints of their own: `ProducerGuard` and `HandlerRequests`. */
@Global()
@Module({
  controllers: [ProducerController, TaskStatusController],
  providers: [ProducerAuthenticator, HandlerRequests],
  exports: [ProducerAuthenticator, HandlerRequests],
})
export class ProducerModule extends ConfigurableModuleClass implements OnModuleInit {
  constructor(
    @Inject(PRODUCER_OPTIONS) private readonly options: ProducerOptions,
    private readonly backend: QueueBackend,
  ) {
    super();
  }

  async onModuleInit(): Promise<void> {
    await this.backend.ensureQueues([this.options.queue]);
  }
}
