/** Tells whoever wants to know what became of each attempt. */
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VerifiedRequest } from '../auth/task-guard.js';
import type { DeliveredTask } from './delivered-task.js';

/**
 * `succeeded`; `failed`, so that the queue tries again; `rescheduled`, a successor takes its place;
 * `dead-lettered`, nobody tries again unless it is redriven.
 */
export type OutcomeKind = 'succeeded' | 'failed' | 'rescheduled' | 'dead-lettered';

export interface EndedAttempt {
  readonly task: DeliveredTask;
  /** `EmailTasks.send`; absent where no handler has the path. */
  readonly handler: string | undefined;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly verified: VerifiedRequest;
  readonly kind: OutcomeKind;
  /** What was thrown; undefined where it succeeded, or nothing was. */
  readonly error: unknown;
  /** Why it failed, in words. */
  readonly message: string | undefined;
}

type Listener = (ended: EndedAttempt) => void | Promise<void>;

@Injectable()
export class Outcomes {
  private readonly logger = new Logger('Tasks');
  private readonly listeners = new Set<Listener>();

  /** Called after each attempt, when what is to be done is done, before the answer. */
  listen(listener: Listener): void {
    this.listeners.add(listener);
  }

  /** Never rejects: what a listener throws changes no outcome. */
  async tell(ended: EndedAttempt): Promise<void> {
    for (const listener of this.listeners) {
      try {
        await listener(ended);
      } catch (error) {
        this.logger.error(`A listener to outcomes has failed. ${String(error)}`);
      }
    }
  }

  /** Whether anybody would be told. */
  get heard(): boolean {
    return this.listeners.size > 0;
  }
}
