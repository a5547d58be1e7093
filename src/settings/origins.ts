/** Reads the settings that list addresses: App Engine services, and the origins of external tasks. */
import type { Environment } from './environment.js';
import { parseUrl } from './environment.js';
import { isLoopback } from '../foundation/loopback.js';
import { isOwnAddress } from '../foundation/own-address.js';
import { isPublicName } from '../foundation/public-hosts.js';

/** `loopback`: any port of this machine. An origin with an audience gets an ID token for that. */
export type ExternalOrigins =
  'loopback' | readonly { readonly origin: string; readonly audience?: string }[];

/** Base address by App Engine service. */
export function readAppEngineHosts(env: Environment): Record<string, string> {
  const expected = "pairs such as 'default=http://127.0.0.1:8080,worker=http://127.0.0.1:8081'";
  const pairs = env.list('APP_ENGINE_HOSTS', (text): [string, string] => {
    const [, service, address = ''] =
      /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)=(.+)$/.exec(text) ?? [];
    const url = parseUrl(address);
    if (service === undefined || url?.pathname !== '/' || url.search || url.hash) {
      return env.refuse('APP_ENGINE_HOSTS', expected, text);
    }
    return [service, url.origin];
  });
  const services = (pairs ?? []).map(([service]) => service);
  const twice = services.find((service, index) => services.indexOf(service) !== index);
  if (twice !== undefined) env.refuse('APP_ENGINE_HOSTS', 'each service once', `${twice} twice`);
  return Object.fromEntries(pairs ?? []);
}

/**
 * Which origins external tasks may call. Outside of this machine each is named, over https; a
 * token for our own audience is never sent out, since it would open our handlers.
 */
export function readExternalOrigins(
  env: Environment,
  embedded: boolean,
  own: readonly (string | undefined)[],
): ExternalOrigins {
  const expected =
    "origins such as 'https://api.example.com' or 'https://api.example.com;audience=https://api.example.com'";
  const origins = env.list('EXTERNAL_ORIGINS', (text) => {
    const [address = '', ...options] = text.split(';').map((part) => part.trim());
    const url = parseUrl(address);
    const audience = /^audience=([\x21-\x7e]+)$/.exec(options[0] ?? '')?.[1];
    if (
      !url ||
      url.hostname.includes('*') ||
      (address !== url.origin && address !== `${url.origin}/`) ||
      options.length > 1 ||
      (options.length === 1 && audience === undefined)
    ) {
      return env.refuse('EXTERNAL_ORIGINS', expected, text);
    }
    const local = embedded && isLoopback(url.hostname);
    if (!local && (url.protocol !== 'https:' || !isPublicName(url.hostname))) {
      env.refuse('EXTERNAL_ORIGINS', 'public https origins', text);
    }
    const ours = own.flatMap((mine) => parseUrl(mine ?? '') ?? []);
    if (ours.some((mine) => isOwnAddress(url, mine))) {
      env.refuse('EXTERNAL_ORIGINS', "other origins than the handlers' own", text);
    }
    if (audience !== undefined && own.includes(audience)) {
      env.refuse('EXTERNAL_ORIGINS', "other audiences than the handlers' own", text);
    }
    return { origin: url.origin, ...(audience === undefined ? {} : { audience }) };
  });
  // A file says it all: what it doesn't name isn't called.
  return origins ?? (embedded && !env.isSet('OUTBOUND_FILE') ? 'loopback' : []);
}
