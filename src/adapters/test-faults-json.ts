/** Faults as the test API's JSON. */
import { invalidArgument } from '../engine/errors.js';
import { parseQueueName } from '../engine/resource-name.js';
import { DAY } from '../engine/time.js';
import type { Fault } from './test-faults.js';
import type { JsonFields } from './test-json.js';
import { durationText } from './test-json.js';
import { present } from './wire.js';

const MOST_ATTEMPTS = 1_000_000;

/** @throws INVALID_ARGUMENT for what isn't a fault, or is two */
export function readFault(body: JsonFields): Fault {
  body.allow(['count', 'queue', 'delay', 'status', 'retryAfter', 'drop']);
  const fault = present<Fault>({
    count: body.whole('count', 1, MOST_ATTEMPTS) ?? 1,
    queue: body.text('queue'),
    delay: body.duration('delay', DAY),
    status: body.whole('status', 200, 599),
    retryAfter: body.text('retryAfter'),
    drop: body.oneOf('drop', ['request', 'response'] as const),
  });
  const { queue, delay, status, retryAfter, drop } = fault;
  if (queue !== undefined) parseQueueName(queue, 'queue');
  if (status !== undefined && drop !== undefined) {
    throw invalidArgument('A fault has a status or a drop, not both.', 'drop');
  }
  if (status === undefined && drop === undefined && delay === undefined) {
    throw invalidArgument('A fault needs a status, a drop or a delay.', 'status');
  }
  if (retryAfter !== undefined && status === undefined) {
    throw invalidArgument('retryAfter goes with a status.', 'retryAfter');
  }
  return fault;
}

export function faultJson({ delay, ...fault }: Fault): object {
  return { ...fault, ...(delay === undefined ? {} : { delay: durationText(delay) }) };
}
