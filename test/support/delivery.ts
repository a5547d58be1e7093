/** Delivers a task to the app by hand, signed as its engine signs, so that a test sees the answer. */
import { createHmac } from 'node:crypto';
import { SIGNATURE_HEADER, signedText } from '../../src/engine/dispatch-signature.js';
import { UID_HEADER } from '../../src/modules/dead-letters/lineage.js';
import type { Answer, TestApp } from './test-app.js';

/** To be given to the app as `ENGINE_SECRET`. */
export const DELIVERY_SECRET = 'secret-of-the-engine-of-this-test-0123456789';

export interface Delivery {
  readonly path: string;
  readonly body: object | string | Uint8Array;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Of the work that it is about. Default: the task is work of its own. */
  readonly uid?: string;
  /** Default `default`. */
  readonly queue?: string;
  /** Default: another each time. */
  readonly taskId?: string;
  readonly retryCount?: number;
}

let count = 0;

export function deliver(app: TestApp, delivery: Delivery): Promise<Answer> {
  const { path, body, uid, queue = 'default', taskId = `delivered-${count++}` } = delivery;
  const headers: Record<string, string> = {
    'content-type': delivery.contentType ?? 'application/json',
    'X-AppEngine-QueueName': queue,
    'X-AppEngine-TaskName': taskId,
    'X-AppEngine-TaskRetryCount': String(delivery.retryCount ?? 0),
    'X-AppEngine-TaskExecutionCount': '0',
    'X-AppEngine-TaskETA': '1700000000.0',
    ...(uid === undefined ? {} : { [UID_HEADER]: uid }),
  };
  const text = signedText({ method: 'POST', relativeUri: path, header: (name) => headers[name] });
  const mac = createHmac('sha256', DELIVERY_SECRET).update(text).digest('hex');
  headers[SIGNATURE_HEADER] = `v1=${mac}`;
  return app.send('POST', path, body, headers);
}
