/** Where tasks go: a server on loopback that remembers every delivery, by the task's own path. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Delivery {
  /** The path without its slash, by which a test knows its task again. */
  readonly mark: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The status to answer with; `'never'` leaves the attempt in flight. */
export type Reply = (delivery: Delivery) => number | 'never';

export class Receiver {
  readonly deliveries: Delivery[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly waiting = new Set<() => void>();

  private constructor(
    private readonly server: Server,
    public reply: Reply,
  ) {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.look();
      });
    });
    server.on('request', (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part: string) => (body += part));
      // Without its end it was cut off: not a delivery.
      request.on('end', () => {
        const delivery = { mark: request.url?.slice(1) ?? '', headers: request.headers, body };
        this.deliveries.push(delivery);
        const status = this.reply(delivery);
        if (status !== 'never') response.writeHead(status).end();
        this.look();
      });
    });
  }

  static async listen(reply: Reply = () => 200): Promise<Receiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1', 2048);
    await once(server, 'listening');
    return new Receiver(server, reply);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves once that is so; looked at whenever something arrives. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Resolves once this many different tasks have arrived. */
  reached(distinct: number): Promise<void> {
    return this.until(() => this.marks().size >= distinct);
  }

  /** Resolves once nobody is connected: all that was sent has then been read. */
  deserted(): Promise<void> {
    return this.until(() => this.sockets.size === 0);
  }

  /** How often each task arrived. */
  marks(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { mark } of this.deliveries) counts.set(mark, (counts.get(mark) ?? 0) + 1);
    return counts;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private look(): void {
    for (const look of this.waiting) look();
  }
}
