/** One request of a dispatch and its response: of that only the head decides, and the body is let go. */
import type { Dispatcher } from 'undici';
import type { DispatchResult, NotSent } from '../engine/ports.js';

/** How much of a response's body is read before its connection is worth less than the wait. */
const DRAIN_LIMIT_BYTES = 256 * 1024;

export interface ReceivedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As far as it was read. */
  readonly body: Uint8Array;
}

export const GIVEN_UP: DispatchResult = { kind: 'no-response', reason: 'given up by the engine' };

/** One request and its response. Its result stands once the head has come, whatever follows. */
export class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private head: DispatchResult | undefined;
  private received = 0;
  private readonly chunks: Buffer[] = [];
  private headers: ReceivedResponse['headers'] = {};

  constructor(
    private readonly signal: AbortSignal,
    private readonly resolve: (result: DispatchResult | NotSent) => void,
    private readonly onResponse: ((response: ReceivedResponse) => void) | undefined,
  ) {
    signal.addEventListener('abort', this.abort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // It waited for a connection until now, and is not written when it ends here.
    if (this.signal.aborted) controller.abort(ENDED);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return; // Only announces the response.
    this.headers = headers;
    const [retryAfter] = [headers['retry-after']].flat();
    this.head = { kind: 'response', status, ...(retryAfter === undefined ? {} : { retryAfter }) };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.received += chunk.length;
    if (this.onResponse) this.chunks.push(chunk);
    if (this.received > DRAIN_LIMIT_BYTES) controller.abort(ENDED);
  }

  onResponseEnd(): void {
    if (this.head) this.settle(this.head);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const kind = OUR_LACK.has(codeOf(error)) ? 'not-sent' : 'no-response';
    this.settle({ kind, reason: reasonOf(error) });
  }

  private readonly abort = (): void => {
    this.settle(GIVEN_UP);
    this.controller?.abort(ENDED);
  };

  private settle(withoutHead: DispatchResult | NotSent): void {
    this.signal.removeEventListener('abort', this.abort);
    if (this.head?.kind === 'response') {
      const { status } = this.head;
      this.onResponse?.({ status, headers: this.headers, body: Buffer.concat(this.chunks) });
    }
    this.resolve(this.head ?? withoutHead);
  }
}

/** Why we end a connection; seen by nobody, since the result is decided then. */
const ENDED = new Error('ended');

const REASONS: ReadonlyMap<string, string> = new Map([
  ['EAI_AGAIN', "the host's name can't be looked up now"],
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
  ['EHOSTUNREACH', 'host unreachable'],
  ['EMFILE', 'too many open files, see ulimit -n'],
  ['ENETUNREACH', 'network unreachable'],
  ['ENOTFOUND', 'host not found'],
  ['EPIPE', 'connection reset'],
  ['HTTPParserError', 'the response is not valid HTTP'],
  ['ETIMEDOUT', 'no connection in time'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['UND_ERR_DESTROYED', 'the engine is closing'],
  ['UND_ERR_HEADERS_OVERFLOW', 'the head of the response is too large'],
  ['UND_ERR_INVALID_ARG', 'a header or the URL is not valid in HTTP'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'the response is not valid HTTP'],
  ['UND_ERR_SOCKET', 'connection closed before a valid response'],
]);

/** Found before anything is sent: this machine has no socket to give. */
const OUR_LACK: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

/** From the code alone: a message may quote the request, and so a token. */
function reasonOf(error: Error): string {
  const code = codeOf(error);
  return `${REASONS.get(code) ?? 'request failed'} (${code})`;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
