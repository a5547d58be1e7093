/** Which headers a task may be given, and which are this library's own. */
import type { IncomingMessage } from 'node:http';
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';
import { isHeaderName, isHeaderValue, isReserved } from '../../foundation/header-rules.js';

/** How long an attempt may take, in milliseconds; believed only of verified requests. */
export const DEADLINE_HEADER = 'X-Tasks-Deadline';

/** The `maxAttempts` of one task; believed like the deadline. */
export const MAX_ATTEMPTS_HEADER = 'X-Tasks-Max-Attempts';

/** The work that a task is, where its maker has named it; believed like the deadline. */
export const IDEMPOTENCY_HEADER = 'X-Tasks-Idempotency-Key';

/** Whether a request claims to come from a queue. */
export function saysItIsATask({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return 'x-cloudtasks-queuename' in headers || 'x-appengine-queuename' in headers;
}

/** Of a verified request: what its task was created with. */
export function maxAttemptsOf({ headersDistinct }: IncomingMessage): number | undefined {
  const values = headersDistinct[MAX_ATTEMPTS_HEADER.toLowerCase()];
  const [text = ''] = values?.length === 1 ? values : [];
  return /^(?:-1|[1-9]\d{0,8})$/.test(text) ? Number(text) : undefined;
}

/**
 * The `headers` option, by lower-case name, so that levels replace each other's.
 *
 * @throws CloudTasksError INVALID_ARGUMENT
 */
export function readHeaders(headers: unknown): Map<string, string> {
  const read = new Map<string, string>();
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw invalidArgument(`headers: expected an object, got ${typeof headers}.`, 'headers');
  }
  for (const [name, value] of Object.entries(headers as Record<string, unknown>)) {
    if (!isHeaderName(name)) refuse(`'${printable(name)}' is no name of a header.`);
    if (isReserved(name)) refuse(`'${name}' is set by the sender of the task, not by its creator.`);
    if (read.has(name.toLowerCase())) refuse(`'${name}' comes twice.`);
    if (typeof value !== 'string' || !isHeaderValue(value)) {
      refuse(`'${name}': expected visible ASCII without blanks at its ends.`);
    }
    read.set(name.toLowerCase(), value);
  }
  return read;
}

function refuse(message: string): never {
  throw invalidArgument(`headers: ${message}`, 'headers');
}
