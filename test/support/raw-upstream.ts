/** A server that takes requests as bytes and answers with bytes, whatever HTTP says of them. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { TLS_IDENTITY } from './tls-identity.js';

/** What is written in answer, or nothing when the answer writes to the socket itself. */
export type RawAnswer = (head: string, socket: Socket) => string | undefined;

export const OK: RawAnswer = () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export class RawUpstream {
  /** Request line and headers of every request, as they came. */
  readonly heads: string[] = [];
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private readonly waiting = new Set<() => void>();

  private constructor(
    private readonly server: Server,
    public answer: RawAnswer,
  ) {}

  static async listen(
    answer: RawAnswer = OK,
    { host = '127.0.0.1', tls = false, port = 0 } = {},
  ): Promise<RawUpstream> {
    const server = tls ? createTlsServer(TLS_IDENTITY) : createServer();
    const upstream = new RawUpstream(server, answer);
    server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => upstream.take(socket));
    server.listen(port, host, 1024);
    await once(server, 'listening');
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get open(): number {
    return this.sockets.size;
  }

  /** Resolves once that is so; looked at whenever something arrives or a connection ends. */
  async until(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
    });
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private take(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    let received = '';
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.look();
    });
    socket.on('data', (text: string) => {
      received += text;
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = received.slice(0, end);
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        if (received.length < end + 4 + length) return;
        received = received.slice(end + 4 + length);
        this.heads.push(head);
        const answer = this.answer(head, socket);
        if (answer !== undefined) socket.write(answer, 'latin1');
        this.look();
      }
    });
  }

  private look(): void {
    for (const look of [...this.waiting]) look();
  }
}
