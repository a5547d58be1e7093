/** Notes how each attempt ended, for those who ask for a task's status later. */
import { Injectable } from '@nestjs/common';
import { taskName } from '../../../engine/resource-name.js';
import type { Duration } from '../../../engine/time.js';
import { HOUR } from '../../../engine/time.js';
import { QueueBackend } from '../../cloud-tasks/queue-backend.js';
import { TASK_AGE } from '../../dead-letters/dead-letter.js';
import type { EndedAttempt, OutcomeKind } from '../../dead-letters/outcomes.js';
import { Outcomes } from '../../dead-letters/outcomes.js';
import { DEFAULT_LEASE, RunsElsewhere } from '../../journal/exclusive-runs.js';
import { OutcomeNotes } from '../../journal/outcome-notes.js';
import { rememberedOutcome } from './handler-runs.js';
import type { OutcomeRecord } from './outcome-records.js';
import { lineageKey, taskKey } from './outcome-records.js';

/** About as long as the name of a finished task stays taken. */
const DEFAULT_TTL: Duration = HOUR;
const LONGEST_REASON = 2000;

/** A successor is an attempt that failed and another one that is to follow. */
const STATES: Readonly<Record<OutcomeKind, OutcomeRecord['state']>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  rescheduled: 'failed',
  'dead-lettered': 'dead-lettered',
};

@Injectable()
export class OutcomeRecorder {
  constructor(
    outcomes: Outcomes,
    private readonly notes: OutcomeNotes,
    private readonly backend: QueueBackend,
  ) {
    if (notes.kept) outcomes.listen((ended) => this.note(ended));
  }

  note({ task, request, verified, kind, error, message }: EndedAttempt): void {
    const { uid, hop, redrive } = task.lineage;
    const known = rememberedOutcome(request);
    const isElsewhere = error instanceof RunsElsewhere;
    const state = isElsewhere ? 'running' : STATES[kind];
    const record: OutcomeRecord = {
      state,
      uid,
      hop,
      redrive,
      attempts: task.retryCount + 1,
      at: verified.clock.now(),
      ...(message === undefined ? {} : { reason: message.slice(0, LONGEST_REASON) }),
      ...(known?.result === undefined ? {} : { result: known.result }),
    };
    const outcome = JSON.stringify(record);
    // Work that another task goes on with is found by what is known of the task before it.
    const goesOn = kind === 'rescheduled' || kind === 'dead-lettered' || hop > 0;
    const lifetime = Math.max(known?.ttl ?? DEFAULT_TTL, goesOn ? TASK_AGE : 0);
    const ttl = isElsewhere ? DEFAULT_LEASE : lifetime;
    const name = taskName(this.backend.queueName(task.queue), task.taskId);
    this.notes.note({ key: taskKey(name), outcome, ttl });
    if (hop > 0) this.notes.note({ key: lineageKey(this.backend.location, uid), outcome, ttl });
  }
}
