/** The HTTP server of the app: how long and how much a caller may ask, before any route is asked. */
import { ExpressAdapter } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { Server } from 'node:http';
import { createServer } from 'node:http';

export interface ServerLimits {
  /** For a whole request to come in. A handler may take as long as it likes to answer. */
  readonly requestTimeout: number;
  readonly headersTimeout: number;
  /** Longer than Google's load balancers keep theirs (600 s), so that they never use a closed one. */
  readonly keepAliveTimeout: number;
  /** How often the first two are looked at. */
  readonly connectionsCheckingInterval: number;
}

/** In milliseconds. */
const LIMITS: ServerLimits = {
  requestTimeout: 60_000,
  headersTimeout: 15_000,
  keepAliveTimeout: 620_000,
  connectionsCheckingInterval: 5_000,
};

const MOST_HEADERS = 100;

/** How often connections that have become idle are ended while the server closes. */
const SWEEP_INTERVAL = 50;

export class AppServer extends ExpressAdapter {
  declare protected httpServer: Server;

  constructor(private readonly limits: Partial<ServerLimits> = {}) {
    super();
    this.disable('x-powered-by');
    // A hash of every answer, which nobody asks for again.
    this.disable('etag');
    this.use(meet);
  }

  override initHttpServer(): void {
    this.httpServer = createServer({ ...LIMITS, ...this.limits }, this.getInstance());
    this.httpServer.maxHeadersCount = MOST_HEADERS;
    this.httpServer.timeout = 0;
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
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  // Node drops the headers beyond the limit without a word: what is left may not be the request.
  if (request.rawHeaders.length >= 2 * MOST_HEADERS) {
    response.status(431).json({
      statusCode: 431,
      code: 'INVALID_ARGUMENT',
      message: `A request must have fewer than ${MOST_HEADERS} headers.`,
    });
    return;
  }
  next();
}
