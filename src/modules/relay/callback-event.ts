/** What a callback says: how a call ended, in short, and where all of it is. */
import { MILLISECOND } from '../../engine/time.js';
import type { CalledBack } from './relay-call.js';
import type { EndedRelay } from './relay-records.js';

export interface CallbackEvent {
  readonly type: 'relay.done' | 'relay.dead' | 'relay.cancelled';
  /** RFC 3339: when the call ended. */
  readonly timestamp: string;
  readonly data: {
    readonly id: string;
    readonly url: string;
    readonly method: string;
    readonly attempts: number;
    /** Of the target's last answer; absent where there was none. */
    readonly status?: number;
    readonly bytes?: number;
    readonly sha256?: string;
    readonly truncated?: boolean;
    readonly reason?: string;
    readonly message?: string;
    /** Where the record of the call is. */
    readonly record: string;
  };
}

/** @param record the address of the call's record */
export function callbackEvent(
  { id, call }: { readonly id: string; readonly call: CalledBack },
  { state, answer, attempts, endedAt, reason, message }: EndedRelay,
  record: string,
): CallbackEvent {
  return {
    type: `relay.${state}`,
    timestamp: new Date(endedAt / MILLISECOND).toISOString(),
    data: {
      id,
      url: call.url,
      method: call.method,
      attempts,
      ...(answer
        ? {
            status: answer.status,
            bytes: answer.bytes,
            sha256: answer.sha256,
            truncated: answer.truncated,
          }
        : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
      record,
    },
  };
}
