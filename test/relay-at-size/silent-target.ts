/** A target that takes requests and stays silent until it is told to answer them. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Held {
  readonly headers: IncomingHttpHeaders;
  readonly response: ServerResponse;
}

export class SilentTarget {
  readonly held = new Set<Held>();
  /** Since the start, whatever became of them. */
  requests = 0;
  /** Whose caller has left before the answer. */
  left = 0;
  private isSilent = true;
  private waiting: (() => void)[] = [];
  private readonly server = createServer((request, response) => {
    const held = { headers: request.headers, response };
    this.requests++;
    this.held.add(held);
    request.resume();
    response.once('close', () => {
      this.held.delete(held);
      if (!response.writableFinished) this.left++;
      this.look();
    });
    if (!this.isSilent) request.once('end', () => response.end('done'));
    this.onRequest?.(held);
    this.look();
  });

  private constructor(private readonly onRequest?: (held: Held) => void) {}

  static async start(onRequest?: (held: Held) => void): Promise<SilentTarget> {
    const target = new SilentTarget(onRequest);
    target.server.listen(0, '127.0.0.1', 4096);
    target.server.keepAliveTimeout = 1000;
    await once(target.server, 'listening');
    return target;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on. */
  answerAtOnce(): void {
    this.isSilent = false;
  }

  answerAll(body = 'done'): void {
    for (const { response } of [...this.held]) response.end(body);
  }

  /** Looked at whenever a request comes or goes. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (isSo()) resolve();
        else this.waiting.push(check);
      };
      check();
    });
  }

  /** The next request that comes or goes. */
  change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private look(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const check of waiting) check();
  }
}
