/** Holds an answer back until it is decided what is really to be said. */
import type { ServerResponse } from 'node:http';
import type { Duration } from '../../../engine/time.js';
import { SECOND } from '../../../engine/time.js';

interface Decision {
  /** Whether an answer of this status may go out as it is. */
  readonly passes: (status: number) => boolean;
  /** Called once for one that may, before its end is sent. */
  readonly passed: () => void | Promise<void>;
  /** Called once for one that may not; `send` is then called by whoever decides. */
  readonly held: (status: number, retryAfter: string | undefined) => void;
}

/** Called on the response, with whatever arguments came. */
type Own = Readonly<Record<'writeHead' | 'write' | 'end' | 'flushHeaders', unknown>>;

/**
 * Whatever Nest, a filter or an interceptor writes goes through here, so that none of them can
 * tell the queue that a failed attempt has succeeded.
 */
export class HeldAnswer {
  private state: 'open' | 'passing' | 'held' | 'sent' = 'open';
  private isEnded = false;
  private readonly own: Own;

  constructor(
    private readonly response: ServerResponse,
    private readonly decision: Decision,
  ) {
    const own: Own = response;
    const { writeHead, write, end, flushHeaders } = own;
    this.own = { writeHead, write, end, flushHeaders };
    response.writeHead = ((status: number, ...rest: unknown[]) => {
      if (this.passesNow(status)) return this.call('writeHead', [status, ...rest]);
      response.statusCode = status;
      return response;
    }) as ServerResponse['writeHead'];
    response.write = ((...args: unknown[]) =>
      this.passesNow(response.statusCode)
        ? this.call('write', args)
        : true) as ServerResponse['write'];
    response.flushHeaders = () => {
      if (this.passesNow(response.statusCode)) this.call('flushHeaders', []);
    };
    response.end = ((...args: unknown[]) => {
      if (!this.isEnded) this.end(args);
      return response;
    }) as ServerResponse['end'];
  }

  /** From now on whatever is written is dropped. */
  hold(): void {
    if (this.state === 'open') this.state = 'held';
  }

  /** Sends this in place of whatever was or will be written. */
  send(status: number, body: object, retryAfter?: Duration): void {
    const { response } = this;
    if (this.state === 'sent') return;
    this.state = 'sent';
    if (response.headersSent || response.destroyed) {
      // Too late for a status; a broken connection isn't taken for a success.
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    const text = JSON.stringify(body);
    const length = String(Buffer.byteLength(text));
    const type = 'application/json; charset=utf-8';
    const when =
      retryAfter === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfter / SECOND)) };
    const headers = { 'Content-Type': type, 'Content-Length': length, ...when };
    this.call('writeHead', [status, headers]);
    this.call('end', [text]);
    // The handler may still run, and Nest answers for it when it ends.
    const ignore = () => response;
    Object.assign(response, {
      setHeader: ignore,
      setHeaders: ignore,
      appendHeader: ignore,
      removeHeader: () => undefined,
      writeHead: ignore,
      flushHeaders: () => undefined,
      write: () => true,
      end: ignore,
    });
  }

  private end(args: readonly unknown[]): void {
    this.isEnded = true;
    const { statusCode } = this.response;
    if (this.passesNow(statusCode)) {
      const told = this.decision.passed();
      if (told) void told.then(() => this.call('end', args));
      else this.call('end', args);
    } else if (this.state === 'open') {
      this.state = 'held';
      const after = this.response.getHeader('retry-after');
      this.decision.held(statusCode, after === undefined ? undefined : String(after));
    }
  }

  private passesNow(status: number): boolean {
    if (this.state === 'open' && this.decision.passes(status)) this.state = 'passing';
    return this.state === 'passing';
  }

  private call(method: keyof Own, args: readonly unknown[]): unknown {
    return Reflect.apply(this.own[method] as () => unknown, this.response, args);
  }
}
