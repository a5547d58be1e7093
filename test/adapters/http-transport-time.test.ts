// Apart from the other tests of the transport, since undici's timers must be fake from the first.
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { HttpTransport } from '../../src/adapters/http-transport.js';
import type { Dispatch } from '../../src/engine/ports.js';
import { Loopback } from '../support/loopback.js';

const NEVER = new AbortController().signal;
const servers = new Loopback();
const transport = new HttpTransport({ secret: '' });

beforeAll(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});

afterEach(() => servers.close());
afterAll(() => transport.close());

function post(url: string): Dispatch {
  const task = 'projects/p/locations/l/queues/q/tasks/t';
  return { task, target: { kind: 'http', url }, method: 'POST', headers: {} };
}

test('a silent handler is waited for a day', async () => {
  const reached = Promise.withResolvers<() => void>();
  const url = await servers.http((_, response) => reached.resolve(() => response.end()));
  const sent = transport.send(post(url), NEVER);
  const answer = await reached.promise;
  await jest.advanceTimersByTimeAsync(24 * 3600 * 1000);
  answer();
  expect(await sent).toEqual({ kind: 'response', status: 200 });
});

test('a body that pauses is waited for half a minute, then dropped', async () => {
  const begun = Promise.withResolvers<Socket>();
  const url = await servers.bytes((_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => begun.resolve(socket));
  });
  let done = false;
  const sent = transport.send(post(url), NEVER).finally(() => (done = true));
  const socket = await begun.promise;
  const closed = once(socket, 'close');
  // Until the client has read what was written to its socket.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  await jest.advanceTimersByTimeAsync(28_000);
  expect(done).toBe(false);
  await jest.advanceTimersByTimeAsync(4_000);
  expect(await sent).toEqual({ kind: 'response', status: 200 });
  await closed;
});
