/** A network that does to calls what networks do: each is classified, and no socket stays open. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { pause } from './real-time.js';
import { Chance } from '../support/chance.js';
import { directRelay } from './direct-relay.js';

export const size = 5000;
const AT_ONCE = 40;

/** What is done to one connection, and the answers that a call over it may get. */
interface Fault {
  readonly name: string;
  readonly apply: (near: Socket, port: number, chance: Chance) => void;
  readonly answers: readonly number[];
}

const FAULTS: readonly Fault[] = [
  { name: 'none', answers: [200], apply: (near, port) => through(near, port) },
  {
    name: 'latency',
    answers: [200],
    apply: (near, port, chance) => {
      const wait = chance.between(1, 50);
      through(near, port, (chunk, far) => void pause(wait).then(() => far.write(chunk)));
    },
  },
  {
    name: 'reset at a byte',
    answers: [200, 500],
    apply: (near, port, chance) => {
      let left = chance.between(0, 300);
      through(near, port, undefined, (chunk) => {
        left -= chunk.length;
        if (left >= 0) near.write(chunk);
        else near.resetAndDestroy();
      });
    },
  },
  { name: 'black hole', answers: [500], apply: (near) => void near.resume() },
  {
    name: 'half-close',
    answers: [500],
    apply: (near) => {
      near.once('data', () => near.end());
    },
  },
  {
    name: 'one byte at a time',
    answers: [200],
    apply: (near, port) => {
      near.setNoDelay();
      through(near, port, undefined, (chunk) => {
        for (const byte of chunk) near.write(Buffer.of(byte));
      });
    },
  },
  {
    name: 'garbage',
    answers: [500],
    apply: (near, _port, chance) => {
      near.once('data', () => {
        near.end(Buffer.from(Array.from({ length: 64 }, () => chance.between(128, 255))));
      });
    },
  },
  {
    name: 'a body cut short',
    answers: [500],
    apply: (near) => {
      near.once('data', () => near.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'));
    },
  },
  {
    name: 'a head without end',
    answers: [500],
    apply: (near) => {
      near.once('data', () => near.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`));
    },
  },
];

export async function run(count: number, seed: number): Promise<string> {
  const chance = new Chance(seed);
  const direct = await directRelay(1, ['--expose-gc']);
  direct.targets[0]?.answerAtOnce();
  const behind = Number(new URL(direct.targets[0]?.url ?? '').port);
  const proxies = await Promise.all(
    FAULTS.map(async ({ apply }) => {
      const sockets = new Set<Socket>();
      const server = createServer((near) => {
        sockets.add(near);
        near.once('close', () => sockets.delete(near));
        near.on('error', () => undefined);
        apply(near, behind, chance);
      });
      server.listen(0, '127.0.0.1', 1024);
      await once(server, 'listening');
      return { server, sockets, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    }),
  );
  await direct.relay.end();
  const relay = await direct.again(proxies.map(({ url }) => url));
  try {
    const before = await relay.stats();
    const told = new Map<string, number>();
    let next = 0;
    const worker = async () => {
      for (let index = next++; index < count; index = next++) {
        const which = chance.between(0, FAULTS.length - 1);
        const { name = '', answers = [] } = FAULTS[which] ?? {};
        const url = proxies[which]?.url ?? '';
        const body = JSON.stringify({ url, payload: 'x', timeout: '1s' });
        const status = await direct.callers.call({ task: `call-${index}`, body });
        if (!answers.includes(status)) {
          throw new Error(
            `Call ${index}, ${name}: answered ${status}, not ${answers.join(' or ')}.`,
          );
        }
        told.set(`${name} ${status}`, (told.get(`${name} ${status}`) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    // Kept sockets are dropped after a second.
    await pause(2500);
    const open = proxies.flatMap(({ sockets }, index) =>
      sockets.size === 0 ? [] : [`${sockets.size} of ${FAULTS[index]?.name ?? ''}`],
    );
    const after = await relay.stats();
    if (open.length > 0) throw new Error(`Sockets stayed open: ${open.join(', ')}.`);
    if (after.files > before.files) {
      throw new Error(`${before.files} files were open, now ${after.files}.`);
    }
    return `${count} calls: ${[...told].map(([what, times]) => `${what} × ${times}`).join(', ')}; no socket stayed open`;
  } finally {
    for (const { server, sockets } of proxies) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
    await direct.close();
  }
}

type Carry = (chunk: Buffer, to: Socket) => void;

function through(
  near: Socket,
  port: number,
  out: Carry = (chunk, far) => far.write(chunk),
  back: Carry = (chunk, socket) => socket.write(chunk),
): void {
  const far = connect(port, '127.0.0.1');
  far.on('error', () => undefined);
  near.on('data', (chunk: Buffer) => out(chunk, far));
  far.on('data', (chunk: Buffer) => {
    if (!near.destroyed) back(chunk, near);
  });
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
}
