/** Provides the dead letters, and parks them anew before they get too old. */
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { Global, Inject, Logger, Module } from '@nestjs/common';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import type { Clock, Timer } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { DAY, MINUTE } from '../../engine/time.js';
import { TaskSeals } from '../auth/task-seals.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { Payloads } from '../payloads/payloads.js';
import { DeadLetters } from './dead-letters.js';
import { Outcomes } from './outcomes.js';
import { TaskSuccession } from './task-succession.js';

/** Not at once: a process that has just started has better things to do. */
const FIRST_RENEWAL: Duration = MINUTE;
const RENEWAL_INTERVAL: Duration = DAY;

@Global()
@Module({
  providers: [
    Outcomes,
    {
      provide: DeadLetters,
      inject: [CLOUD_TASKS, QueueBackend, CLOCK, Payloads, TaskSeals],
      useFactory: (
        api: CloudTasksApi,
        { location }: QueueBackend,
        clock: Clock,
        payloads: Payloads,
        seals: TaskSeals,
      ) => new DeadLetters(api, location, clock, payloads, (task) => seals.check(task)),
    },
    {
      provide: TaskSuccession,
      inject: [CLOUD_TASKS, QueueBackend, Payloads],
      useFactory: (api: CloudTasksApi, backend: QueueBackend, payloads: Payloads) =>
        new TaskSuccession(
          api,
          (id) => backend.queueName(id),
          (headers) => payloads.carryOn(headers),
        ),
    },
  ],
  exports: [DeadLetters, TaskSuccession, Outcomes],
})
export class DeadLettersModule implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Tasks');
  private timer: Timer | undefined;

  constructor(
    private readonly letters: DeadLetters,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.renewAfter(FIRST_RENEWAL);
  }

  onModuleDestroy(): void {
    this.timer?.cancel();
  }

  private renewAfter(wait: Duration): void {
    this.timer = this.clock.after(wait, () => {
      this.renewAfter(RENEWAL_INTERVAL);
      void this.renew();
    });
  }

  /** Never rejects: a worker on Google may lack the permission, and the command does it as well. */
  private async renew(): Promise<void> {
    try {
      let count = 0;
      for await (const { letter, error } of this.letters.renew()) {
        if (error) this.logger.warn(`${letter.name} can't be parked anew. ${error.message}`);
        else count++;
      }
      if (count > 0) this.logger.log(`Parked ${count} dead letter(s) anew, for another 31 days.`);
    } catch (error) {
      this.logger.warn(`Dead letters can't be looked through. ${String(error)}`);
    }
  }
}
