/** Reads the values of options; what doesn't fit is refused with what was expected. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../foundation/duration.js';
import type { Duration } from '../engine/time.js';

export function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  return port;
}

/** As CLOUD_TASKS_EMULATOR_HOST has it. */
export function emulatorAddress(text: string): string {
  const [, address] =
    /^(?:http:\/\/)?((?:[A-Za-z\d.-]+|\[[\dA-Fa-f:.]+\]):\d{1,5})\/?$/.exec(text) ?? [];
  if (address === undefined) throw new InvalidArgumentError("Expected '127.0.0.1:8123'.");
  return address;
}

export function matching(pattern: RegExp, expected: string): (text: string) => string {
  return (text) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`Expected ${expected}.`);
    return text;
  };
}

/** `service=url`, more of them with commas in between as in APP_ENGINE_HOSTS. */
export function serviceAddresses(
  text: string,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const pairs = text.split(',').map((pair): [string, string] => {
    const [, service, address = ''] = /^([a-z\d][a-z\d-]{0,62})=(.+)$/.exec(pair.trim()) ?? [];
    const origin = originOf(address, /^https?:$/);
    if (service === undefined || origin === undefined) {
      throw new InvalidArgumentError("Expected 'default=http://127.0.0.1:8080', without a path.");
    }
    return [service, origin];
  });
  return { ...before, ...Object.fromEntries(pairs) };
}

export function httpOrigin(text: string, before: readonly string[]): string[] {
  const origin = originOf(text, /^http:$/);
  if (origin === undefined) {
    throw new InvalidArgumentError("Expected 'http://app:8080', without a path.");
  }
  return [...before, origin];
}

export function issuer(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    throw new InvalidArgumentError("Expected an address such as 'http://engine:8123'.");
  }
  return text.replace(/\/+$/, '');
}

export function tombstoneTtl(text: string): Duration {
  try {
    return parseDuration(text, '--tombstone-ttl');
  } catch {
    throw new InvalidArgumentError("Expected a duration such as '10s', '30m' or '24h'.");
  }
}

function originOf(text: string, scheme: RegExp): string | undefined {
  const url = URL.parse(text);
  const isBare = url?.pathname === '/' && !url.search && !url.hash && !url.username;
  return isBare && scheme.test(url.protocol) ? url.origin : undefined;
}

/** A base address, without a slash at the end. */
export function httpAddress(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    throw new InvalidArgumentError("Expected an address such as 'https://app.example.com'.");
  }
  return text.replace(/\/+$/, '');
}
