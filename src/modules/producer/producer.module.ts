/** Mounts the enqueuing endpoints, and the one that tells what became of a task. */
import type { OnModuleInit } from '@nestjs/common';
import { ConfigurableModuleBuilder, Inject, Module } from '@nestjs/common';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import { ProducerController } from './producer.controller.js';
import { ProducerGuard } from './producer-guard.js';
import type { ProducerOptions } from './producer-options.js';
import { PRODUCER_OPTIONS } from './producer-options.js';
import { TaskStatusController } from './task-status.controller.js';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<ProducerOptions>({
  optionsInjectionToken: PRODUCER_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

@Module({ controllers: [ProducerController, TaskStatusController], providers: [ProducerGuard] })
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
