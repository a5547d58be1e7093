/** What every PayloadStore does, wherever it keeps its payloads: each sentence of the port, shown. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import type { PayloadStore } from '../../src/foundation/payload-store.js';

const MOST = 64 * 1024 * 1024;

export interface OpenStore {
  readonly store: PayloadStore;
  /** The same payloads, as another process sees them. */
  readonly other: PayloadStore;
  close(): Promise<void>;
}

/** @param open a fresh, empty store. */
export function describePayloadStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} as a PayloadStore`, () => {
    let opened: OpenStore;
    let store: PayloadStore;
    const key = (day = '2030-01-31') => `${day}/${randomUUID()}`;

    beforeEach(async () => {
      opened = await open();
      ({ store } = opened);
    });
    afterEach(() => opened.close());

    test.each([
      ['nothing', 0],
      ['one byte', 1],
      ['5 MB of any bytes', 5_000_000],
    ])('gives back %s', async (_, length) => {
      const bytes = randomBytes(length);
      const at = key();
      await store.put(at, bytes);
      expect(Buffer.compare((await opened.other.get(at, MOST)) ?? Buffer.of(7), bytes)).toBe(0);
    });

    test('gives back a part of a larger buffer as that part alone', async () => {
      const at = key();
      await store.put(at, Buffer.from('0123456789').subarray(3, 6));
      expect(Buffer.from((await store.get(at, MOST)) ?? []).toString()).toBe('345');
    });

    test('knows nothing of what was never put', async () => {
      expect(await store.get(key(), MOST)).toBeUndefined();
    });

    test('reads no more than the limit', async () => {
      const at = key();
      await store.put(at, Buffer.from('0123456789'));
      expect(Buffer.from((await store.get(at, 4)) ?? []).toString()).toBe('0123');
      expect(Buffer.from((await store.get(at, 10)) ?? []).toString()).toBe('0123456789');
    });

    test('copies what outlives its original', async () => {
      const [from, to] = [key('2030-01-31'), key('2030-03-01')];
      await store.put(from, Buffer.from('payload'));
      expect(await store.copy(from, to)).toBe(true);
      expect(await store.removeBefore('2030-02-01')).toBe(1);
      expect(await store.get(from, MOST)).toBeUndefined();
      expect(Buffer.from((await store.get(to, MOST)) ?? []).toString()).toBe('payload');
    });

    test('copies nothing of what is not there', async () => {
      const to = key();
      expect(await store.copy(key(), to)).toBe(false);
      expect(await store.get(to, MOST)).toBeUndefined();
    });

    test('removes whole days before a day, and none after', async () => {
      const days = ['2029-12-31', '2030-01-30', '2030-01-31', '2030-02-01'];
      const keys = days.map((day) => key(day));
      for (const at of keys) await store.put(at, Buffer.from(at));
      expect(await store.removeBefore('2030-01-31')).toBe(2);
      const left = await Promise.all(keys.map((at) => store.get(at, MOST)));
      expect(left.map((bytes) => bytes !== undefined)).toEqual([false, false, true, true]);
      expect(await store.removeBefore('2030-01-31')).toBe(0);
    });

    test('lets two processes clear at once', async () => {
      const keys = Array.from({ length: 30 }, () => key('2029-01-01'));
      await Promise.all(keys.map((at) => store.put(at, Buffer.from('x'))));
      await Promise.all([
        store.removeBefore('2030-01-01'),
        opened.other.removeBefore('2030-01-01'),
      ]);
      for (const at of keys) expect(await store.get(at, MOST)).toBeUndefined();
    });
  });
}
