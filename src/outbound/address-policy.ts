/** Which addresses a name may stand for: those of the public internet, told by their bytes. */
import { isIPv4, isIPv6 } from 'node:net';

/** Addresses by their first bits. */
interface Range {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** IANA's special-purpose ranges of IPv4, and one host of Azure's that has a public address. */
const REFUSED_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  '168.63.129.16/32',
].map(range);

/**
 * All that is public in IPv6. What maps or translates IPv4 (`::ffff:0:0/96`, `64:ff9b::/96`), what
 * is local (`::1`, `fe80::/10`, `fc00::/7` with its metadata servers) and all the rest is outside.
 */
const PUBLIC_V6 = range('2000::/3');

/** Of that, what IANA has set apart: Teredo and ORCHID, documentation, 6to4. */
const REFUSED_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map(range);

const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(range);

/** Also `false` for what can't be read as an address. */
export function isPublicAddress(address: string): boolean {
  const bytes = bytesOf(address);
  if (bytes?.length === 4) return !REFUSED_V4.some((range) => isIn(bytes, range));
  return (
    bytes !== undefined && isIn(bytes, PUBLIC_V6) && !REFUSED_V6.some((range) => isIn(bytes, range))
  );
}

export function isLoopbackAddress(address: string): boolean {
  const bytes = bytesOf(address);
  return bytes !== undefined && LOOPBACK.some((range) => isIn(bytes, range));
}

/** Whether both are one address, however they are written. */
export function isSameAddress(a: string, b: string): boolean {
  const bytes = bytesOf(a);
  return bytes !== undefined && bytes.join() === bytesOf(b)?.join();
}

/** 4 or 16 bytes; undefined for a zone (`fe80::1%eth0`) and for what is no address. */
function bytesOf(address: string): number[] | undefined {
  if (isIPv4(address)) return address.split('.').map(Number);
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const [head = '', tail] = address.split('::');
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(16 - front.length - back.length).fill(0);
  return [...front, ...zeros, ...back];
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isIn(bytes: readonly number[], range: Range): boolean {
  if (bytes.length !== range.bytes.length) return false;
  return range.bytes.every((byte, index) => {
    const bits = Math.min(Math.max(range.bits - index * 8, 0), 8);
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === ((bytes[index] ?? NaN) & mask);
  });
}

function range(text: string): Range {
  const [address = '', bits] = text.split('/');
  return { bytes: bytesOf(address) ?? [], bits: Number(bits) };
}
