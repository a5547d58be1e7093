/** Puts test doubles of time, queue and stores into an app, in place of whichever it has. */
import type { TestingModuleBuilder } from '@nestjs/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryJournal } from '../adapters/journal-memory.js';
import type { Engine } from '../engine/engine.js';
import type { Clock } from '../engine/ports.js';
import { AppAddress } from '../modules/cloud-tasks/app-address.js';
import { EmbeddedBackend } from '../modules/cloud-tasks/embedded-backend.js';
import { CLOCK, QueueBackend } from '../modules/cloud-tasks/queue-backend.js';
import type { JournalOptions } from '../modules/journal/journal-options.js';
import { JOURNAL, JOURNAL_OPTIONS } from '../modules/journal/journal-options.js';
import { PAYLOAD_SETTINGS } from '../modules/payloads/payload-options.js';
import { TasksSettings } from '../modules/tasks/module-options.js';
import type { AttemptLog } from './attempt-log.js';
import type { MemoryNetwork } from './memory-network.js';
import { APP_URL } from './memory-network.js';
import type { VirtualClock } from './virtual-clock.js';
import { virtualEngine } from './virtual-engine.js';

export interface Doubles {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly log: AttemptLog;
}

export class Overrides {
  private started: Engine | undefined;
  private readonly address = Promise.withResolvers<string>();
  private readonly folders: string[] = [];

  constructor(private readonly doubles: Doubles) {}

  /** By what the library provides, so that nothing in the app has to know. */
  apply(builder: TestingModuleBuilder): void {
    const inject = [TasksSettings];
    builder.overrideProvider(CLOCK).useValue(this.doubles.clock);
    builder.overrideProvider(AppAddress).useValue({ url: () => this.address.promise });
    builder.overrideProvider(QueueBackend).useFactory({
      inject,
      factory: (settings: TasksSettings) => this.backend(settings),
    });
    builder.overrideProvider(JOURNAL).useFactory({
      inject: [JOURNAL_OPTIONS, CLOCK],
      // An app without a store has none here either, or its test would not show what it lacks.
      factory: ({ place }: JournalOptions, clock: Clock) => place && new MemoryJournal(clock),
    });
    builder.overrideProvider(PAYLOAD_SETTINGS).useFactory({
      inject,
      factory: async ({ payloads }: TasksSettings) =>
        payloads && { ...payloads, place: { folder: await this.folder() } },
    });
  }

  /** What runs in the app, once it is compiled; undefined where it has no TasksModule. */
  get engine(): Engine | undefined {
    return this.started;
  }

  /** The app is initialised: a `.delay` that had to wait for its address goes on. */
  listening(): void {
    this.address.resolve(APP_URL);
  }

  async close(): Promise<void> {
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true });
  }

  private backend({ cloudTasks }: TasksSettings): Promise<QueueBackend> {
    return EmbeddedBackend.start({ ...cloudTasks, backend: 'embedded' }, async ({ issuer }) => {
      const { clock, network, log } = this.doubles;
      const running = await virtualEngine(
        { issuer },
        {
          clock,
          network,
          onEvent: (event) => {
            if (event.type === 'attempt') log.ended(event, clock.now());
          },
        },
      );
      this.started = running.engine;
      return running;
    });
  }

  private async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'payloads-'));
    this.folders.push(folder);
    return folder;
  }
}
