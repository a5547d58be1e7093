import { expect, test } from '@jest/globals';
import { ShiftedClock } from '../../src/adapters/shifted-clock.js';
import { MINUTE, SECOND } from '../../src/engine/time.js';
import { settled, VirtualClock } from '../support/virtual-clock.js';

function clocks(): { base: VirtualClock; clock: ShiftedClock } {
  const base = new VirtualClock();
  return { base, clock: new ShiftedClock(base) };
}

test('is the other clock until it is put ahead, and then goes on with it', async () => {
  const { base, clock } = clocks();
  expect(clock.now()).toBe(base.now());
  clock.advance(30 * MINUTE);
  clock.advance(MINUTE);
  await base.advance(SECOND);
  expect(clock.now()).toBe(base.now() + 31 * MINUTE);
  expect(clock.ahead).toBe(31 * MINUTE);
  clock.reset();
  expect(clock.now()).toBe(base.now());
});

test('calls what came due by a jump, in order and once, and not while it jumps', async () => {
  const { base, clock } = clocks();
  const called: string[] = [];
  const start = clock.now();
  clock.at(start + 20 * MINUTE, () => called.push('second'));
  clock.at(start + 10 * MINUTE, () => called.push('first'));
  clock.at(start + 31 * MINUTE, () => called.push('later'));
  clock.at(start + 5 * MINUTE, () => called.push('cancelled')).cancel();
  clock.advance(30 * MINUTE);
  expect(called).toEqual([]);
  await base.advance(0);
  expect(called).toEqual(['first', 'second']);
  await base.advance(MINUTE);
  expect(called).toEqual(['first', 'second', 'later']);
  clock.advance(30 * MINUTE);
  await base.advance(MINUTE);
  expect(called).toHaveLength(3);
  expect(base.timers).toBe(0);
});

test('keeps what waits at its distance when it goes back', async () => {
  const { base, clock } = clocks();
  let called = false;
  clock.advance(10 * MINUTE);
  const timer = clock.at(clock.now() + MINUTE, () => (called = true));
  clock.reset();
  await base.advance(10 * MINUTE);
  expect(called).toBe(false);
  timer.cancel();
  await base.advance(MINUTE);
  await settled();
  expect(called).toBe(false);
  expect(base.timers).toBe(0);
});
