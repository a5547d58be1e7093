/** The one error that producers and clients see, with the codes of google.rpc. */

export type ErrorCode =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED'
  | 'UNKNOWN';

export interface ErrorOptions {
  /** The request's field that is at fault, as a JSON path: `task.httpRequest.url`. */
  readonly field?: string | undefined;
  readonly cause?: unknown;
  readonly details?: readonly ErrorDetail[];
}

/** One of google.rpc's error details, in its JSON form. */
export type ErrorDetail =
  | {
      readonly '@type': 'type.googleapis.com/google.rpc.Help';
      readonly links: readonly { readonly description: string; readonly url: string }[];
    }
  | {
      readonly '@type': 'type.googleapis.com/google.rpc.ErrorInfo';
      readonly reason: string;
      readonly domain: string;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | {
      readonly '@type': 'type.googleapis.com/google.rpc.LocalizedMessage';
      readonly locale: string;
      readonly message: string;
    };

/**
 * Every failure of a queue or task verb, whichever backend answered.
 *
 * `code` is the name of a google.rpc code; match on it, never on the text.
 */
export class CloudTasksError extends Error {
  override readonly name = 'CloudTasksError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  /** What Google's servers add for people and programs; mostly nothing. */
  readonly details: readonly ErrorDetail[];

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.details = options.details ?? [];
  }
}

export function invalidArgument(message: string, field?: string): CloudTasksError {
  return new CloudTasksError('INVALID_ARGUMENT', message, { field });
}

export function notFound(message: string, field?: string): CloudTasksError {
  return new CloudTasksError('NOT_FOUND', message, { field });
}
