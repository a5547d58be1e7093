/**
 * The engine's one port: small JSON documents over HTTP, nothing for strangers.
 *
 * REST comes in by `serveRest`, which is asked before a path counts as unknown; gRPC by `serveHttp2`.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { CloudTasksError } from '../engine/errors.js';
import type { Duration } from '../engine/time.js';
import { MILLISECOND, SECOND } from '../engine/time.js';
import { reachable } from '../foundation/loopback.js';
import { Callers } from './engine-callers.js';
import type { SharedPort } from './engine-http2.js';
import { shareWithHttp2 } from './engine-http2.js';

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
};
const MOST_HEADERS = 100;

const CLOSE_LIMIT: Duration = 2 * SECOND;

const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export interface Answer {
  readonly status: number;
  readonly json: object;
}

/** What answers requests by more than an exact path; undefined when it doesn't know the path. */
export type Rest = (request: IncomingMessage) => Promise<TextAnswer | undefined>;

export interface TextAnswer {
  readonly status: number;
  /** JSON, written already. */
  readonly text: string;
}

/** What answers a method and an exact path, by `'GET /healthz'`; a GET answers HEAD too. */
export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>;

export interface EngineServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Told why a route failed; its caller gets a bare 500. */
  readonly onError: (error: unknown) => void;
}

export class EngineServer {
  /** By path, then by method. Without routes yet, all is answered 503. */
  private routes: Map<string, Map<string, Routes[string]>> | undefined;

  private rest: Rest = () => Promise.resolve(undefined);

  /** `http://127.0.0.1:8123`, with the port that was really taken. */
  readonly url: string;
  private readonly callers: Callers;
  private underWay = 0;
  private shared: SharedPort | undefined;

  private constructor(
    private readonly http: Server,
    private readonly options: EngineServerOptions,
  ) {
    const { address, port } = http.address() as AddressInfo;
    this.url = `http://${reachable(options.host)}:${port}`;
    this.callers = new Callers({ host: options.host, address });
    http.on('error', options.onError);
    http.on('request', (request, response) => {
      this.underWay++;
      response.once('close', () => {
        this.underWay--;
        this.endWhenIdle();
      });
      void this.respond(request, response);
    });
  }

  /**
   * Takes the port. Apart from `serve`, since what is served may depend on the port.
   *
   * @throws FAILED_PRECONDITION with one line: what is wrong with the port, and how to mend it.
   */
  static async listen(options: EngineServerOptions): Promise<EngineServer> {
    const http = createServer(LIMITS);
    http.maxHeadersCount = MOST_HEADERS;
    await new Promise<void>((resolve, reject) => {
      http.once('error', (error) => reject(refusal(options, error)));
      http.listen(options.port, options.host, resolve);
    });
    http.removeAllListeners('error');
    return new EngineServer(http, options);
  }

  serve(routes: Routes): void {
    const byPath = new Map<string, Map<string, Routes[string]>>();
    for (const [key, route] of Object.entries(routes)) {
      const [method = '', path = ''] = key.split(' ');
      const methods = byPath.get(path) ?? new Map<string, Routes[string]>();
      methods.set(method, route);
      if (method === 'GET') methods.set('HEAD', route);
      byPath.set(path, methods);
    }
    this.routes = byPath;
  }

  serveRest(rest: Rest): void {
    this.rest = rest;
  }

  /** Lets `serve` have the connections that open as HTTP/2; who serves them also ends them. */
  serveHttp2(serve: (socket: Socket) => void): void {
    this.shared = shareWithHttp2(this.http, serve);
  }

  /** Takes no new connection, ends idle ones, and waits `limit` (default 2 s) for answers. */
  async close(limit = CLOSE_LIMIT): Promise<void> {
    const cut = setTimeout(() => this.http.closeAllConnections(), limit / MILLISECOND);
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.endWhenIdle();
    await closed;
    clearTimeout(cut);
  }

  /** Node itself would wait for connections that have not asked for anything yet. */
  private endWhenIdle(): void {
    if (this.http.listening || this.underWay > 0) return;
    this.http.closeAllConnections();
    this.shared?.dropUndecided();
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { allow, ...answer } = await this.answer(request);
    const body = 'text' in answer ? answer.text : JSON.stringify(answer.json);
    response.writeHead(answer.status, {
      ...HEADERS,
      'Content-Length': Buffer.byteLength(body),
      ...(allow === undefined ? {} : { Allow: allow }),
      ...(this.http.listening ? {} : { Connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  private async answer(
    request: IncomingMessage,
  ): Promise<(Answer | TextAnswer) & { allow?: string }> {
    if (!this.callers.address(request)) {
      return failure(403, 'PERMISSION_DENIED', `This engine is called ${this.url}.`);
    }
    if (this.callers.isForeignPage(request)) {
      return failure(403, 'PERMISSION_DENIED', 'This engine is not for pages of other sites.');
    }
    if (!this.routes) return failure(503, 'UNAVAILABLE', 'The engine is starting.');
    // Node drops the headers beyond the limit without a word: what is left may not be the request.
    if (request.rawHeaders.length >= 2 * MOST_HEADERS) {
      return failure(431, 'INVALID_ARGUMENT', `Send fewer than ${MOST_HEADERS} headers.`);
    }
    const { method = '', url = '' } = request;
    const [path = ''] = url.split('?', 1);
    const methods = this.routes.get(path);
    const route = methods?.get(method);
    if (methods && !route) {
      const allow = [...methods.keys()].join(', ');
      return { ...failure(405, 'UNIMPLEMENTED', `This path allows ${allow}.`), allow };
    }
    try {
      const answer = route ? await route() : await this.rest(request);
      return answer ?? failure(404, 'NOT_FOUND', 'Nothing is served at this path.');
    } catch (error) {
      this.options.onError(error);
      return failure(500, 'INTERNAL', 'Internal error.');
    }
  }
}

function failure(code: number, status: string, message: string): Answer {
  return { status: code, json: { error: { code, message, status } } };
}

function refusal({ host, port }: EngineServerOptions, error: NodeJS.ErrnoException): Error {
  const message = () => {
    switch (error.code) {
      case 'EADDRINUSE':
        return `port ${port} on ${host} is in use: stop what listens there, or choose another by ENGINE_PORT`;
      case 'EACCES':
        return `port ${port} on ${host} is not this user's to take: choose one above 1023 by ENGINE_PORT`;
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        return `${host} is not an address of this machine: choose another by ENGINE_HOST`;
      default:
        return `can't listen on port ${port} of ${host} (${error.code ?? error.message}): check ENGINE_HOST and ENGINE_PORT`;
    }
  };
  return new CloudTasksError('FAILED_PRECONDITION', message(), { cause: error });
}
