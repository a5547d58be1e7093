/** What whoever mounts the producer decides. */
import type { ExternalPolicy } from './external-origins.js';

/** Injects `ProducerOptions`. */
export const PRODUCER_OPTIONS = Symbol('PRODUCER_OPTIONS');

export interface ProducerOptions {
  /** Id of the queue of tasks that name none; made at start when the backend is embedded. */
  readonly queue: string;
  readonly external: ExternalPolicy;
  /** Base addresses of handlers of ours, besides the app's own and the embedded engine's. */
  readonly handlers: readonly string[];
}
