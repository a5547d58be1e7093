/** What whoever mounts the outbound policy decides. */
import type { LoopbackCalls, OutboundRule } from '../../outbound/outbound-rule.js';

/** Injects `OutboundOptions`. */
export const OUTBOUND_OPTIONS = Symbol('OUTBOUND_OPTIONS');

export interface OutboundOptions {
  readonly rules: readonly OutboundRule[];
  /** A YAML file of more rules. */
  readonly file?: string;
  /** Default: `refused`. */
  readonly loopback?: LoopbackCalls;
  /** Base addresses of handlers of ours, besides the app's own and the embedded engine's. */
  readonly handlers?: readonly string[];
  /** What our guards take as audience; tokens for these are sent to nobody. */
  readonly ownAudiences?: readonly string[];
}
