/** Delivers a signed webhook by the outbound policy, and says what its answer means. */
import { CloudTasksError } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import { HOUR, MINUTE, SECOND } from '../engine/time.js';
import { retryAfterWait } from '../foundation/retry-after.js';
import { signWebhook } from '../foundation/webhook-signature.js';
import type { OutboundClient } from './outbound-client.js';
import { OutboundError } from './outbound-error.js';
import type { OutboundPolicy, PermittedTarget } from './outbound-policy.js';

export interface Webhook {
  /** The same for each attempt: a receiver tells a repeated one by it. */
  readonly id: string;
  readonly url: string;
  /** The field that the URL is the value of, for errors. Default `url`. */
  readonly field?: string;
  /** A caller's; those of the signature take the place of theirs. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** The current one first. */
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
}

export type WebhookAnswer =
  | { readonly kind: 'delivered'; readonly status: number }
  /** It wants no more of them, this one or others. */
  | { readonly kind: 'gone'; readonly status: number; readonly message: string }
  /** By the outbound rules, or by what they say of the status: no other attempt helps. */
  | { readonly kind: 'refused'; readonly status?: number; readonly message: string }
  | {
      readonly kind: 'again';
      readonly status?: number;
      readonly message: string;
      /** As the receiver asked. */
      readonly after?: Duration;
    };

/** As the specification of Standard Webhooks suggests: about three days in all. */
const PAUSES: readonly Duration[] = [
  ...[5 * SECOND, 5 * MINUTE, 30 * MINUTE],
  ...[2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
];
const DEADLINE: Duration = 30 * SECOND;
const WITH_RETRY_AFTER = new Set([408, 425, 429, 503]);

/**
 * How long to wait before the next attempt: by the schedule, and no less than the receiver asked.
 *
 * @param retries attempts before the one that failed
 * @returns undefined when there is none left
 */
export function webhookPause(retries: number, after: Duration = 0): Duration | undefined {
  const pause = PAUSES[retries];
  return pause === undefined ? undefined : Math.max(pause, after);
}

export class WebhookCalls {
  constructor(
    private readonly policy: OutboundPolicy,
    private readonly client: OutboundClient,
    private readonly clock: Clock,
  ) {}

  /** One attempt, of 30 s at most. Never throws for what somebody else does. */
  async deliver(webhook: Webhook): Promise<WebhookAnswer> {
    try {
      const target = this.policy.permit(webhook.url, webhook.field);
      return await this.send(target, webhook);
    } catch (error) {
      if (error instanceof CloudTasksError) return { kind: 'refused', message: error.message };
      if (!(error instanceof OutboundError)) throw error;
      const message = `The call failed: ${error.message}.`;
      return { kind: error.failure === 'refused' ? 'refused' : 'again', message };
    }
  }

  private async send(target: PermittedTarget, webhook: Webhook): Promise<WebhookAnswer> {
    const { id, headers = {}, body, secrets, signal } = webhook;
    const timestamp = Math.floor(this.clock.now() / SECOND);
    const response = await this.client.call(target, {
      method: 'POST',
      headers,
      own: signWebhook({ id, timestamp, body }, secrets),
      body,
      deadline: DEADLINE,
      signal,
    });
    // Nobody reads what it says.
    response.body.destroy();
    const { status } = response;
    if (status >= 200 && status < 300) return { kind: 'delivered', status };
    const message = `The receiver answered ${status}.`;
    if (status === 410) return { kind: 'gone', status, message };
    const { permanent = [] } = target.rule;
    if (permanent.includes(status)) return { kind: 'refused', status, message };
    // Also 4xx: what is wrong with a receiver today may be mended tomorrow.
    const asked = response.headers['retry-after'];
    const retryAfter = Array.isArray(asked) ? asked[0] : asked;
    const after = WITH_RETRY_AFTER.has(status)
      ? retryAfterWait(retryAfter, this.clock.now())
      : undefined;
    return { kind: 'again', status, message, ...(after === undefined ? {} : { after }) };
  }
}
