import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import type { Routes } from '../../src/adapters/engine-server.js';
import { EngineServer } from '../../src/adapters/engine-server.js';
import { SECOND } from '../../src/engine/time.js';

let server: EngineServer;
let errors: unknown[];

const routes: Routes = {
  'GET /healthz': () => ({ status: 200, json: { status: 'ok' } }),
  'GET /readyz': async () => ({ status: 503, json: { status: 'draining' } }),
  'POST /things': () => ({ status: 201, json: {} }),
  'PUT /things': () => ({ status: 200, json: {} }),
  'GET /broken': () => {
    throw new Error('a secret');
  },
};

beforeEach(async () => {
  errors = [];
  server = await listen();
  server.serve(routes);
});

afterEach(() => server.close());

function listen(host = '127.0.0.1', port = 0) {
  return EngineServer.listen({ host, port, onError: (error) => errors.push(error) });
}

interface Got {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  text: string;
}

interface Ask {
  method?: string;
  headers?: Record<string, string>;
  agent?: Agent;
  to?: string;
}

function ask(path: string, { to = server.url, agent, ...options }: Ask = {}) {
  return new Promise<Got>((resolve, reject) => {
    request(new URL(path, to), { ...options, agent: agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, text }),
      );
    })
      .on('error', reject)
      .end();
  });
}

/** Everything that comes back for these bytes until the server ends the connection. */
async function raw(bytes: string): Promise<string> {
  const socket = await connected();
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

async function connected(): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}

describe('a route', () => {
  test('is found by method and exact path, whatever the query', async () => {
    const got = await ask('/healthz?alt=json');
    expect(got.status).toBe(200);
    expect(JSON.parse(got.text)).toEqual({ status: 'ok' });
    expect(got.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-length': '15',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    expect((await ask('/things', { method: 'POST' })).status).toBe(201);
    expect((await ask('/readyz')).status).toBe(503);
  });

  test('for GET answers HEAD with the same head and no body', async () => {
    const { headers: get } = await ask('/healthz');
    const head = await ask('/healthz', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expect({ ...head.headers, date: '' }).toEqual({ ...get, date: '' });
  });

  test.each(['/', '/healthz/', '/HEALTHZ', '//healthz', '/healthz%20', '/__proto__', '/toString'])(
    'is not found at %s',
    async (path) => {
      const { host } = new URL(server.url);
      const answer = await raw(
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 404 /);
      expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
        error: { code: 404, message: 'Nothing is served at this path.', status: 'NOT_FOUND' },
      });
    },
  );

  test.each([
    ['POST', '/healthz', 'GET, HEAD'],
    ['TRACE', '/healthz', 'GET, HEAD'],
    ['GET', '/things', 'POST, PUT'],
    ['OPTIONS', '/things', 'POST, PUT'],
  ])('refuses %s %s, naming what it allows', async (method, path, allow) => {
    const got = await ask(path, { method });
    expect(got.status).toBe(405);
    expect(got.headers.allow).toBe(allow);
    expect(JSON.parse(got.text)).toEqual({
      error: { code: 405, message: `This path allows ${allow}.`, status: 'UNIMPLEMENTED' },
    });
  });

  test('that fails answers 500 without the reason, which the host is told', async () => {
    const got = await ask('/broken');
    expect(got.status).toBe(500);
    expect(JSON.parse(got.text)).toEqual({
      error: { code: 500, message: 'Internal error.', status: 'INTERNAL' },
    });
    expect(errors).toEqual([expect.objectContaining({ message: 'a secret' })]);
  });
});

test('answers 503 until there is something to serve', async () => {
  const starting = await listen();
  const got = await ask('/healthz', { to: starting.url });
  expect(got.status).toBe(503);
  expect(JSON.parse(got.text)).toMatchObject({ error: { status: 'UNAVAILABLE' } });
  await starting.close();
});

describe('the Host header', () => {
  test.each(['127.0.0.1', 'localhost:8123', 'LOCALHOST', '[::1]:1', '127.0.0.2', 'a.localhost'])(
    '%s is this machine',
    async (host) => {
      expect((await ask('/healthz', { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:8123',
    '127.evil.example',
    'notlocalhost',
    '[::2]',
    '192.168.0.1',
    'localhost:8123@evil.example',
  ])('%j is not: no page of another site gets in', async (host) => {
    const got = await ask('/healthz', { headers: { host } });
    expect(got.status).toBe(403);
    expect(JSON.parse(got.text)).toMatchObject({ error: { status: 'PERMISSION_DENIED' } });
  });

  test('empty, given twice or not at all is refused', async () => {
    const empty = 'GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n';
    expect(await raw(empty)).toMatch(/^HTTP\/1.1 403 /);
    const twice =
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n';
    expect(await raw(twice)).toMatch(/^HTTP\/1.1 (400|403) /);
    expect(await raw('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 403 /);
  });

  test('may be any name when the port is open to the network', async () => {
    const open = await listen('0.0.0.0');
    expect(open.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    open.serve(routes);
    const got = await ask('/healthz', { to: open.url, headers: { host: 'engine:8123' } });
    expect(got.status).toBe(200);
    await open.close();
  });
});

describe('the Origin header', () => {
  test.each(['http://localhost:3000', 'https://127.0.0.1', 'http://[::1]:1', 'HTTP://A.LOCALHOST'])(
    '%s is a page of this machine',
    async (origin) => {
      expect((await ask('/healthz', { headers: { origin } })).status).toBe(200);
    },
  );

  test.each(['https://evil.example', 'null', '', 'http://127.0.0.1.evil.example', 'x://localhost'])(
    '%j is not: no page of another site gets in',
    async (origin) => {
      const got = await ask('/things', { method: 'POST', headers: { origin } });
      expect(got.status).toBe(403);
    },
  );

  test('is the address that was asked when the port is open to the network', async () => {
    const open = await listen('0.0.0.0');
    open.serve(routes);
    const from = async (origin: string) => {
      const headers = { host: 'engine:8123', origin };
      return (await ask('/healthz', { to: open.url, headers })).status;
    };
    expect(await from('http://engine:8123')).toBe(200);
    expect(await from('http://other:8123')).toBe(403);
    await open.close();
  });
});

describe('what is not for this server', () => {
  test.each([
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    [
      'a large head',
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`,
    ],
    [
      'two lengths',
      'POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
  ])('%s is answered 4xx at most, and the connection ended', async (_, bytes) => {
    expect(await raw(bytes)).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
  });

  test('so many headers that some may have been dropped are answered 431', async () => {
    const head = (count: number) => {
      const more = Array.from({ length: count - 2 }, (_, index) => `A${index}: b\r\n`).join('');
      return `GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`;
    };
    expect(await raw(head(99))).toMatch(/^HTTP\/1.1 200 /);
    expect(await raw(head(100))).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(head(500))).toMatch(/^HTTP\/1.1 431 /);
  });

  test('an absolute URL is not followed', async () => {
    const bytes =
      'GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    expect(await raw(bytes)).toMatch(/^HTTP\/1.1 404 /);
  });
});

describe('listening', () => {
  const refusal = (host: string, port: number) =>
    listen(host, port).then(
      () => 'no refusal',
      (error: unknown) => error,
    );

  test('on a port in use fails with one line that says how to mend it', async () => {
    const port = Number(new URL(server.url).port);
    expect(await refusal('127.0.0.1', port)).toMatchObject({
      name: 'CloudTasksError',
      code: 'FAILED_PRECONDITION',
      message: `port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another by ENGINE_PORT`,
    });
  });

  test('on an address that this machine lacks names ENGINE_HOST', async () => {
    expect(await refusal('192.0.2.1', 0)).toMatchObject({
      message: '192.0.2.1 is not an address of this machine: choose another by ENGINE_HOST',
    });
  });

  test('by name gives a URL by that name', async () => {
    const named = await listen('localhost');
    expect(named.url).toMatch(/^http:\/\/localhost:\d+$/);
    await named.close();
  });
});

describe('closing', () => {
  test('ends idle connections at once, and takes no new one', async () => {
    const agent = new Agent({ keepAlive: true });
    await ask('/healthz', { agent });
    const silent = await connected();
    const ended = once(silent.resume(), 'close');
    await server.close(600 * SECOND);
    await ended;
    await expect(connected()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });

  test('waits for an answer under way, then ends its connection', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answered = Promise.withResolvers<undefined>();
    server.serve({
      'GET /slow': async () => {
        asked.resolve(undefined);
        await answered.promise;
        return { status: 200, json: {} };
      },
    });
    const agent = new Agent({ keepAlive: true });
    const got = ask('/slow', { agent });
    await asked.promise;
    const closed = server.close(600 * SECOND);
    answered.resolve(undefined);
    expect(await got).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
    agent.destroy();
  });

  test('cuts an answer that takes longer than the limit', async () => {
    const asked = Promise.withResolvers<undefined>();
    server.serve({
      'GET /stuck': () => {
        asked.resolve(undefined);
        return new Promise<never>(() => undefined);
      },
    });
    const got = ask('/stuck');
    const cut = expect(got).rejects.toMatchObject({ code: 'ECONNRESET' });
    await asked.promise;
    await server.close(0);
    await cut;
  });

  test('twice is as once', async () => {
    await Promise.all([server.close(), server.close()]);
    await server.close();
  });
});
