/** Takes tasks to the app under test over pairs of streams in memory, so that no port is needed. */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
// Not the global one, which a test may have replaced.
import { setImmediate } from 'node:timers';
import type { RequestInit, Response, buildConnector } from 'undici';
import { Agent, fetch } from 'undici';
import { HttpTransport } from '../adapters/http-transport.js';
import type { Dispatch, DispatchTarget, Transport } from '../engine/ports.js';

/**
 * Where the app is, unless its options say otherwise: like that of the embedded backend, a loopback
 * address, which guards may ask for. Nothing is ever sent there.
 */
export const APP_URL = 'http://127.0.0.1';

/** A task for somebody else's address, which a test must answer for. */
export interface OutsideCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** Answers with an HTTP status. */
export type Outside = (call: OutsideCall) => number | Promise<number>;

export class MemoryNetwork implements Transport {
  /** What was sent and isn't answered yet. */
  readonly inFlight = new Set<Dispatch>();
  /** Told of what is sent, before it is. */
  onSend: (dispatch: Dispatch) => void = () => undefined;
  /** Told of the body of each answer of the app, before its `send` resolves. */
  onAnswer: (dispatch: Dispatch, body: string) => void = () => undefined;
  /** Signs App Engine tasks; of this network alone, so nobody has to know it. */
  readonly secret = randomBytes(32).toString('hex');
  private readonly http: HttpTransport;
  private readonly agent: Agent;
  private server: Server | undefined;
  private base = APP_URL;

  constructor(private readonly outside: Outside | undefined) {
    const connect: buildConnector.connector = (_, callback) => {
      const { server } = this;
      // Not before it returns: undici isn't ready for that.
      setImmediate(() => {
        if (server) callback(null, connectionTo(server));
        else callback(new Error('the app has not been initialised'), null);
      });
    };
    this.http = new HttpTransport({ secret: this.secret, connect });
    this.http.setAppEngineHosts({ default: APP_URL });
    this.http.onResponse = (dispatch, { body }) =>
      this.onAnswer(dispatch, Buffer.from(body).toString());
    this.agent = new Agent({ connect });
  }

  /** @param base address of the handlers, without a slash at the end */
  attach(server: Server, base: string): void {
    this.server = server;
    this.base = base;
  }

  send(dispatch: Dispatch, signal: AbortSignal): Sending {
    this.inFlight.add(dispatch);
    this.onSend(dispatch);
    return this.deliver(dispatch, signal).finally(() => this.inFlight.delete(dispatch));
  }

  /** The path that the app sees; undefined where the task is not for the app. */
  pathOf(target: DispatchTarget): string | undefined {
    if (target.kind === 'app-engine') return target.relativeUri;
    const { url } = target;
    if (!url.startsWith(this.base)) return undefined;
    const path = url.slice(this.base.length);
    return path === '' || /^[/?]/.test(path) ? `/${path.replace(/^\//, '')}` : undefined;
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, APP_URL), { ...init, dispatcher: this.agent });
  }

  async close(): Promise<void> {
    await Promise.all([this.http.close(), this.agent.destroy()]);
  }

  private deliver(dispatch: Dispatch, signal: AbortSignal): Sending {
    const { target } = dispatch;
    const path = this.pathOf(target);
    if (path === undefined) return this.sendOutside(dispatch, signal);
    if (target.kind === 'app-engine') return this.http.send(dispatch, signal);
    // A base's own path is for whatever stands before the app, which takes it off.
    const url = new URL(this.base).origin + path;
    return this.http.send({ ...dispatch, target: { kind: 'http', url } }, signal);
  }

  private async sendOutside(dispatch: Dispatch, signal: AbortSignal): Sending {
    const { target, method, headers, body } = dispatch;
    const url = target.kind === 'http' ? target.url : target.relativeUri;
    if (!this.outside) {
      const reason = `${url} is not the app under test; give TasksTestbed.create the option outside to answer for it`;
      return { kind: 'no-response', reason };
    }
    const aborted = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => aborted.resolve(undefined), { once: true });
    const answered = this.outside({ url, method, headers, body });
    const status = await Promise.race([answered, aborted.promise]);
    return status === undefined
      ? { kind: 'no-response', reason: 'given up by the engine' }
      : { kind: 'response', status };
  }
}

type Sending = ReturnType<Transport['send']>;

/** One end of a new connection whose other end the server has accepted. */
function connectionTo(server: Server): Socket {
  const [near, far] = duplexPair();
  // What frameworks and guards ask a socket for; a caller on the same machine.
  Object.assign(far, { remoteAddress: '127.0.0.1', remotePort: 1, remoteFamily: 'IPv4' });
  server.emit('connection', far);
  return near as unknown as Socket;
}
