/** Tells what only this machine can be called by, and how this machine calls itself. */
import { isIPv4, isIPv6 } from 'node:net';

/** @param host without a port; an IPv6 address with or without its brackets */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (isIPv4(name)) return name.startsWith('127.');
  return name === '::1' || name === 'localhost';
}

/**
 * The host of a server, as its own machine has it in a URL: an address that means every interface
 * is called by loopback's, which both kinds take, and an IPv6 address gets its brackets.
 *
 * @param host as it was asked to listen on, or as its socket tells
 */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return isIPv6(host) ? `[${host}]` : host;
}
