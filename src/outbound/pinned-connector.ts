/** Opens the connections of calls: looks the name up, judges every address, connects to one of those. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { buildConnector } from 'undici';
import { isLoopback } from '../foundation/loopback.js';
import { isLoopbackAddress, isPublicAddress, isSameAddress } from './address-policy.js';
import type { Resolve } from './dns-resolve.js';
import { dnsResolve } from './dns-resolve.js';
import { OutboundError } from './outbound-error.js';

export interface ConnectorOptions {
  /** Default: DNS, 5 s and two tries; never the machine's hosts file. */
  readonly resolve?: Resolve | undefined;
  /** Whether loopback hosts may be called, at loopback addresses alone. */
  readonly loopback: boolean;
  /** Opens a socket to an address that was judged, in place of one over the network. */
  readonly open?: buildConnector.connector | undefined;
  /** Of this machine. Default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
}

/** What addresses are judged with. */
interface Judging {
  readonly resolve: Resolve;
  readonly loopback: boolean;
  readonly ownAddresses: () => readonly string[];
}

/** Each address gets this long; a call's own deadline is on top. */
const CONNECT_LIMIT_MS = 5_000;
/** How many addresses of one name are tried, one after another. */
const MOST_ADDRESSES = 3;

/** Networks cut connections that are idle for ten minutes; a probe a half-minute keeps them. */
const PROBE_MS = 30_000;

/**
 * undici asks a connector for every new socket, and so is every address judged at the moment it is
 * used: what the name meant when the URL was permitted doesn't count. A socket that is kept for the
 * next call stays where it is. Literal addresses, which a custom `lookup` never sees, come through
 * here as well.
 */
export function pinnedConnector(options: ConnectorOptions): buildConnector.connector {
  const { open = overTheNetwork(), resolve = dnsResolve(), loopback } = options;
  const { ownAddresses = ofInterfaces } = options;
  return (target, callback) => {
    permittedAddresses(target.hostname, { resolve, loopback, ownAddresses }).then(
      (addresses) => openOne(open, target, addresses, callback),
      (error: unknown) => callback(error as Error, null),
    );
  };
}

function overTheNetwork(): buildConnector.connector {
  return buildConnector({
    allowH2: false,
    // Also where the environment says otherwise.
    rejectUnauthorized: true,
    timeout: CONNECT_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_MS,
  });
}

async function permittedAddresses(
  hostname: string,
  { resolve, loopback, ownAddresses }: Judging,
): Promise<readonly string[]> {
  const staysHere = loopback && isLoopback(hostname);
  const addresses = await addressesOf(hostname, resolve, staysHere);
  const mine = staysHere ? [] : ownAddresses();
  const isAllowed = (address: string) =>
    staysHere
      ? isLoopbackAddress(address)
      : isPublicAddress(address) && !mine.some((own) => isSameAddress(own, address));
  // Without the address: whoever asked for the call may not know the network that it is made from.
  if (!addresses.every(isAllowed)) {
    throw new OutboundError('refused', false, `${hostname} leads where nothing may be called`);
  }
  return addresses;
}

async function addressesOf(
  hostname: string,
  resolve: Resolve,
  staysHere: boolean,
): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  // Where a server on this machine listens is not for a name server to say.
  if (staysHere) return ['127.0.0.1', '::1'];
  const addresses = await resolve(hostname);
  if (addresses.length === 0) throw Object.assign(new Error('no address'), { code: 'ENODATA' });
  return addresses;
}

/** The name stays: in `Host`, for TLS, and in the certificate. */
function openOne(
  open: buildConnector.connector,
  target: buildConnector.Options,
  [address, ...others]: readonly string[],
  callback: buildConnector.Callback,
): void {
  if (address === undefined) return;
  const { hostname, protocol } = target;
  const isNamed = protocol === 'https:' && isIP(hostname) === 0;
  const { servername: _, ...rest } = target;
  const pinned = { ...rest, hostname: address, ...(isNamed ? { servername: hostname } : {}) };
  open(pinned, (...result) => {
    const left = others.slice(0, MOST_ADDRESSES - 1);
    if (result[0] === null || left.length === 0) callback(...result);
    else openOne(open, target, left, callback);
  });
}

/** A call to one of these would come back to this machine. */
function ofInterfaces(): string[] {
  return Object.values(networkInterfaces()).flatMap((found = []) =>
    found.map(({ address }) => address),
  );
}
