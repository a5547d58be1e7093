/** docs/demo.sh shows what it says it shows. */
import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const lines = (text: string, pattern: RegExp) =>
  text.split('\n').filter((line) => pattern.test(line));
/** The seconds in a line: `after 0.26 0.51 seconds`. */
const seconds = (line = '') => (line.match(/\d+\.\d\d/g) ?? []).map(Number);

test('de-duplication, rate, retry and scheduling, one after the other', async () => {
  const { stdout, stderr } = await promisify(execFile)('bash', ['docs/demo.sh']);
  expect(stderr).toBe('');
  expect(lines(stdout, /^\d\. /).map((line) => line.split(':')[0])).toEqual([
    '1. De-duplication',
    '2. Rate',
    '3. Retry',
    '4. Later',
  ]);

  expect(stdout).toMatch(/first: +200 created\n +second: 409 .* existed too recently/);
  expect(stdout).toContain('It arrived 1 time(s).');

  // Never faster than the queue's rate, however slow the machine is.
  const arrived = seconds(lines(stdout, /They arrived after/)[0]);
  expect(arrived).toHaveLength(8);
  arrived.forEach((at, index) => expect(at).toBeGreaterThanOrEqual(index / 4 - 0.05));

  const attempts = lines(stdout, /attempt \d after/);
  expect(attempts.map((line) => line.split(': ')[1])).toEqual(['500', '500', '200']);
  const [first = 0, second = 0, third = 0] = attempts.flatMap((line) => seconds(line));
  expect(second - first).toBeGreaterThanOrEqual(0.45);
  expect(third - second).toBeGreaterThanOrEqual(0.95);

  const [later = 0] = seconds(lines(stdout, /It arrived after/)[0]);
  expect(later).toBeGreaterThanOrEqual(1.99);
});
