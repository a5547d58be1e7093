import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { printable } from '../../src/foundation/printable.js';

test('shows plain text as it is', () => {
  expect(printable('{"héllo": "wörld \\n", "emoji": "🙂"}')).toBe(
    '{"héllo": "wörld \\n", "emoji": "🙂"}',
  );
});

test('escapes what a terminal or a log would act on', () => {
  expect(printable('a\r\n\tb\u001b[31m\u0000\u007f\u009b\u2028\u202e\ufeff\ud800')).toBe(
    'a\\r\\n\\tb\\u001b[31m\\u0000\\u007f\\u009b\\u2028\\u202e\\ufeff\\ud800',
  );
});

test('cuts long text, never through a character', () => {
  expect(printable('x'.repeat(100))).toBe(`${'x'.repeat(60)}...`);
  expect(printable('🙂🙂', 3)).toBe('🙂\ufffd...');
});

test('gives one line of whatever comes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text, Infinity)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});
