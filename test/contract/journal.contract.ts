/** What every Journal does, whatever it keeps its entries in: each sentence of the interface. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryJournal } from '../../src/adapters/journal-memory.js';
import type { Clock } from '../../src/engine/ports.js';
import { HOUR, MINUTE, SECOND } from '../../src/engine/time.js';
import type { Journal } from '../../src/foundation/journal.js';
import { VirtualClock } from '../support/virtual-clock.js';

export interface JournalUnderTest {
  /** Opens the same store each time; without a clock by that of its own. */
  open(clock?: Clock): Promise<Journal>;
  /** Whether each opening has entries of its own. */
  readonly private?: boolean;
  close?(): Promise<void>;
}

const LEASE = 30 * SECOND;
const TTL = HOUR;

export function describeJournal(name: string, start: () => Promise<JournalUnderTest>): void {
  describe(`${name} as a Journal`, () => {
    let store: JournalUnderTest;
    let clock: VirtualClock;
    let journal: Journal;
    let other: Journal;
    let key: string;
    let keys = 0;

    beforeAll(async () => {
      store = await start();
      clock = new VirtualClock();
      journal = await store.open(clock);
      other = store.private ? journal : await store.open(clock);
    }, 30_000);

    afterAll(async () => {
      await journal.close();
      await other.close();
      await store.close?.();
    });

    beforeEach(() => {
      key = `key ${keys++} ü😀'"\\`;
    });

    const claimed = async (from = journal): Promise<number> => {
      const claim = await from.claim(key, LEASE);
      if (claim.state !== 'claimed') throw new Error(`It was ${claim.state}.`);
      return claim.fence;
    };

    test('knows nothing of a key that nobody claimed', async () => {
      expect(await journal.read(key)).toBeUndefined();
      expect(await journal.renew(key, 1, LEASE)).toBe(false);
      expect(await journal.complete(key, 1, 'x', TTL)).toBe(false);
      expect(await journal.release(key, 1)).toBe(false);
      expect(await journal.read(key)).toBeUndefined();
    });

    test('gives a key to one only, until the lease has lapsed', async () => {
      const fence = await claimed();
      const running = { state: 'running', fence, until: clock.now() + LEASE };
      expect(await other.claim(key, LEASE)).toEqual(running);
      expect(await other.read(key)).toEqual(running);
      await clock.advance(LEASE - 1);
      expect(await other.claim(key, LEASE)).toEqual(running);
      await clock.advance(1);
      expect(await other.read(key)).toBeUndefined();
      expect(await claimed(other)).toBeGreaterThan(fence);
    });

    test('gives a key to one of many that ask at once', async () => {
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, index) => (index % 2 ? journal : other).claim(key, LEASE)),
      );
      const [winner] = claims.filter(({ state }) => state === 'claimed');
      expect(claims.filter(({ state }) => state === 'running')).toHaveLength(39);
      expect(await journal.read(key)).toMatchObject({ ...winner, state: 'running' });
    });

    test('keeps keys apart', async () => {
      await claimed();
      expect(await journal.claim(`${key} `, LEASE)).toMatchObject({ state: 'claimed' });
      expect(await journal.claim(key.toUpperCase(), LEASE)).toMatchObject({ state: 'claimed' });
    });

    test('makes a lease last longer', async () => {
      const fence = await claimed();
      await clock.advance(LEASE - SECOND);
      expect(await journal.renew(key, fence, LEASE)).toBe(true);
      await clock.advance(LEASE - SECOND);
      expect(await other.claim(key, LEASE)).toMatchObject({ state: 'running', fence });
    });

    test('renews a lease that lapsed, as long as nobody took the key over', async () => {
      const fence = await claimed();
      await clock.advance(2 * LEASE);
      expect(await journal.renew(key, fence, LEASE)).toBe(true);
      expect(await other.claim(key, LEASE)).toMatchObject({ state: 'running', fence });
    });

    test('tells everybody how it ended', async () => {
      const fence = await claimed();
      const outcome = '{"result":"ü😀\\u0000","n":1}';
      expect(await journal.complete(key, fence, outcome, TTL)).toBe(true);
      const done = { state: 'done', outcome, until: clock.now() + TTL };
      expect(await other.read(key)).toEqual(done);
      expect(await other.claim(key, LEASE)).toEqual(done);
    });

    test('keeps an outcome as long as it was told, however short the lease was', async () => {
      const fence = await claimed();
      await journal.complete(key, fence, '', TTL);
      await clock.advance(TTL - 1);
      expect(await other.read(key)).toMatchObject({ state: 'done', outcome: '' });
      await clock.advance(1);
      expect(await other.read(key)).toBeUndefined();
      expect(await claimed(other)).toBeGreaterThan(fence);
    });

    test('takes an outcome also after the lease has lapsed, and twice', async () => {
      const fence = await claimed();
      await clock.advance(2 * LEASE);
      expect(await journal.complete(key, fence, 'late', TTL)).toBe(true);
      expect(await journal.complete(key, fence, 'late', TTL)).toBe(true);
      expect(await other.read(key)).toMatchObject({ state: 'done', outcome: 'late' });
    });

    test('takes the first outcome only, whoever of those who know the fence brings it', async () => {
      const fence = await claimed();
      const running = await other.claim(key, LEASE);
      const known = running.state === 'running' ? running.fence : NaN;
      expect(await other.complete(key, known, 'ended', TTL)).toBe(true);
      expect(await journal.renew(key, fence, LEASE)).toBe(false);
      expect(await journal.complete(key, fence, 'late', 2 * TTL)).toBe(false);
      expect(await journal.complete(key, fence, '', 2 * TTL)).toBe(false);
      const done = { state: 'done', outcome: 'ended', until: clock.now() + TTL };
      expect(await journal.read(key)).toEqual(done);
    });

    test('is never moved by a holder that was fenced off', async () => {
      const old = await claimed();
      await clock.advance(LEASE);
      const fence = await claimed(other);
      expect(await journal.renew(key, old, LEASE)).toBe(false);
      expect(await journal.complete(key, old, 'old', TTL)).toBe(false);
      expect(await journal.release(key, old)).toBe(false);
      expect(await journal.read(key)).toMatchObject({ state: 'running', fence });
      await other.complete(key, fence, 'new', TTL);
      expect(await journal.renew(key, old, LEASE)).toBe(false);
      expect(await journal.complete(key, old, 'old', TTL)).toBe(false);
      expect(await journal.release(key, old)).toBe(false);
      expect(await journal.read(key)).toMatchObject({ state: 'done', outcome: 'new' });
    });

    test('gives a released key to the next, with a greater fence', async () => {
      const fence = await claimed();
      expect(await journal.release(key, fence)).toBe(true);
      expect(await journal.read(key)).toBeUndefined();
      expect(await claimed(other)).toBeGreaterThan(fence);
      expect(await journal.complete(key, fence, 'x', TTL)).toBe(false);
    });

    test('keeps an outcome that its own holder would renew or release', async () => {
      const fence = await claimed();
      await journal.complete(key, fence, 'kept', TTL);
      expect(await journal.renew(key, fence, LEASE)).toBe(false);
      expect(await journal.release(key, fence)).toBe(false);
      expect(await journal.read(key)).toMatchObject({ outcome: 'kept', until: clock.now() + TTL });
    });

    test('notes outcomes that nobody claimed, the last of a key', async () => {
      const notes = [
        { key, outcome: 'a', ttl: TTL },
        { key: `${key}2`, outcome: 'b', ttl: MINUTE },
      ];
      await journal.note(notes);
      await other.note([{ key, outcome: 'c', ttl: TTL }]);
      const until = clock.now() + TTL;
      expect(await journal.read(key)).toEqual({ state: 'done', outcome: 'c', until });
      expect(await other.read(`${key}2`)).toMatchObject({ outcome: 'b' });
      await clock.advance(MINUTE);
      expect(await other.read(`${key}2`)).toBeUndefined();
      await journal.note([]);
    });

    test('notes a key twice at once', async () => {
      const note = (outcome: string) => ({ key, outcome, ttl: TTL });
      await journal.note([note('first'), note('second')]);
      expect(await journal.read(key)).toMatchObject({ outcome: 'second' });
    });

    test('keeps an outcome of a quarter of a megabyte', async () => {
      const outcome = 'é'.repeat(2 ** 17);
      await journal.complete(key, await claimed(), outcome, TTL);
      expect(await other.read(key)).toMatchObject({ outcome });
    });

    test('expires what has ended, and nothing else', async () => {
      const fence = await claimed();
      await journal.note([{ key: `${key} kept`, outcome: 'kept', ttl: TTL }]);
      await journal.note([{ key: `${key} gone`, outcome: 'gone', ttl: SECOND }]);
      await clock.advance(2 * SECOND);
      await journal.expire();
      expect(await journal.read(`${key} gone`)).toBeUndefined();
      expect(await journal.read(`${key} kept`)).toMatchObject({ outcome: 'kept' });
      expect(await journal.read(key)).toMatchObject({ fence });
    });

    test('goes by a clock that all who open it share', async () => {
      if (store.private) return;
      const [one, two] = [await store.open(), await store.open()];
      const before = Date.now() * 1000;
      const claim = await one.claim(key, LEASE);
      const entry = await two.claim(key, LEASE);
      expect(claim).toMatchObject({ state: 'claimed' });
      expect(entry).toMatchObject({ ...claim, state: 'running' });
      expect(Math.abs(entry.state === 'running' ? entry.until - before - LEASE : NaN)).toBeLessThan(
        10 * SECOND,
      );
      await one.close();
      await two.close();
    });

    test('answers whatever is asked of it as the model does', async () => {
      const model = new MemoryJournal(clock);
      const fences = new Map<string, { model: number; real: number }[]>();
      let run = 0;
      const name = fc.constantFrom('a', 'b');
      const which = fc.nat(3);
      const outcome = fc.constantFrom('o', 'p');
      const call = fc.oneof(
        fc.record({ verb: fc.constant('claim' as const), name }),
        fc.record({ verb: fc.constantFrom('renew', 'release'), name, which }),
        fc.record({ verb: fc.constant('complete' as const), name, which, outcome }),
        fc.record({ verb: fc.constantFrom('read', 'note', 'expire'), name }),
        fc.record({ verb: fc.constant('advance' as const), by: fc.integer({ min: 1, max: 40 }) }),
      );
      const bare = (entry: object | undefined) => entry && { ...entry, fence: undefined };
      await fc.assert(
        fc.asyncProperty(fc.array(call, { maxLength: 25 }), async (calls) => {
          run++;
          fences.clear();
          for (const step of calls) {
            if (step.verb === 'advance') {
              await clock.advance(step.by * SECOND);
              continue;
            }
            const full = `${key} ${run} ${step.name}`;
            const known = fences.get(full) ?? [];
            fences.set(full, known);
            const held = 'which' in step ? known.at(-1 - step.which) : undefined;
            const ask = async (target: Journal, fence: number) => {
              if (step.verb === 'claim') return target.claim(full, LEASE);
              if (step.verb === 'read') return target.read(full);
              if (step.verb === 'expire') return target.expire().then(() => undefined);
              if (step.verb === 'renew') return target.renew(full, fence, LEASE);
              if (step.verb === 'release') return target.release(full, fence);
              if ('outcome' in step) return target.complete(full, fence, step.outcome, 2 * LEASE);
              return target.note([{ key: full, outcome: 'n', ttl: LEASE }]);
            };
            const [expected, actual] = [
              await ask(model, held?.model ?? 0),
              await ask(journal, held?.real ?? 0),
            ];
            if (typeof expected !== 'object') expect(actual).toBe(expected);
            else expect(bare(actual as object)).toEqual(bare(expected));
            if (typeof expected === 'object' && expected.state === 'claimed') {
              const real = (actual as typeof expected).fence;
              expect(real).toBeGreaterThan(known.at(-1)?.real ?? 0);
              known.push({ model: expected.fence, real });
            }
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}
