/** A port to listen on again and again: one that nobody is given who asks for any. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The system hands out ports from 32768 on, to whoever listens on port 0 and to every client. A
 * port among those that is free for a moment, between two processes or before the first, is
 * another's soon; one below is taken by those alone who name it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
