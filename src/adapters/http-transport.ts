/** Sends attempts over HTTP: one dispatch is one request, of whose answer only the head is kept. */
import { createHmac } from 'node:crypto';
import type { buildConnector, Dispatcher } from 'undici';
import { Agent } from 'undici';
import { SIGNATURE_HEADER, SIGNATURE_VERSION, signedText } from '../engine/dispatch-signature.js';
import { invalidArgument } from '../engine/errors.js';
import type {
  Dispatch,
  DispatchResult,
  DispatchTarget,
  NotSent,
  Transport,
} from '../engine/ports.js';
import type { ReceivedResponse } from './http-exchange.js';
import { Exchange, GIVEN_UP } from './http-exchange.js';

/** How long a body may pause before its connection is dropped. */
const DRAIN_PAUSE_MS = 30_000;

/** How long to wait for a connection; every attempt's own deadline is longer. */
const CONNECT_LIMIT_MS = 10_000;

/**
 * A socket idle for longer is not used again, unless its server promises more in `Keep-Alive`.
 * Shorter than the idle limit of common servers (the shortest known is 2 s), so that a request
 * seldom meets a server that is just closing.
 */
const IDLE_LIMIT_MS = 1_000;
const PROMISED_IDLE_LIMIT_MS = 30_000;

/** These describe one connection, not the task (RFC 9110, 7.6.1), or are ours alone to set. */
const NOT_THE_TASKS = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  SIGNATURE_HEADER.toLowerCase(),
]);

export interface HttpTransportOptions {
  /** Signs App Engine dispatches. */
  readonly secret: string;
  /** Opens every connection, in place of one over the network. */
  readonly connect?: buildConnector.connector;
}

/**
 * The engine's `Transport`, on undici.
 *
 * A dispatch goes out once at most. A kept-alive socket that its server has closed is seen before
 * anything is written, and the request takes a fresh one. But when a server resets a connection
 * that the request was already written to, nobody can tell whether a handler ran: that is a
 * no-response, which the queue tries again with its retry count, never a silent second request.
 *
 * Deadlines are the engine's alone: a silent handler is waited for until `signal` aborts, and as
 * many connections are opened as there are dispatches in flight.
 */
export class HttpTransport implements Transport {
  private readonly secret: string;
  /** Told of every response, before its `send` resolves. Without it no body is kept. */
  onResponse: ((dispatch: Dispatch, response: ReceivedResponse) => void) | undefined;
  private appEngineHosts: ReadonlyMap<string, string> = new Map();
  private readonly agent: Agent;

  constructor({ secret, connect }: HttpTransportOptions) {
    this.secret = secret;
    this.agent = new Agent({
      // One protocol: production speaks HTTP/1.1 to handlers, and undici would multiplex HTTP/2.
      allowH2: false,
      connectTimeout: CONNECT_LIMIT_MS,
      headersTimeout: 0,
      bodyTimeout: DRAIN_PAUSE_MS,
      keepAliveTimeout: IDLE_LIMIT_MS,
      keepAliveMaxTimeout: PROMISED_IDLE_LIMIT_MS,
      ...(connect ? { connect } : {}),
    });
  }

  /**
   * Says where App Engine services are. A service that isn't named is at `default`'s address, as
   * production sends what it doesn't know to the default service; versions and instances are not
   * told apart here.
   *
   * @param hosts base address by service, for example `http://127.0.0.1:8080`.
   * @throws INVALID_ARGUMENT, naming the service whose address has a path or isn't http(s).
   */
  setAppEngineHosts(hosts: Readonly<Record<string, string>>): void {
    this.appEngineHosts = new Map(
      Object.entries(hosts).map(([service, address]) => [service, originOf(service, address)]),
    );
  }

  send(dispatch: Dispatch, signal: AbortSignal): Promise<DispatchResult | NotSent> {
    const url = this.locate(dispatch.target);
    if (typeof url === 'string') return Promise.resolve({ kind: 'no-response', reason: url });
    if (signal.aborted) return Promise.resolve(GIVEN_UP);
    return new Promise((resolve) => {
      const path = url.pathname + url.search;
      const request: Dispatcher.DispatchOptions = {
        origin: url.origin,
        path,
        method: dispatch.method,
        headers: this.headers(dispatch, path),
        body: dispatch.body ?? null,
      };
      const onResponse = this.onResponse?.bind(undefined, dispatch);
      this.agent.dispatch(request, new Exchange(signal, resolve, onResponse));
    });
  }

  /** Ends every connection; what was in flight is a no-response. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Where the dispatch goes, or why there is no such place. */
  private locate(target: DispatchTarget): URL | string {
    if (target.kind === 'http') return URL.parse(target.url) ?? 'not a URL';
    const { service, relativeUri } = target;
    const origin = this.appEngineHosts.get(service) ?? this.appEngineHosts.get('default');
    if (origin === undefined) return `no address for App Engine service '${service || 'default'}'`;
    // The slash keeps what follows out of the authority: `@evil.example` would be a host there.
    if (!relativeUri.startsWith('/')) return "relativeUri doesn't start with '/'";
    return URL.parse(origin + relativeUri) ?? 'relativeUri is not a path';
  }

  /** Names and values by turns, as undici takes them; it adds Host, Connection, Content-Length. */
  private headers(dispatch: Dispatch, path: string): string[] {
    const pairs: string[] = [];
    for (const [name, value] of Object.entries(dispatch.headers)) {
      if (!NOT_THE_TASKS.has(name.toLowerCase())) pairs.push(name, asBytes(value));
    }
    if (dispatch.target.kind === 'app-engine') {
      const text = signedText({
        method: dispatch.method,
        relativeUri: path,
        header: (name) => dispatch.headers[name],
      });
      const mac = createHmac('sha256', this.secret).update(text).digest('hex');
      pairs.push(SIGNATURE_HEADER, `${SIGNATURE_VERSION}=${mac}`);
    }
    return pairs;
  }
}

function originOf(service: string, address: string): string {
  const url = URL.parse(address);
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.hash) {
    const field = `appEngineHosts.${service}`;
    const got = url ? `${url.protocol}//${url.host}${url.pathname}` : address;
    throw invalidArgument(
      `${field} must be an address like http://127.0.0.1:8080, without a path, got '${got}'.`,
      field,
    );
  }
  return url.origin;
}

/** The API's strings are UTF-8, and so are their bytes in a header; undici writes a byte a unit. */
function asBytes(value: string): string {
  return /[^\0-\x7f]/.test(value) ? Buffer.from(value).toString('latin1') : value;
}
