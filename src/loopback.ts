/** Tells the addresses, and the one name, that only this machine can be called by. */
import { isIPv4 } from 'node:net';

/** @param host without a port; an IPv6 address with or without its brackets */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (isIPv4(name)) return name.startsWith('127.');
  return name === '::1' || name === 'localhost';
}
