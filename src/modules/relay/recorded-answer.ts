/** Takes in the body of an answer as fast as it comes: its beginning is kept, all of it is counted. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { OutboundResponse } from '../../outbound/outbound-exchange.js';

/** What is kept of a target's answer. */
export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** The first bytes of the body, in base64. */
  readonly body: string;
  /** How many bytes there were. */
  readonly bytes: number;
  /** Of all of them, in hex. */
  readonly sha256: string;
  /** Whether there were more than are kept. */
  readonly truncated: boolean;
}

/**
 * Holds no more than `most` bytes of it, however long it is.
 *
 * @throws OutboundError when the body ends badly
 */
export async function recordAnswer(
  { status, headers, body }: Omit<OutboundResponse, 'body'> & { readonly body: Readable },
  most: number,
): Promise<RecordedAnswer> {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let room = most;
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (room === 0) continue;
    // Copied: a part of a chunk would keep the whole of it.
    const part = Buffer.from(chunk.subarray(0, room));
    kept.push(part);
    room -= part.length;
  }
  return {
    status,
    headers,
    body: Buffer.concat(kept).toString('base64'),
    bytes,
    sha256: hash.digest('hex'),
    truncated: bytes > most,
  };
}
