/** Which task a delivery is of, and its how manieth attempt. */
import type { IncomingMessage } from 'node:http';
import type { VerifiedRequest } from '../auth/task-guard.js';
import type { Lineage } from './lineage.js';
import { lineageOf } from './lineage.js';

export interface DeliveredTask {
  /** Its queue's id. */
  readonly queue: string;
  readonly taskId: string;
  readonly lineage: Lineage;
  /** Earlier attempts of this very task. */
  readonly ownRetries: number;
  /** Earlier attempts, those of the tasks before it included. */
  readonly retryCount: number;
  /** HTTP status of the attempt before. */
  readonly previousResponse: number | undefined;
}

/** @returns undefined when the caller is allowed but is no queue */
export function deliveredTask(
  request: Pick<IncomingMessage, 'headersDistinct'>,
  verified: VerifiedRequest,
): DeliveredTask | undefined {
  /** A header that came twice is none. */
  const header = (name: string): string | undefined => {
    const values = request.headersDistinct[`${verified.headers}-${name}`];
    return values?.length === 1 ? values[0] : undefined;
  };
  const queue = header('queuename');
  const taskId = header('taskname');
  if (!queue || !taskId) return undefined;
  const lineage = lineageOf(request, verified);
  const ownRetries = wholeNumber(header('taskretrycount')) ?? 0;
  return {
    queue,
    taskId,
    lineage,
    ownRetries,
    retryCount: ownRetries + lineage.earlierAttempts,
    previousResponse: wholeNumber(header('taskpreviousresponse')),
  };
}

/** A retry count that is none, as it came; undefined for one that is, or that is absent. */
export function oddRetryCount(
  { headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>,
  { headers }: VerifiedRequest,
): string | undefined {
  const values = headersDistinct[`${headers}-taskretrycount`];
  if (!values || (values.length === 1 && wholeNumber(values[0]) !== undefined)) return undefined;
  return values.join(', ');
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
