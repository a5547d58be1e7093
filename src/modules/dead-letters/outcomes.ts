/** Tells whoever wants to know what became of each attempt. */
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Instant } from '../../engine/time.js';
import type { DeadReason } from './dead-letter.js';
import type { DeliveredTask } from './delivered-task.js';

/** What was answered, and done besides. */
export type Outcome =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly message: string }
  /** A successor takes its place. */
  | { readonly kind: 'later'; readonly at: Instant; readonly message: string }
  /** The queue tries it again. */
  | { readonly kind: 'again'; readonly message: string };

export interface EndedAttempt {
  readonly task: DeliveredTask;
  /** `EmailTasks.send`; absent where no handler has the path. */
  readonly handler: string | undefined;
  readonly request: IncomingMessage;
  readonly outcome: Outcome;
}

@Injectable()
export class Outcomes {
  private readonly logger = new Logger('Tasks');
  private readonly listeners = new Set<(ended: EndedAttempt) => unknown>();

  /** Called after each attempt, when what is to be done is done, just before the answer. */
  listen(listener: (ended: EndedAttempt) => unknown): void {
    this.listeners.add(listener);
  }

  /** What a listener throws never changes the outcome. */
  tell(ended: EndedAttempt): void {
    for (const listener of this.listeners) {
      try {
        Promise.resolve(listener(ended)).catch((error: unknown) => this.failed(error));
      } catch (error) {
        this.failed(error);
      }
    }
  }

  private failed(error: unknown): void {
    this.logger.error(`A listener to outcomes has failed. ${String(error)}`);
  }
}
