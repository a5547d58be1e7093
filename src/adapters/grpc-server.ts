/** Serves Cloud Tasks and Cloud Scheduler over gRPC on connections that it is given, for any EngineApi. */
import type { Socket } from 'node:net';
import type { Duration } from '../engine/time.js';
import { MILLISECOND, SECOND } from '../engine/time.js';
import type { GrpcOptions, GrpcService } from './grpc-service.js';

/** Calls that are under way get so long to be answered on close. */
const CLOSE_LIMIT: Duration = 2 * SECOND;

/** Google's packages and their protos are loaded for the first connection: most engines see none. */
export class GrpcServer {
  private service: Promise<GrpcService> | undefined;
  private readonly sockets = new Set<Socket>();
  private closed = false;

  constructor(private readonly options: GrpcOptions) {}

  /** Takes over a connection that opens with HTTP/2's preface. */
  serve(socket: Socket): void {
    const drop = () => socket.destroy();
    socket.on('error', drop);
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.service ??= import('./grpc-service.js').then(({ grpcService }) =>
      grpcService(this.options),
    );
    this.service.then(
      ({ inject }) => {
        if (this.closed || socket.destroyed) drop();
        else inject(socket);
        socket.off('error', drop);
      },
      (error: unknown) => {
        this.options.onError(error);
        drop();
      },
    );
  }

  /** Takes no new call, and ends every connection, after `limit` (default 2 s) at the latest. */
  async close(limit = CLOSE_LIMIT): Promise<void> {
    this.closed = true;
    const service = await this.service?.catch(() => undefined);
    // Tells every client to go; its own word for "done" may come before the last answer is out.
    service?.server.tryShutdown(() => undefined);
    const sockets = [...this.sockets];
    const ended = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    const cut = setTimeout(
      () => sockets.forEach((socket) => socket.destroy()),
      limit / MILLISECOND,
    );
    await Promise.all(ended);
    clearTimeout(cut);
  }
}
