/** Which addresses are public: each range with its first and last, and its neighbours just outside. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isLoopbackAddress,
  isPublicAddress,
  isSameAddress,
} from '../../src/outbound/address-policy.js';

// Cases 69 and 70. First, last, and what is public just before and after.
const REFUSED: [range: string, inside: string[], outside: string[]][] = [
  ['0/8', ['0.0.0.0', '0.0.0.1', '0.255.255.255'], ['1.0.0.0']],
  ['10/8', ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0']],
  [
    '100.64/10',
    ['100.64.0.0', '100.64.0.1', '100.127.255.255'],
    ['100.63.255.254', '100.63.255.255', '100.128.0.0', '100.128.0.1'],
  ],
  ['127/8', ['127.0.0.0', '127.0.0.1', '127.255.255.255'], ['126.255.255.255', '128.0.0.0']],
  [
    '169.254/16',
    ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
    ['169.253.255.255', '169.255.0.0'],
  ],
  ['172.16/12', ['172.16.0.0', '172.31.255.255'], ['172.15.255.255', '172.32.0.0']],
  ['192.0.0/24', ['192.0.0.0', '192.0.0.255'], ['191.255.255.255', '192.0.1.0']],
  ['192.0.2/24', ['192.0.2.0', '192.0.2.255'], ['192.0.1.255', '192.0.3.0']],
  ['192.88.99/24', ['192.88.99.0', '192.88.99.255'], ['192.88.98.255', '192.88.100.0']],
  ['192.168/16', ['192.168.0.0', '192.168.255.255'], ['192.167.255.255', '192.169.0.0']],
  ['198.18/15', ['198.18.0.0', '198.18.0.1', '198.19.255.255'], ['198.17.255.255', '198.20.0.0']],
  ['198.51.100/24', ['198.51.100.0', '198.51.100.255'], ['198.51.99.255', '198.51.101.0']],
  ['203.0.113/24', ['203.0.113.0', '203.0.113.255'], ['203.0.112.255', '203.0.114.0']],
  ['224/3', ['224.0.0.0', '239.255.255.255', '240.0.0.1', '255.255.255.255'], ['223.255.255.255']],
  ['168.63.129.16', ['168.63.129.16'], ['168.63.129.15', '168.63.129.17']],
  ['below 2000::/3', ['::', '::1', '::127.0.0.1', '1fff:ffff::'], ['2000::']],
  ['above 2000::/3', ['4000::', '4000::1', '5f00::1', '8000::1', 'ffff::'], ['3ffe:ffff::']],
  ['mapped', ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1'], []],
  ['translated', ['64:ff9b::7f00:1', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1'], []],
  ['local', ['fc00::1', 'fd00:ec2::254', 'fd20:ce::254', 'fe80::1', 'fec0::1', 'ff02::1'], []],
  [
    '2001::/23',
    ['2001::', '2001:0:7f00:1::', '2001:10::1', '2001:20::1', '2001:1ff:ffff::'],
    ['2000:ffff:ffff::', '2001:200::', '2001:4860:4860::8888'],
  ],
  ['2001:db8::/32', ['2001:db8::', '2001:db8:ffff::1'], ['2001:db7:ffff::', '2001:db9::']],
  ['2002::/16', ['2002::', '2002:7f00:1::', '2002:ffff::'], ['2001:ffff::', '2003::']],
  ['3fff::/20', ['3fff::', '3fff:fff:ffff::'], ['3ffe:ffff::', '3fff:1000::']],
];

describe.each(REFUSED)('%s', (_, inside, outside) => {
  test.each(inside)('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));
  if (outside.length > 0) {
    test.each(outside)('%s is', (address) => expect(isPublicAddress(address)).toBe(true));
  }
});

test.each([
  ...['', 'localhost', '8.8.8', '8.8.8.8.8', '08.8.8.8', '0x8.8.8.8', '134744072', '8.8.8.8 '],
  ...['[2003::1]', '2003::1%eth0', 'fe80::1%1', '2003:::1', ':2003::1', '8.8.8.8/32', '8.8.8.256'],
])('%j is no address, and so not public', (text) => {
  expect([isPublicAddress(text), isLoopbackAddress(text)]).toEqual([false, false]);
});

test.each([
  ['127.0.0.0', true],
  ['127.255.255.255', true],
  ['126.255.255.255', false],
  ['128.0.0.0', false],
  ['::1', true],
  ['0:0:0:0:0:0:0:1', true],
  ['::', false],
  ['::2', false],
  ['::1:1', false],
  ['::ffff:127.0.0.1', false],
  ['7f00::1', false],
  ['8.8.8.8', false],
])('%s is loopback: %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});

test('an address is the same however it is written', () => {
  expect(isSameAddress('2003::1', '2003:0:0:0:0:0:0.0.0.1')).toBe(true);
  expect(isSameAddress('2003::ABCD', '2003::abcd')).toBe(true);
  expect(isSameAddress('2003::1', '2003::2')).toBe(false);
  expect(isSameAddress('8.8.8.8', '::808:808')).toBe(false);
  expect(isSameAddress('x', 'y')).toBe(false);
});

test('IPv6 reads as its 16 bytes say, in every spelling', () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(bytes, (bytes) => {
      const words = Array.from({ length: 8 }, (_, word) =>
        (((bytes[word * 2] ?? 0) << 8) | (bytes[word * 2 + 1] ?? 0)).toString(16),
      );
      const plain = words.join(':');
      const short = new URL(`http://[${plain}]`).hostname.slice(1, -1);
      const tail = [...words.slice(0, 6), Array.from(bytes.slice(12)).join('.')].join(':');
      expect(isSameAddress(plain, short)).toBe(true);
      expect(isSameAddress(plain, tail)).toBe(true);
      // By the definition of the ranges, over one number.
      const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
      const isIn = (prefix: bigint, bits: bigint) => value >> (128n - bits) === prefix;
      const expected =
        isIn(0b001n, 3n) &&
        !isIn(0x2001_00n >> 1n, 23n) &&
        !isIn(0x2001_0db8n, 32n) &&
        !isIn(0x2002n, 16n) &&
        !isIn(0x3fff0n, 20n);
      expect(isPublicAddress(plain)).toBe(expected);
    }),
    { numRuns: 500 },
  );
});
