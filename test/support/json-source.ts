/** A real HTTP server of JSON entities, with the ETags, statuses and pauses that a test gives it. */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class JsonSource {
  readonly requests: IncomingMessage[] = [];
  /** By path. */
  readonly answers = new Map<string, Answer>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<JsonSource> {
    const server = createServer((request, response) => {
      source.requests.push(request);
      const answer = source.answers.get(request.url ?? '');
      if (answer) answer(request, response);
      else response.writeHead(404).end();
    });
    const source = new JsonSource(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return source;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Answers 304 to whoever has this ETag. */
  has(path: string, content: string, headers: Readonly<Record<string, string>> = {}): void {
    this.answers.set(path, (request, response) => {
      const { etag } = headers;
      const isKnown = etag !== undefined && request.headers['if-none-match'] === etag;
      if (isKnown) response.writeHead(304, headers).end();
      else response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(content);
    });
  }

  says(path: string, status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.answers.set(path, (_, response) => response.writeHead(status, headers).end());
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
