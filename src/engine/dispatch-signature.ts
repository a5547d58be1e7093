/** What the signature of an App Engine dispatch covers: the transport signs it, the guard checks it. */

/**
 * Holds `v1=` and the lower-case hex HMAC-SHA256 of `signedText`, keyed with the engine's secret
 * (text and secret as UTF-8). Only the engine sets it, and never on a request to an HTTP target.
 */
export const SIGNATURE_HEADER = 'X-Engine-Signature';
export const SIGNATURE_VERSION = 'v1';

/** What tells one dispatch from another, and what handlers decide by. */
const SIGNED_HEADERS = [
  'X-AppEngine-QueueName',
  'X-AppEngine-TaskName',
  'X-AppEngine-TaskRetryCount',
  'X-AppEngine-TaskExecutionCount',
  'X-AppEngine-TaskETA',
] as const;

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they are on the wire: `req.originalUrl` at the handler. */
  readonly relativeUri: string;
  /** The value of the header of this name, whatever the case; an absent one counts as empty. */
  readonly header: (name: string) => string | undefined;
}

/** A line each; HTTP allows no line feed in any of them, so no two dispatches share a text. */
export function signedText({ method, relativeUri, header }: SignedRequest): string {
  const values = SIGNED_HEADERS.map((name) => header(name) ?? '');
  return [SIGNATURE_VERSION, method, relativeUri, ...values].join('\n');
}
