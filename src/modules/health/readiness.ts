/** Knows whether this process should be sent work. */
import { Inject, Injectable } from '@nestjs/common';
import type { CloudTasksApi } from '../../engine/cloud-tasks-api.js';
import type { Clock } from '../../engine/ports.js';
import { SECOND } from '../../engine/time.js';
import { CLOCK, CLOUD_TASKS, QueueBackend } from '../cloud-tasks/queue-backend.js';

/** A healthy engine answers within a millisecond. */
const PATIENCE = SECOND;

@Injectable()
export class Readiness {
  private draining = false;
  private asking: Promise<string | undefined> | undefined;

  constructor(
    @Inject(CLOUD_TASKS) private readonly api: CloudTasksApi,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly backend: QueueBackend,
  ) {}

  /** From now on this process wants no new work. */
  drain(): void {
    this.draining = true;
  }

  /** @returns why this process is not ready; undefined when it is */
  async obstacle(): Promise<string | undefined> {
    if (this.draining) return 'This process is shutting down.';
    // Google's outage is no reason to take our own processes away.
    if (this.backend.kind === 'google') return undefined;
    // However many ask, the engine is asked once at a time.
    this.asking ??= this.askEngine().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askEngine(): Promise<string | undefined> {
    const silence = Promise.withResolvers<string>();
    const timer = this.clock.after(PATIENCE, () => silence.resolve('The engine does not answer.'));
    const answer = this.api.listQueues({ parent: this.backend.location, pageSize: 1 }).then(
      () => undefined,
      () => 'The engine fails.',
    );
    try {
      return await Promise.race([answer, silence.promise]);
    } finally {
      timer.cancel();
    }
  }
}
