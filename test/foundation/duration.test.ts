/** Durations as people write them. */
import { describe, expect, test } from '@jest/globals';
import { parseDuration } from '../../src/foundation/duration.js';
import { DAY, HOUR, MILLISECOND, MINUTE, SECOND } from '../../src/engine/time.js';

test.each([
  ['1500ms', 1500 * MILLISECOND],
  ['0s', 0],
  ['30s', 30 * SECOND],
  ['10m', 10 * MINUTE],
  ['24h', 24 * HOUR],
  ['30d', 30 * DAY],
  ['007s', 7 * SECOND],
])('%s', (text, duration) => {
  expect(parseDuration(text, 'countdown')).toBe(duration);
});

describe('is refused', () => {
  test.each(['', '30', 's', '-1s', '1.5h', '1e3s', ' 1s', '1s ', '1 s', '1S', '1w', '1m30s', '١s'])(
    "'%s'",
    (text) => {
      expect(() => parseDuration(text, 'countdown')).toThrow(
        `countdown: expected a duration such as '1500ms', '30s', '10m', '24h' or '30d', got '${text}'.`,
      );
    },
  );

  test('beyond what can be counted exactly', () => {
    expect(() => parseDuration('999999999999999d', 'countdown')).toThrow(/^countdown: /);
  });

  test.each([30, NaN, 0])('a bare number: %s', (value) => {
    expect(() => parseDuration(value, 'countdown')).toThrow(
      `countdown: expected a number with its unit, got ${value}; write '${value}s' or '${value}m'.`,
    );
  });

  test.each([undefined, null, {}, true, 1n])('what is no text: %s', (value) => {
    expect(() => parseDuration(value, 'countdown')).toThrow(
      /got (undefined|object|boolean|bigint)/,
    );
  });
});
