/** Ends the connections of callers who have stopped taking in what they are answered. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface Progress {
  sent: number;
  looksSince: number;
}

/**
 * No limit of Node's own ends such a connection but `timeout`, which counts the silence of a
 * handler that works too. A writer is held back meanwhile, but it and its answer stay in memory.
 *
 * @param limit in milliseconds; so long, some part of a waiting answer has to be taken in
 * @param interval how often that is looked at, in milliseconds
 */
export function endUnread(server: Server, limit: number, interval: number): void {
  const connections = new Map<Socket, Progress>();
  server.on('connection', (socket: Socket) => {
    connections.set(socket, { sent: 0, looksSince: 0 });
    socket.once('close', () => connections.delete(socket));
  });
  const look = () => {
    for (const [socket, progress] of connections) {
      const sent = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || sent > progress.sent) {
        connections.set(socket, { sent, looksSince: 0 });
      } else if (++progress.looksSince * interval > limit) {
        socket.destroy();
      }
    }
  };
  server.on('listening', () => {
    const timer = setInterval(look, interval).unref();
    server.once('close', () => clearInterval(timer));
  });
}
