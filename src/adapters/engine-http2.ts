/** Tells HTTP/2 from HTTP/1 by a connection's first bytes, so that both share the engine's port. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How HTTP/2 without TLS opens (RFC 9113, 3.4); no method of HTTP/1 begins like it. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');

/** A connection that says less in this time is a hole in the port, not a client. */
const FIRST_BYTES_LIMIT_MS = 10_000;

export interface SharedPort {
  /** Ends the connections that haven't said yet what they speak, which no server knows of. */
  dropUndecided(): void;
}

/**
 * Hands connections that open with HTTP/2's preface to `serveHttp2`, which owns them from then on,
 * and lets `server` have all others.
 *
 * The server keeps listening itself: without that node sets none of its limits on slow requests.
 */
export function shareWithHttp2(
  server: Server,
  serveHttp2: (socket: Socket) => void,
  limitMs = FIRST_BYTES_LIMIT_MS,
): SharedPort {
  const serveHttp1 = server.listeners('connection');
  const undecided = new Set<Socket>();
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    undecided.add(socket);
    socket.once('close', () => undecided.delete(socket));
    readPreface(socket, limitMs, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // Made for HTTP/1, where a client may end its side and still read the answer.
        socket.allowHalfOpen = false;
        serveHttp2(socket);
      } else {
        for (const listener of serveHttp1) Reflect.apply(listener, server, [socket]);
      }
    });
  });
  return {
    dropUndecided: () => {
      for (const socket of undecided) socket.destroy();
    },
  };
}

/** Looks at what comes first and puts it back. A connection that ends before is just let go. */
function readPreface(socket: Socket, limitMs: number, decide: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const end = () => socket.destroy();
  const limit = setTimeout(end, limitMs);
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (!chunk) return;
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const matches = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (matches && length < PREFACE.length) return;
    stop();
    socket.unshift(seen);
    decide(matches);
  };
  const stop = () => {
    clearTimeout(limit);
    socket.off('readable', look).off('end', end).off('error', end).off('close', stop);
  };
  socket.on('readable', look).on('end', end).on('error', end).on('close', stop);
}
