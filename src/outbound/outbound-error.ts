/** How a call that the policy permits can fail. */

export type OutboundFailure =
  /** Its name leads to an address that may not be called. Another attempt won't help. */
  | 'refused'
  /** No connection came about: nothing was sent. */
  | 'unreachable'
  /** The connection ended, or what came over it is no HTTP. */
  | 'broken'
  /** The body came in more slowly than 64 bytes a second. */
  | 'too-slow'
  /** Not done in time. */
  | 'deadline'
  /** `signal` was aborted. */
  | 'aborted';

export class OutboundError extends Error {
  override readonly name = 'OutboundError';

  /**
   * @param sent whether the server may have seen the request, and acted on it
   * @param code of the system, of DNS or of undici: `ECONNREFUSED`
   */
  constructor(
    readonly failure: OutboundFailure,
    readonly sent: boolean,
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', "the server's certificate has expired"],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', "the server's certificate is signed by itself"],
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
  ['EHOSTUNREACH', 'host unreachable'],
  ['EMFILE', 'too many open files, see ulimit -n'],
  ['ENETUNREACH', 'network unreachable'],
  ['ENODATA', 'the name of the host has no address'],
  ['ENOTFOUND', 'host not found'],
  ['EPIPE', 'connection reset'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "the server's certificate is for another name"],
  ['ESERVFAIL', "the name of the host can't be looked up now"],
  ['ETIMEOUT', "the name of the host can't be looked up now"],
  ['ETIMEDOUT', 'no connection in time'],
  ['HTTPParserError', 'the answer is not valid HTTP'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['UND_ERR_DESTROYED', 'calls are being ended'],
  ['UND_ERR_HEADERS_OVERFLOW', 'the head of the answer is larger than 16 KB'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'the answer is not valid HTTP'],
  ['UND_ERR_SOCKET', 'connection closed before the answer was complete'],
]);

/** From the code alone: a message may quote the request, and so a token. */
export function failureOf(error: unknown, sent: boolean): OutboundError {
  if (error instanceof OutboundError) return error;
  const code = codeOf(error);
  const reason = REASONS.get(code) ?? (sent ? 'the call failed' : 'no connection');
  return new OutboundError(sent ? 'broken' : 'unreachable', sent, `${reason} (${code})`, code);
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return typeof error;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'error';
}
