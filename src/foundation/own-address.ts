/** Tells whether a URL leads to a server of ours, under whichever spelling. */
import { isLoopback } from './loopback.js';

/**
 * On this machine servers are told apart by their ports; elsewhere a host of ours is ours on all of
 * them.
 *
 * @param own base address of a server of ours
 */
export function isOwnAddress(url: URL, own: URL): boolean {
  if (isThisMachine(url) && isThisMachine(own)) return portOf(url) === portOf(own);
  return plainHost(url) === plainHost(own);
}

/** Also under the name that a server bound to every address has. */
function isThisMachine(url: URL): boolean {
  const host = plainHost(url);
  return isLoopback(host) || /^(?:0\.0\.0\.0|\[::\]|\[::(?:ffff:)?7f.*|.+\.localhost)$/.test(host);
}

function plainHost(url: URL): string {
  return url.hostname.replace(/\.+$/, '');
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}
