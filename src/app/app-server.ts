/** The HTTP server of the app: how long and how much a caller may ask, before any route is asked. */
import { ExpressAdapter } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../foundation/loopback.js';
import { endUnread } from './unread-answers.js';

/** Times in milliseconds. */
export interface ServerLimits {
  /** For a whole request to come in. A handler may take as long as it likes to answer. */
  readonly requestTimeout: number;
  readonly headersTimeout: number;
  /** How often the first two are looked at, and how far behind an unread answer is. */
  readonly connectionsCheckingInterval: number;
  /** How long a connection may ask nothing. Default: by where the server listens. */
  readonly keepAliveTimeout?: number;
  /** How long an answer may wait for its caller to take in any more of it. */
  readonly unreadTimeout: number;
  /** Of the request line and all headers, in bytes. */
  readonly maxHeaderSize: number;
}

const LIMITS: ServerLimits = {
  requestTimeout: 60_000,
  headersTimeout: 15_000,
  connectionsCheckingInterval: 5_000,
  unreadTimeout: 60_000,
  maxHeaderSize: 16 * 1024,
};

/**
 * Google's load balancers keep theirs for 600 s, and must never use one that has just been closed.
 * On loopback there is none.
 */
const KEEP_ALIVE = { elsewhere: 620_000, onLoopback: 5_000 };

const MOST_HEADERS = 100;

/** For everything that a browser can be made to open; a page of ours says of its own what it may. */
const HEADERS = Object.entries({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
});

/** How often connections that have become idle are ended while the server closes. */
const SWEEP_INTERVAL = 50;

export class AppServer extends ExpressAdapter {
  declare protected httpServer: Server;
  private readonly limits: ServerLimits;

  constructor(limits: Partial<ServerLimits> = {}) {
    super();
    this.limits = { ...LIMITS, ...limits };
    this.disable('x-powered-by');
    // A hash of every answer, which nobody asks for again.
    this.disable('etag');
    this.use(meet);
  }

  override initHttpServer(): void {
    const { keepAliveTimeout, unreadTimeout, connectionsCheckingInterval } = this.limits;
    const server = createServer(this.limits, this.getInstance<RequestListener>());
    server.maxHeadersCount = MOST_HEADERS;
    // Any other value would cut an answer that is long in coming.
    server.timeout = 0;
    server.on('listening', () => {
      const { address } = server.address() as AddressInfo;
      const byAddress = isLoopback(address) ? KEEP_ALIVE.onLoopback : KEEP_ALIVE.elsewhere;
      server.keepAliveTimeout = keepAliveTimeout ?? byAddress;
    });
    endUnread(server, unreadTimeout, connectionsCheckingInterval);
    this.httpServer = server;
  }

  /** Waits for the answers under way, not for callers who would keep their connection. */
  override async close(): Promise<void> {
    const sweep = setInterval(() => this.httpServer.closeIdleConnections(), SWEEP_INTERVAL);
    try {
      await super.close();
    } finally {
      clearInterval(sweep);
    }
  }
}

function meet(request: Request, response: Response, next: NextFunction): void {
  for (const [name, value] of HEADERS) response.setHeader(name, value);
  const refused = refusal(request);
  if (!refused) {
    next();
    return;
  }
  const [statusCode, message] = refused;
  // What else comes on this connection may be no request at all.
  response.setHeader('Connection', 'close');
  response.status(statusCode).json({ statusCode, code: 'INVALID_ARGUMENT', message });
}

/** What makes a request one that whoever stands before this server may have read as another. */
function refusal({ rawHeaders, headersDistinct, url }: Request): [number, string] | undefined {
  // Node drops the headers beyond the limit without a word: what is left may not be the request.
  if (rawHeaders.length >= 2 * MOST_HEADERS) {
    return [431, `A request must have fewer than ${MOST_HEADERS} headers.`];
  }
  if ((headersDistinct['host'] ?? []).length > 1) return [400, 'A request must have one Host.'];
  // Not `http://host/path`, which names a host besides that of the header, nor `*`.
  if (!url.startsWith('/')) return [400, 'A request must name a path.'];
  return undefined;
}
