/** Refusals as Google's REST servers answer them: one envelope, and details about fields. */
import type { ErrorCode } from '../engine/errors.js';
import { refusal } from '../engine/error-catalogue.js';
import { CloudTasksError } from '../engine/errors.js';

/** google.rpc.BadRequest.FieldViolation. */
export interface Violation {
  /** Path in the request, in snake_case; empty for the request itself. */
  readonly field: string;
  readonly description: string;
}

/** A request that isn't the JSON of its message. */
export class RestRefusal extends CloudTasksError {
  constructor(readonly violations: readonly Violation[]) {
    super('INVALID_ARGUMENT', violations.map(({ description }) => description).join('\n'));
  }
}

export interface RestAnswer {
  readonly status: number;
  readonly text: string;
}

/** Of google.rpc.Code, as google/rpc/code.proto maps it. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNKNOWN: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

/** Like Google's: two spaces, and a line end for those who read it in a terminal. */
export function jsonAnswer(status: number, json: unknown): RestAnswer {
  return { status, text: `${JSON.stringify(json, null, 2)}\n` };
}

/** Whatever went wrong; what isn't the API's own error is a bare INTERNAL. */
export function errorAnswer(thrown: unknown): RestAnswer {
  const error = thrown instanceof CloudTasksError ? thrown : refusal('INTERNAL', {});
  const { code: status, message } = error;
  const code = STATUS[status];
  const violations = violationsOf(error);
  const details: object[] = [...error.details];
  if (violations.length > 0) {
    details.push({
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: violations,
    });
  }
  const answer = { code, message, status, ...(details.length > 0 ? { details } : {}) };
  return jsonAnswer(code, { error: answer });
}

function violationsOf(error: CloudTasksError): readonly Partial<Violation>[] {
  if (error instanceof RestRefusal) {
    return error.violations.map(({ field, description }) =>
      field ? { field, description } : { description },
    );
  }
  const { code, field, message } = error;
  return field !== undefined && code === 'INVALID_ARGUMENT'
    ? [{ field, description: message }]
    : [];
}

/** What a stranger sent, short enough to be quoted. */
export function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200).toWellFormed()}...` : text;
}
