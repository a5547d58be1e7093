/**
 * A resolver that changes its mind: each look-up of an allowed name gets other addresses, good ones,
 * bad ones and both. Every call that is made went to a good one, and none whose look-up had a bad one.
 */
import { MINUTE } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundError } from '../../src/outbound/outbound-error.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import { Chance } from '../support/chance.js';
import { RawUpstream } from '../support/raw-upstream.js';
import { TestNetwork } from '../support/test-network.js';

export const size = 5_000;

const AT_ONCE = 16;

/** Prefix and its length, as the standards have them. */
const REFUSED_V4: readonly [prefix: number, bits: number][] = [
  ...([
    [0x00000000, 8],
    [0x0a000000, 8],
    [0x64400000, 10],
    [0x7f000000, 8],
    [0xa9fe0000, 16],
    [0xac100000, 12],
  ] as const),
  ...([
    [0xc0000000, 24],
    [0xc0000200, 24],
    [0xc0586300, 24],
    [0xc0a80000, 16],
    [0xc6120000, 15],
    [0xc6336400, 24],
  ] as const),
  ...([
    [0xcb007100, 24],
    [0xe0000000, 4],
    [0xf0000000, 4],
    [0xa83f8110, 32],
  ] as const),
].map(([prefix, bits]) => [prefix, bits]);

const REFUSED_V6 = [
  ...['::1', '::', '::ffff:93.184.216.34', '::93.184.216.34', '64:ff9b::5db8:d822', '100::1'],
  ...['2001::1', '2001:20::1', '2001:db8::1', '2002:5db8:d822::1', '3fff::1', '5f00::1', '4000::1'],
  ...['fc00::1', 'fd20:ce::254', 'fd00:ec2::254', 'fe80::1', 'fe80::1%eth0', 'ff02::1'],
];

export async function run(count: number, seed: number): Promise<string> {
  const upstream = await RawUpstream.listen(
    () => 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    { tls: true },
  );
  const network = new TestNetwork(upstream.port);
  const policy = new OutboundPolicy({ rules: [{ origin: 'https://*.hooks.example.com' }] });
  const client = new OutboundClient(policy, new SystemClock(), network.options);
  const figures = { called: 0, refused: 0 };
  try {
    for (let first = 0; first < count; first += AT_ONCE) {
      const cases = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) => {
        const index = first + at;
        const chance = new Chance(seed + index * 7919);
        // One of its own in every batch, so that each look-up is known by its name.
        return { index, name: `h${at}.hooks.example.com`, ...answer(chance) };
      });
      const byName = new Map(cases.map((one) => [one.name, one]));
      network.names = async (name) => byName.get(name)?.addresses ?? [];
      network.opened.length = 0;
      upstream.heads.length = 0;
      await Promise.all(
        cases.map(async ({ index, name, addresses, isGood }) => {
          const outcome = await call(client, policy, `https://${name}/${index}`);
          if (outcome === (isGood ? 200 : 'refused')) return;
          throw new Error(`case ${index}: ${addresses.join(', ')} ended with ${outcome}`);
        }),
      );
      const good = cases.filter(({ isGood }) => isGood);
      for (const { address, servername } of network.opened) {
        const known = good.find(({ name }) => name === servername);
        if (!known?.addresses.includes(address)) {
          throw new Error(`cases from ${first}: ${servername ?? ''} was called at ${address}`);
        }
      }
      if (upstream.heads.length !== good.length) throw new Error(`cases from ${first}: too many`);
      figures.called += good.length;
      figures.refused += cases.length - good.length;
    }
    return `${count} look-ups: ${figures.called} good ones called, ${figures.refused} refused, 0 calls to a bad address`;
  } finally {
    await client.close();
    await upstream.close();
  }
}

async function call(client: OutboundClient, policy: OutboundPolicy, url: string) {
  try {
    const target = policy.permit(url);
    const { status, body } = await client.call(target, { method: 'GET', deadline: MINUTE });
    await body.toArray();
    return status;
  } catch (error) {
    if (error instanceof OutboundError) return error.failure;
    throw error;
  }
}

function answer(chance: Chance): { addresses: string[]; isGood: boolean } {
  const addresses = Array.from({ length: chance.between(1, 4) }, () => good(chance));
  const isGood = chance.is(0.5);
  if (!isGood)
    addresses.splice(chance.between(0, addresses.length), chance.between(0, 4), bad(chance));
  return { addresses, isGood };
}

function bad(chance: Chance): string {
  if (chance.is(0.4)) return chance.pick(REFUSED_V6);
  const [prefix, bits] = chance.pick(REFUSED_V4);
  return dotted(prefix + Math.floor(chance.next() * 2 ** (32 - bits)));
}

function good(chance: Chance): string {
  if (chance.is(0.3)) {
    const word = () => chance.between(1, 0xffff).toString(16);
    return `2${chance.pick(['003', '400', '606', 'a00'])}:${word()}::${word()}`;
  }
  for (;;) {
    const value = Math.floor(chance.next() * 2 ** 32);
    const isBad = REFUSED_V4.some(
      ([prefix, bits]) =>
        Math.floor(value / 2 ** (32 - bits)) === Math.floor(prefix / 2 ** (32 - bits)),
    );
    if (!isBad) return dotted(value);
  }
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}
