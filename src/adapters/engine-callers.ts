/** Who may speak to the engine's port: programs of this machine, not pages of other sites. */
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../foundation/loopback.js';

export class Callers {
  private readonly onLoopback: boolean;

  /** @param at the host that was asked to listen on, and the address that this became. */
  constructor(private readonly at: { readonly host: string; readonly address: string }) {
    this.onLoopback = isLoopback(at.address);
  }

  /**
   * Whether the one `Host` is this machine's, whatever the port: it may have been forwarded. A page
   * of a site whose name was made to resolve to this machine would have its own there. With the
   * port open to the network any name will do.
   */
  address(request: IncomingMessage): boolean {
    if (!this.onLoopback) return true;
    const [host = '', ...more] = request.headersDistinct['host'] ?? [];
    const name = more.length > 0 ? undefined : hostName(host);
    return name !== undefined && this.isOwn(name);
  }

  /**
   * Whether a page of another origin sends this: a browser says so in `Origin`, and would send much
   * without asking first. With the port open to the network, a page's own address is the one that
   * it was asked at.
   */
  isForeignPage(request: IncomingMessage): boolean {
    const { origin, host = '' } = request.headers;
    if (origin === undefined) return false;
    const name = hostName(/^https?:\/\/([^/]*)$/i.exec(origin)?.[1] ?? '');
    if (name === undefined) return true;
    return !this.isOwn(name) && (this.onLoopback || name !== hostName(host));
  }

  private isOwn(host: string): boolean {
    const name = host.toLowerCase();
    // Browsers take every name under localhost for this machine.
    const isLocal = isLoopback(name) || name.endsWith('.localhost');
    return isLocal || name === this.at.host.toLowerCase();
  }
}

/** The name or address in `name:port`, without an IPv6 address's brackets. */
function hostName(host: string): string | undefined {
  return /^(\[[\da-f:.]+\]|[^:]+)(:\d+)?$/i.exec(host)?.[1]?.replace(/^\[|\]$/g, '');
}
