/** Real servers on 127.0.0.1, all ended by one `close`. */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';

export class Loopback {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();

  /** Starts an HTTP server and gives its address, `http://127.0.0.1:<port>`. */
  http(listener: RequestListener): Promise<string> {
    return this.start(createHttpServer(listener));
  }

  /** The same for a server of bytes, which speaks HTTP only as far as `onData` does. */
  bytes(onData: (text: string, socket: Socket) => void): Promise<string> {
    return this.start(
      createServer((socket) => {
        socket.on('data', (data) => onData(data.toString('latin1'), socket));
      }),
    );
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.splice(0).map((server) => once(server, 'close')));
  }

  private async start(server: Server): Promise<string> {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
    // Room for a thousand connections at once.
    server.listen(0, '127.0.0.1', 2048);
    await once(server, 'listening');
    this.servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}
