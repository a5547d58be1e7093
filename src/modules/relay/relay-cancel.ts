/** Cancels a relayed call: ends its run, tells whoever is to be called back, and takes its task away. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { ExistingTasks } from '../tasks/calls/existing-tasks.js';
import { Callbacks } from './callbacks.js';
import type { AskedRelay, EndedRelay } from './relay-records.js';
import { RelayRecords } from './relay-records.js';
import { RelayRuns } from './relay-runs.js';
import type { RelayRecord } from './relay-status.js';
import { RelayStatuses, shownEnd } from './relay-status.js';

@Injectable()
export class RelayCancel {
  private readonly logger = new Logger('Relay');

  constructor(
    private readonly statuses: RelayStatuses,
    private readonly runs: RelayRuns,
    private readonly records: RelayRecords,
    private readonly callbacks: Callbacks,
    private readonly existing: ExistingTasks,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Ends a call wherever it is: waiting in its queue, under way here, or under way elsewhere, where it
   * is noticed when the lease is renewed.
   *
   * @throws CloudTasksError NOT_FOUND for a call that never was, or that ended too long ago,
   *   FAILED_PRECONDITION when it has ended already
   */
  async cancel(id: string): Promise<RelayRecord> {
    const { redrive } = await this.statuses.look(id);
    const asked = await this.records.asked(id);
    const ended =
      (await this.runs.cancel(id, redrive)) ?? (await this.endAsCancelled(id, redrive, asked));
    if (ended.state !== 'cancelled') {
      const message = `The call has ended: it is ${ended.state}.`;
      throw new CloudTasksError('FAILED_PRECONDITION', message, { field: 'id' });
    }
    // Also of one that was cancelled before, by a process that may have ended in between.
    if (asked && (await this.isCalledBack(id, redrive, asked, ended))) {
      if (asked.task !== undefined) await this.existing.cancel(asked.task, '');
    }
    return shownEnd(id, ended, false);
  }

  private async endAsCancelled(
    id: string,
    redrive: number,
    asked: AskedRelay | undefined,
  ): Promise<EndedRelay> {
    const started = await this.records.started(id, redrive);
    const cancelled: EndedRelay = {
      state: 'cancelled',
      message: 'It was cancelled.',
      attempts: started?.attempts ?? 0,
      endedAt: this.clock.now(),
      fingerprint: asked?.fingerprint ?? '',
    };
    return this.records.endUnlessEnded(id, redrive, cancelled);
  }

  /** Whether its task, which would be answered from the record, has nothing left to do. */
  private async isCalledBack(
    id: string,
    redrive: number,
    { call }: AskedRelay,
    ended: EndedRelay,
  ): Promise<boolean> {
    try {
      if (call) await this.callbacks.enqueue({ id, redrive, call }, ended);
      return true;
    } catch (error) {
      const what = `${id.slice(0, 12)}: its callback waits until its task is delivered.`;
      this.logger.warn(`${what} ${String(error)}`);
      return false;
    }
  }
}
