/** Opens the journal with the app, forgets in time, and closes it after the last handler. */
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Inject, Logger, Module } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import { openJournal } from '../../host/open-journal.js';
import type { Journal } from '../../foundation/journal.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { ExclusiveRuns } from './exclusive-runs.js';
import { IdempotencyKeys } from './idempotency-keys.js';
import type { JournalOptions } from './journal-options.js';
import { JOURNAL, JOURNAL_OPTIONS } from './journal-options.js';
import { OutcomeNotes } from './outcome-notes.js';

/** Of no meaning to anybody, as expired entries aren't read, so it isn't the Clock's. */
const EXPIRY_PAUSE_MS = 60_000;
const MOST_STEPS = 1000;
/** The journal deletes no more in one step. */
const WHOLE_STEP = 1000;

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<JournalOptions>({
  optionsInjectionToken: JOURNAL_OPTIONS,
})
  .setClassMethodName('forRoot')
  .build();

@Global()
@Module({
  providers: [
    {
      provide: JOURNAL,
      // After the backend: a start that it refuses leaves no file.
      inject: [JOURNAL_OPTIONS, CLOCK, QueueBackend],
      // Nest takes undefined for a provider that isn't there.
      useFactory: ({ place }: JournalOptions, clock: Clock): Promise<Journal> | null =>
        place ? openJournal(place, clock) : null,
    },
    ExclusiveRuns,
    IdempotencyKeys,
    OutcomeNotes,
  ],
  exports: [JOURNAL, ExclusiveRuns, IdempotencyKeys, OutcomeNotes],
})
export class JournalModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationShutdown
{
  private readonly logger = new Logger('Journal');
  private timer: NodeJS.Timeout | undefined;
  private expiring: Promise<void> | undefined;
  private closed = false;

  constructor(
    @Inject(JOURNAL) private readonly journal: Journal | null,
    private readonly notes: OutcomeNotes,
  ) {
    super();
  }

  onModuleInit(): void {
    if (this.journal) this.expireLater(this.journal);
  }

  /** By now Nest has closed the HTTP server, so no handler runs any more. */
  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.expiring;
    await this.notes.flush();
    await this.journal?.close();
  }

  private expireLater(journal: Journal): void {
    this.timer = setTimeout(() => {
      this.expiring = this.expire(journal).finally(() => {
        if (!this.closed) this.expireLater(journal);
      });
    }, EXPIRY_PAUSE_MS).unref();
  }

  private async expire(journal: Journal): Promise<void> {
    try {
      for (let step = 0; step < MOST_STEPS && !this.closed; step++) {
        if ((await journal.expire()) < WHOLE_STEP) return;
      }
    } catch (error) {
      this.logger.warn(`Expired entries stay for now. ${String(error)}`);
    }
  }
}
