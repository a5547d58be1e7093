/** How this machine is called, and by what only it can be called. */
import { expect, test } from '@jest/globals';
import { isLoopback, reachable } from '../../src/foundation/loopback.js';

test.each(['127.0.0.1', '127.9.9.9', 'localhost', 'LOCALHOST', '::1', '[::1]'])(
  '%s is this machine alone',
  (host) => expect(isLoopback(host)).toBe(true),
);

test.each(['0.0.0.0', '::', '128.0.0.1', 'localhost.example', '127.0.0.1.example', ''])(
  '%j may be others too',
  (host) => expect(isLoopback(host)).toBe(false),
);

test.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '[::1]'],
  ['127.0.0.2', '127.0.0.2'],
  ['engine', 'engine'],
])('what listens on %s is called %s', (host, name) => expect(reachable(host)).toBe(name));
