/** What Google's client throws, as the one error that callers know. */
import { CloudTasksError } from '../engine/errors.js';
import { camelCase, fromCode } from './wire.js';

/** The parts of a gRPC error that matter here; the client also throws bare strings. */
interface Thrown {
  readonly code?: unknown;
  readonly message?: unknown;
  /** By gRPC the server's text, where `message` has the code in front of it. By REST a list. */
  readonly details?: unknown;
  /** google.rpc's error details, decoded. */
  readonly statusDetails?: unknown;
}

export function toCloudTasksError(error: unknown): CloudTasksError {
  if (error instanceof CloudTasksError) return error;
  if (typeof error === 'string') return new CloudTasksError('CANCELLED', error);
  const thrown: Thrown = typeof error === 'object' && error ? error : {};
  const isText = typeof thrown.details === 'string' && thrown.details !== '';
  const message = isText ? thrown.details : thrown.message;
  return new CloudTasksError(
    fromCode(thrown.code),
    typeof message === 'string' ? withoutHistory(message) : 'The Cloud Tasks client failed.',
    { field: fieldOf(thrown.statusDetails), cause: error },
  );
}

/** After several tries the client appends every error there was, which `cause` has too. */
function withoutHistory(message: string): string {
  return message.split(' : Previous errors : ', 1)[0] ?? message;
}

/** Of google.rpc.BadRequest, the first field at fault, as a JSON path. */
function fieldOf(details: unknown): string | undefined {
  if (!Array.isArray(details)) return undefined;
  for (const detail of details as { fieldViolations?: { field?: unknown }[] }[]) {
    const field = detail.fieldViolations?.[0]?.field;
    if (typeof field === 'string' && field) return camelCase(field);
  }
  return undefined;
}
