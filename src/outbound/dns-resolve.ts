/** Looks names up in the DNS alone: the machine's hosts file and search domains don't count. */
import { Resolver } from 'node:dns/promises';

/** All addresses of a host's name, IPv4 first; rejects with a code when there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/**
 * Asks once at a time for a name, however many sockets are opened to it: App Engine allows a hundred
 * look-ups a second. No answer is kept.
 *
 * @param servers name servers with their ports; default those of the machine
 */
export function dnsResolve(servers?: readonly string[]): Resolve {
  const asked = new Map<string, Promise<readonly string[]>>();
  return (hostname) => {
    const answer =
      asked.get(hostname) ?? ask(hostname, servers).finally(() => asked.delete(hostname));
    asked.set(hostname, answer);
    return answer;
  };
}

async function ask(hostname: string, servers?: readonly string[]): Promise<string[]> {
  const resolver = new Resolver({ timeout: 5_000, tries: 2 });
  if (servers) resolver.setServers(servers);
  const [v4, v6] = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
  return [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}
