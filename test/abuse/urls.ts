/**
 * URLs by a grammar of everything that parsers fold, drop or confuse, mutated, against two policies:
 * one of production, whose names all lead to this machine, and one of a laptop, whose own ports are
 * the canaries. What is permitted is really called: no canary is ever reached. Some are also given
 * to an app, which answers each as it should, and makes no task for itself.
 */
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { SECOND } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundError } from '../../src/outbound/outbound-error.js';
import type { PermittedTarget } from '../../src/outbound/outbound-policy.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import { Chance } from '../support/chance.js';
import { Loopback } from '../support/loopback.js';
import { AbusedApp } from './abused-app.js';
import { fuzzedUrl } from './fuzzed-urls.js';
import { assertNoSecrets } from './secrets.js';

export const size = 200_000;

const CANARIES = ['127.0.0.1', '::1', '127.0.0.2'];
const AT_ONCE = 16;
/** One of so many goes through an app as well. */
const THROUGH_AN_APP = 50;

/** What may be called in production, as the text that goes out begins. */
const ALLOWED =
  /^https:\/\/(?:api\.example\.com\/|[a-z0-9_-]+\.hooks\.example\.com\/|port\.example\.com:8443\/|path\.example\.com\/v1(?:[/?]|$))/;

/** What a name of production means to its resolver here: always this machine, or next to it. */
const HOSTILE = [
  ['127.0.0.1'],
  ['::1'],
  ['127.0.0.2'],
  ['93.184.216.34', '127.0.0.1'],
  ['::ffff:127.0.0.1'],
  ['::ffff:7f00:1'],
  ['::127.0.0.1'],
  ['64:ff9b::7f00:1'],
  ['2002:7f00:1::'],
  ['0.0.0.0'],
  ['::'],
  ['fe80::1%lo'],
];

export async function run(count: number, seed: number): Promise<string> {
  const canaries = await Canaries.listen();
  const loopback = new Loopback();
  const open = Number(new URL(await loopback.http((_, response) => response.end('ok'))).port);
  const draw = new Chance(seed);
  const production = new OutboundPolicy({
    rules: [
      { origin: 'https://api.example.com' },
      { origin: 'https://*.hooks.example.com' },
      { origin: 'https://port.example.com:8443' },
      { origin: 'https://path.example.com', pathPrefix: '/v1' },
    ],
  });
  const laptop = new OutboundPolicy({
    rules: [],
    loopback: 'any',
    own: [`http://127.0.0.1:${canaries.port}`],
  });
  const resolve = async () => draw.pick(HOSTILE);
  const clients = new Map([
    [production, new OutboundClient(production, new SystemClock(), { resolve })],
    [laptop, new OutboundClient(laptop, new SystemClock(), { resolve })],
  ]);
  const app = await AbusedApp.start({ mode: 'local' });
  const own = [app.url, app.app.engineUrl].map((url) => new URL(url).port);
  const figures = { refused: 0, permitted: 0, answered: 0, enqueued: 0 };

  async function check(url: string, policy: OutboundPolicy): Promise<void> {
    const target = permitted(url, policy);
    if (!target) {
      figures.refused++;
      return;
    }
    figures.permitted++;
    const sent = target.url.href;
    if (policy === production && !ALLOWED.test(sent)) throw new Error(`permitted ${sent}`);
    const outcome = await call(clients.get(policy), target);
    if (outcome === 'answered') figures.answered++;
    if (policy === production && outcome !== 'refused') throw new Error(`${sent}: ${outcome}`);
    const reached = canaries.connections;
    if (reached > 0) throw new Error(`${sent} reached a canary, or one before it`);
  }

  async function enqueue(url: string): Promise<void> {
    const credentials = app.producerCredentials();
    const body = JSON.stringify({ url });
    const { status, json } = await app.send('/add_task_external', credentials, body);
    if (![202, 400, 403].includes(status)) throw new Error(`was answered with ${status}`);
    if (status !== 202) return;
    figures.enqueued++;
    const { target } = json as { target: { url: string } };
    if (own.includes(new URL(target.url).port)) throw new Error(`made a task for ${target.url}`);
  }

  try {
    let next = 0;
    const caller = async () => {
      for (let index = next++; index < count; index = next++) {
        const url = fuzzedUrl(new Chance(seed + index * 7919), {
          closed: canaries.port,
          open,
        });
        const told = (cause: unknown) => {
          throw new Error(`case ${index}: ${JSON.stringify(url)}`, { cause });
        };
        for (const policy of clients.keys()) await check(url, policy).catch(told);
        if (index % THROUGH_AN_APP === 0) {
          const ports = { closed: Number(new Chance(index).pick(own)), open };
          await enqueue(fuzzedUrl(new Chance(seed + index * 7919), ports)).catch(told);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    // A canary hears of a connection a turn later than whoever made it.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (canaries.connections > 0) throw new Error('a canary was reached');
    if (count >= 1000 && figures.answered === 0) throw new Error('nothing was ever called');
    assertNoSecrets(app.takeLog(), 'the log');
    const { refused, permitted, answered, enqueued } = figures;
    return `${count} URLs against 2 policies: ${refused} refused, ${permitted} permitted and called, ${answered} answered, 0 canaries reached; through an app ${enqueued} became tasks, none for itself`;
  } finally {
    for (const client of clients.values()) await client.close();
    await app.close();
    await loopback.close();
    await canaries.close();
  }
}

/** @throws what isn't a refusal of the policy */
function permitted(url: string, policy: OutboundPolicy): PermittedTarget | undefined {
  try {
    return policy.permit(url);
  } catch (error) {
    const { name, code, field } = error as { name: string; code: string; field: string };
    const isRefusal = name === 'CloudTasksError' && field === 'url';
    if (isRefusal && ['INVALID_ARGUMENT', 'PERMISSION_DENIED'].includes(code)) return undefined;
    throw error;
  }
}

async function call(client: OutboundClient | undefined, target: PermittedTarget): Promise<string> {
  if (!client) throw new Error('no client');
  try {
    const { body } = await client.call(target, { method: 'GET', deadline: 10 * SECOND });
    await body.resume().toArray();
    return 'answered';
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    // Nobody listens there: that is a call all the same.
    if (error.failure === 'refused' || error.failure === 'unreachable') return error.failure;
    throw error;
  }
}

/** One port, on every address of this machine that the grammar knows. */
class Canaries {
  connections = 0;

  private constructor(
    readonly port: number,
    private readonly servers: Server[],
  ) {
    for (const server of servers) {
      server.on('connection', (socket) => {
        this.connections++;
        socket.destroy();
      });
    }
  }

  static async listen(): Promise<Canaries> {
    for (;;) {
      const servers: Server[] = [];
      let port = 0;
      try {
        for (const host of CANARIES) {
          const server = createServer().listen(port, host);
          servers.push(server);
          await once(server, 'listening');
          port = (server.address() as AddressInfo).port;
        }
        return new Canaries(port, servers);
      } catch (error) {
        for (const server of servers) server.close();
        // Another's on one of the addresses: the next port, then.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.close();
    await Promise.all(this.servers.map((server) => once(server, 'close')));
  }
}
