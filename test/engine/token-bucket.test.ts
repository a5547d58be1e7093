import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MILLISECOND, SECOND } from '../../src/engine/time.js';
import { TokenBucket } from '../../src/engine/token-bucket.js';

const rates = fc.double({ min: 0.01, max: 500, noNaN: true });
const bursts = fc.integer({ min: 1, max: 100 });

/** Takes whatever may be taken up to `end`, as early as it may be. */
function takeAll(bucket: TokenBucket, start: number, end: number): number[] {
  const taken: number[] = [];
  for (let at = bucket.nextAt(start); at <= end; at = bucket.nextAt(at)) {
    expect(bucket.take(at)).toBe(true);
    taken.push(at);
  }
  return taken;
}

describe('TokenBucket', () => {
  test('gives the burst at once, then one token each interval', () => {
    const taken = takeAll(new TokenBucket(5, 3, 0), 0, SECOND);
    expect(taken.map((at) => at / MILLISECOND)).toEqual([0, 0, 0, 200, 400, 600, 800, 1000]);
  });

  test('half a token a second is one each two seconds', () => {
    const taken = takeAll(new TokenBucket(0.5, 1, 0), 0, 10 * SECOND);
    expect(taken.map((at) => at / SECOND)).toEqual([0, 2, 4, 6, 8, 10]);
  });

  test('in any span there are never more than the burst and what the rate gives', () => {
    fc.assert(
      fc.property(
        rates,
        bursts,
        fc.array(fc.nat(2 * SECOND), { maxLength: 200 }),
        (rate, burst, waits) => {
          const bucket = new TokenBucket(rate, burst, 0);
          const taken: number[] = [];
          let now = 0;
          for (const wait of waits) {
            now += wait;
            if (bucket.take(now)) taken.push(now);
          }
          taken.forEach((from, first) => {
            taken.slice(first).forEach((to, more) => {
              expect(more + 1).toBeLessThanOrEqual(burst + ((to - from) / SECOND) * rate + 1e-6);
            });
          });
        },
      ),
    );
  });

  test('says exactly when the next token is there: not earlier, and then for certain', () => {
    fc.assert(
      fc.property(rates, bursts, fc.nat(100), (rate, burst, takes) => {
        const bucket = new TokenBucket(rate, burst, 0);
        let now = 0;
        for (let i = 0; i < takes; i++) {
          now = bucket.nextAt(now);
          expect(bucket.take(now)).toBe(true);
        }
        const next = bucket.nextAt(now);
        if (next > now) expect(bucket.take(next - 1)).toBe(false);
        expect(bucket.take(next)).toBe(true);
      }),
    );
  });

  test('a new rate keeps the tokens that are there, and no more than the new burst', () => {
    const bucket = new TokenBucket(10, 10, 0);
    for (let i = 0; i < 8; i++) bucket.take(0);
    bucket.configure(1, 10, 0);
    expect(takeAll(bucket, 0, 0)).toHaveLength(2);
    bucket.configure(1, 3, 100 * SECOND);
    expect(takeAll(bucket, 100 * SECOND, 100 * SECOND)).toHaveLength(3);
  });
});
