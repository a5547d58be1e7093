/** Tells programs of this machine from web pages, where nothing else is asked of a caller. */
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../foundation/loopback.js';

const PORT = /:\d{1,5}$/;

/**
 * The app listens on loopback then, which a web page reaches too: one whose own name was made to
 * resolve to this machine still sends that name as its `Host`.
 */
export function isLocalCaller({ headersDistinct }: IncomingMessage): boolean {
  const [host = '', ...more] = headersDistinct['host'] ?? [];
  return more.length === 0 && isLoopback(host.replace(PORT, ''));
}
