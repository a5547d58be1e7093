/** Rounds of one pattern: calls are open, their relay is ended in some way, another one takes over. */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { pause } from './real-time.js';
import { Chance } from '../support/chance.js';
import type { ChainOptions } from './crash-chain.js';
import { checkRound, CrashChain } from './crash-chain.js';
import type { RelayProcess } from './relay-process.js';

const CALLS = 6;

/** @returns what is to be done once the next relay has carried everything out */
type End = (relay: RelayProcess, chain: CrashChain) => Promise<(() => Promise<void>) | undefined>;

export async function rounds(
  count: number,
  seed: number,
  end: End,
  options?: ChainOptions,
): Promise<string> {
  const chance = new Chance(seed);
  const chain = await CrashChain.start(options);
  // Tasks go to one address, behind which relays come and go.
  const door = await Door.open();
  chain.serviceUrl = door.url;
  let repeated = 0;
  let unknown = 0;
  let relay = await chain.relay();
  try {
    for (let round = 0; round < count; round++) {
      door.leadTo(relay);
      chain.answering(false);
      chain.seen.length = 0;
      const often = (await relay.enqueue(chain.calls(CALLS, 'at-least-once'))).map(({ id }) => id);
      const once = (await relay.enqueue(chain.calls(CALLS, 'never-after-sent'))).map(
        ({ id }) => id,
      );
      // At any moment: before they are sent, while they are open, while they are being answered.
      const open = chance.between(0, 2 * CALLS);
      await chain.target.until(() => chain.seen.length >= open);
      await pause(chance.between(0, 30));
      if (chance.is(0.5)) chain.answering(true);
      await pause(chance.between(0, 5));
      const after = await end(relay, chain);
      chain.answering(true);
      const next = await chain.relay();
      // A process that has stopped would hold its deliveries until their deadline.
      door.cut();
      door.leadTo(next);
      const ids = [...often, ...once];
      const records = await chain.ended(next, ids);
      await after?.();
      const again = await next.status(ids);
      checkRound(chain.seen, { often, once }, again);
      // One outcome, whoever of those that were ended comes late with another.
      assert.deepEqual(again, records);
      repeated += chain.seen.length - new Set(chain.seen.map(({ key }) => key)).size;
      unknown += again.filter(({ reason }) => reason === 'unknown').length;
      relay = next;
    }
    return `${count} rounds of ${2 * CALLS} calls: ${repeated} were repeated under their key, ${unknown} that must not be sent twice are unknown, none was lost`;
  } finally {
    await relay.end();
    door.close();
    await chain.close();
  }
}

/** A port that hands its connections on to the relay of the moment. */
class Door {
  private port = 0;
  private readonly open = new Set<Socket>();
  private readonly server = createServer((socket) => {
    const on = connect(this.port, '127.0.0.1');
    socket.pipe(on).pipe(socket);
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    for (const [one, other] of [
      [socket, on],
      [on, socket],
    ] as const) {
      one.on('error', () => undefined);
      one.once('close', () => other.destroy());
    }
  });

  static async open(): Promise<Door> {
    const door = new Door();
    door.server.listen(0, '127.0.0.1');
    await once(door.server, 'listening');
    return door;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  leadTo(relay: RelayProcess): void {
    this.port = Number(new URL(relay.url).port);
  }

  /** Ends the connections that there are. */
  cut(): void {
    for (const socket of this.open) socket.destroy();
  }

  close(): void {
    this.server.close();
    this.cut();
  }
}
