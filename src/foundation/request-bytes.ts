/** Takes in a request's body as the bytes that came, up to a limit. */
import { BadRequestException, PayloadTooLargeException } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

/**
 * For a route that no body parser has been at: a body can be taken only once.
 *
 * @throws PayloadTooLargeException beyond `limit` bytes, BadRequestException when it broke off
 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = () =>
    new PayloadTooLargeException(`The body must be at most ${limit} bytes long.`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request
      .on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          // What follows is let go, so that the answer gets through on a connection still in use.
          request.removeAllListeners('data').resume();
          reject(tooLarge());
        } else {
          chunks.push(chunk);
        }
      })
      .once('end', () => resolve(Buffer.concat(chunks, size)))
      .once('error', (cause) =>
        reject(new BadRequestException('The request broke off.', { cause })),
      );
  });
}
