import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { CloudTasksError } from '../../src/engine/errors.js';
import { SettingsError } from '../../src/settings/names.js';
import { startProblem } from '../../src/app/start-problem.js';

/** What listening there fails with. */
async function listenError(port: number, host: string): Promise<unknown> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    return error;
  } finally {
    server.close();
  }
  throw new Error(`Listened on ${host}:${port}.`);
}

describe('an address that can’t be had', () => {
  test('for its port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(startProblem(await listenError(port, '127.0.0.1'))).toBe(
      `port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another by PORT`,
    );
    other.close();
  });

  test('for its host', async () => {
    // Kept for documentation: no machine has it.
    expect(startProblem(await listenError(0, '192.0.2.1'))).toBe(
      '192.0.2.1 is not an address of this machine: choose another by HOST',
    );
  });

  test.each(['ENOTFOUND', 'EAI_AGAIN'])('for its name: %s', (code) => {
    const error = Object.assign(new Error('x'), { code, syscall: 'getaddrinfo', hostname: 'app' });
    expect(startProblem(error)).toBe(
      'app is not an address of this machine: choose another by HOST',
    );
  });
});

test.each([
  new SettingsError('PORT: expected a\n\u001b[31mport', 'PORT'),
  new CloudTasksError('INVALID_ARGUMENT', 'PORT: expected a\n\u001b[31mport'),
])('what is ours is one line, in which nothing acts: %p', (error) => {
  expect(startProblem(error)).toBe('PORT: expected a\\n\\u001b[31mport');
});

test('what nobody foresaw comes with its stack, a file’s error too', () => {
  for (const syscall of ['open', undefined]) {
    const error = Object.assign(new Error('no'), { code: 'EACCES', syscall });
    expect(startProblem(error)).toBe(error.stack);
  }
  expect(startProblem('text')).toBe('text');
  expect(startProblem(undefined)).toBe('undefined');
});
