/** A network as a test says: what names mean, and that every public address is a server of its own. */
import { buildConnector } from 'undici';
import type { OutboundClientOptions } from '../../src/outbound/outbound-client.js';
import type { Resolve } from '../../src/outbound/dns-resolve.js';
import { TLS_IDENTITY } from './tls-identity.js';

/** Documentation's addresses are refused, so these are of a real host that nothing here reaches. */
export const PUBLIC = '93.184.216.34';
export const OTHER_PUBLIC = '2606:2800:220:1:248:1893:25c8:1946';

interface Opened {
  readonly address: string;
  readonly port: string;
  readonly servername: string | undefined;
}

export class TestNetwork {
  /** Which connections were asked for. */
  readonly opened: Opened[] = [];
  /** How often a name was looked up. */
  asked = 0;
  /** The addresses of every name; each look-up may get others. */
  names: Resolve = async () => [PUBLIC];
  /** Addresses where nobody answers. */
  readonly dead = new Set<string>();
  private readonly connect = buildConnector({ ca: TLS_IDENTITY.cert, allowH2: false });

  /** @param port where all connections go */
  constructor(private readonly port: number) {}

  readonly resolve: Resolve = (hostname) => {
    this.asked++;
    return this.names(hostname);
  };

  readonly open: buildConnector.connector = (target, callback) => {
    const { hostname: address, port, servername } = target;
    this.opened.push({ address, port, servername });
    if (this.dead.has(address)) {
      callback(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), null);
      return;
    }
    this.connect({ ...target, hostname: '127.0.0.1', port: String(this.port) }, callback);
  };

  get options(): OutboundClientOptions {
    return { resolve: this.resolve, open: this.open };
  }
}
