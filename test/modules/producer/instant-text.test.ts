import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatInstant, parseInstant } from '../../../src/modules/producer/instant-text.js';

test.each([
  ['1970-01-01T00:00:00Z', 0],
  ['2026-01-31T09:30:00.123456789Z', Date.UTC(2026, 0, 31, 9, 30) * 1000 + 123_456],
  ['2026-01-31t09:30:00.5z', Date.UTC(2026, 0, 31, 9, 30) * 1000 + 500_000],
  ['2026-01-31T09:30:00+05:30', Date.UTC(2026, 0, 31, 4, 0) * 1000],
  ['2026-01-31T23:30:00-01:00', Date.UTC(2026, 1, 1, 0, 30) * 1000],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29) * 1000],
  ['0001-01-01T00:00:00Z', -62_135_596_800_000_000],
])('reads %s', (text, instant) => {
  expect(parseInstant(text)).toBe(instant);
});

test.each([
  '',
  'now',
  '2026-01-31',
  '2026-01-31T09:30:00',
  '2026-01-31 09:30:00Z',
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-31T24:00:00Z',
  '2026-01-31T09:60:00Z',
  '2026-01-31T09:30:60Z',
  '2026-01-31T09:30:00.Z',
  '2026-01-31T09:30:00.1234567890Z',
  '2026-01-31T09:30:00+24:00',
  '+275761-01-01T00:00:00Z',
  '275761-01-01T00:00:00Z',
  '-2026-01-31T09:30:00Z',
  ' 2026-01-31T09:30:00Z',
  '2026-01-31T09:30:00Z\n',
  '1767225600',
  'Infinity',
])('does not read %j', (text) => {
  expect(parseInstant(text)).toBeUndefined();
});

test('writes as many digits as there are', () => {
  expect(formatInstant(0)).toBe('1970-01-01T00:00:00Z');
  expect(formatInstant(1_500_000)).toBe('1970-01-01T00:00:01.500Z');
  expect(formatInstant(1_000_001)).toBe('1970-01-01T00:00:01.000001Z');
});

test('reads back what it writes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -9_007_199_254_740_991, max: 9_007_199_254_740_991 }),
      (instant) => {
        expect(parseInstant(formatInstant(instant))).toBe(instant);
      },
    ),
  );
});
