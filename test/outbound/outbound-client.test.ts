/** Calls over real sockets: where they go, what is sent, what comes back, and when they end. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { buildConnector } from 'undici';
import type { Clock } from '../../src/engine/ports.js';
import { MINUTE, SECOND } from '../../src/engine/time.js';
import { SystemClock } from '../../src/host/system-clock.js';
import type { OutboundCall } from '../../src/outbound/outbound-client.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { OutboundPolicy } from '../../src/outbound/outbound-policy.js';
import type { OutboundRule } from '../../src/outbound/outbound-rule.js';
import { pinnedConnector } from '../../src/outbound/pinned-connector.js';
import type { RawAnswer } from '../support/raw-upstream.js';
import { OK, RawUpstream } from '../support/raw-upstream.js';
import { OTHER_PUBLIC, PUBLIC, TestNetwork } from '../support/test-network.js';
import { VirtualClock } from '../support/virtual-clock.js';

const API = 'https://api.example.com';
const GET: OutboundCall = { method: 'GET', deadline: MINUTE };

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A client for a server on loopback, by a rule that names it. */
async function local(
  answer: RawAnswer = OK,
  rule: Partial<OutboundRule> = {},
  clock: Clock = new SystemClock(),
) {
  const upstream = await RawUpstream.listen(answer);
  const origin = `http://127.0.0.1:${upstream.port}`;
  const policy = new OutboundPolicy({ rules: [{ origin, ...rule }], loopback: 'by-rule' });
  const client = new OutboundClient(policy, clock);
  ends.push(
    () => upstream.close(),
    () => client.close(),
  );
  const call = (path = '/', given: Partial<OutboundCall> = {}) =>
    client.call(policy.permit(origin + path), { ...GET, ...given });
  return { upstream, client, policy, origin, call };
}

/** A client for names whose addresses the test decides, over TLS. */
async function named(answer: RawAnswer = OK) {
  const upstream = await RawUpstream.listen(answer, { tls: true });
  const network = new TestNetwork(upstream.port);
  const rules = [
    { origin: API },
    { origin: 'https://*.hooks.example.com' },
    { origin: 'https://other.example.com' },
  ];
  const policy = new OutboundPolicy({ rules });
  const client = new OutboundClient(policy, new SystemClock(), network.options);
  ends.push(
    () => upstream.close(),
    () => client.close(),
  );
  const call = (url = `${API}/`, given: Partial<OutboundCall> = {}) =>
    client.call(policy.permit(url), { ...GET, ...given });
  return { upstream, network, call };
}

async function text(body: Readable): Promise<string> {
  let all = '';
  for await (const chunk of body) all += String(chunk);
  return all;
}

/** The error of a connector. */
function refusalOf(connect: buildConnector.connector, target: buildConnector.Options) {
  return new Promise<Error | null>((resolve) => connect(target, (...[error]) => resolve(error)));
}

describe('what is sent', () => {
  test('the request line, the name as Host, no compression, and nothing else', async () => {
    const { upstream, call, origin } = await local();
    const { status, body } = await call('/a/b?c=d', { method: 'POST', body: 'payload' });
    expect([status, await text(body)]).toEqual([200, 'ok']);
    expect(upstream.heads).toEqual([
      [
        'POST /a/b?c=d HTTP/1.1',
        `host: ${new URL(origin).host}`,
        'connection: keep-alive',
        'accept-encoding: identity',
        'content-length: 7',
      ].join('\r\n'),
    ]);
  });

  test('of a caller what the rule lets through, then our own, then the token', async () => {
    const { upstream, call } = await local(OK, { audience: 'https://aud.example' });
    const { body } = await call('/', {
      headers: { 'X-A': 'theirs', 'Idempotency-Key': 'theirs', Cookie: 'c=1', Via: 'x' },
      own: { 'idempotency-key': 'ours' },
      idToken: 'a.b.c',
    });
    await text(body);
    const [, , ...headers] = upstream.heads[0]?.split('\r\n') ?? [];
    expect(headers).toEqual([
      'connection: keep-alive',
      'x-a: theirs',
      'idempotency-key: ours',
      'authorization: Bearer a.b.c',
      'accept-encoding: identity',
    ]);
  });

  test.each<[string, Partial<OutboundCall>]>([
    ["a header of ours that is the connection's", { own: { connection: 'close' } }],
    ['a header of ours that is a credential', { own: { Authorization: 'Bearer x' } }],
    ['a header of ours that breaks a line', { own: { 'x-a': 'a\r\nb: c' } }],
    ['a header of ours with a name that is none', { own: { 'x a': 'a' } }],
    ['a token where the rule has no audience', { idToken: 'a.b.c' }],
    ['a method that opens a tunnel', { method: 'CONNECT' as 'GET' }],
    ['a credential of a caller', { headers: { authorization: 'Bearer x' } }],
  ])('never %s', async (_, given) => {
    const { upstream, call } = await local();
    await expect(call('/', given)).rejects.toThrow(/header|token|method|Authorization/);
    expect(upstream.connections).toBe(0);
  });

  test('a target is permitted again when it is called', async () => {
    const { upstream, client, policy, origin } = await local();
    const target = policy.permit(`${origin}/`);
    policy.addOwn(origin.replace('127.0.0.1', 'localhost'));
    await expect(client.call(target, GET)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const forged = { url: new URL('http://127.0.0.2:1/'), rule: target.rule };
    await expect(client.call(forged, GET)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(upstream.connections).toBe(0);
  });
});

describe('where it goes', () => {
  test('to an address that was judged, by the name in TLS and Host', async () => {
    const { upstream, network, call } = await named();
    const { body } = await call(`${API}/x`);
    await text(body);
    expect(network.opened).toEqual([{ address: PUBLIC, port: '', servername: 'api.example.com' }]);
    expect(upstream.heads[0]).toContain('\r\nhost: api.example.com\r\n');
  });

  test('to one of several names below a wildcard, each with its own certificate check', async () => {
    const { network, call } = await named();
    await text((await call('https://a.hooks.example.com/')).body);
    expect(network.opened[0]?.servername).toBe('a.hooks.example.com');
    const error = await call('https://other.example.com/').catch((error: unknown) => error);
    expect(error).toMatchObject({
      failure: 'unreachable',
      sent: false,
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  // Case 71.
  test.each([
    ['a private address', ['10.0.0.1']],
    ['loopback', ['127.0.0.1']],
    ['the metadata server', ['169.254.169.254']],
    ['the metadata server over IPv6', ['fd20:ce::254']],
    ['a mapped address', ['::ffff:93.184.216.34']],
    ['an address with a zone', ['fe80::1%eth0']],
    ['what is no address', ['api.example.com']],
    ['a public and a private one', [PUBLIC, '192.168.0.1']],
    ['a private one behind many', [PUBLIC, PUBLIC, PUBLIC, PUBLIC, '::1']],
  ])('not to a name that means %s', async (_, addresses) => {
    const { upstream, network, call } = await named();
    network.names = async () => addresses;
    await expect(call()).rejects.toMatchObject({ failure: 'refused', sent: false });
    expect([network.opened, upstream.connections]).toEqual([[], 0]);
  });

  test('each new connection looks again, and what is kept stays where it is', async () => {
    const { upstream, network, call } = await named();
    await text((await call()).body);
    await turns();
    network.names = async () => ['127.0.0.1'];
    await text((await call()).body);
    await turns();
    expect([network.asked, upstream.connections]).toEqual([1, 1]);
    upstream.answer = () => 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
    await text((await call()).body);
    await turns();
    await expect(call()).rejects.toMatchObject({ failure: 'refused' });
    expect([network.asked, upstream.connections]).toEqual([2, 1]);
  });

  test('to the next address when one does not answer, three at most', async () => {
    const { network, call } = await named();
    network.names = async () => ['93.184.216.35', '93.184.216.36', OTHER_PUBLIC, PUBLIC];
    network.dead.add('93.184.216.35').add('93.184.216.36');
    await text((await call()).body);
    expect(network.opened.map(({ address }) => address)).toEqual([
      ...['93.184.216.35', '93.184.216.36', OTHER_PUBLIC],
    ]);
    network.dead.add(OTHER_PUBLIC);
    await expect(call('https://b.hooks.example.com/')).rejects.toMatchObject({
      failure: 'unreachable',
      sent: false,
      code: 'ECONNREFUSED',
    });
    expect(network.opened).toHaveLength(6);
  });

  test.each([['ENOTFOUND'], ['ESERVFAIL'], ['ETIMEOUT']])(
    'nowhere when DNS says %s',
    async (code) => {
      const { network, call } = await named();
      network.names = () => Promise.reject(Object.assign(new Error('dns'), { code }));
      await expect(call()).rejects.toMatchObject({ failure: 'unreachable', sent: false, code });
      network.names = async () => [];
      await expect(call()).rejects.toMatchObject({ failure: 'unreachable', code: 'ENODATA' });
    },
  );

  // Fact: a custom lookup is never asked for a literal address.
  test.each(['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', 'fd00::1', '::ffff:8.8.8.8'])(
    'the connector refuses the literal %s',
    async (hostname) => {
      const network = new TestNetwork(9);
      const connect = pinnedConnector({ ...network.options, loopback: false });
      const error = await refusalOf(connect, { hostname, protocol: 'http:', port: '80' });
      expect(error).toMatchObject({ failure: 'refused' });
      expect([network.asked, network.opened]).toEqual([0, []]);
    },
  );

  test('this machine is not called by its public address', async () => {
    const network = new TestNetwork(9);
    const mine = '2606:2800:220:1::1';
    const connect = pinnedConnector({
      ...network.options,
      loopback: false,
      ownAddresses: () => ['127.0.0.1', mine],
    });
    network.names = async () => [PUBLIC, '2606:2800:0220:0001:0:0:0:1'];
    const error = await refusalOf(connect, {
      hostname: 'api.example.com',
      protocol: 'https:',
      port: '',
    });
    expect([error, network.opened]).toEqual([expect.objectContaining({ failure: 'refused' }), []]);
    expect(error?.message).toBe('api.example.com leads where nothing may be called');
  });

  test('where loopback is allowed, a public name may still not lead there', async () => {
    const network = new TestNetwork(9);
    network.names = async () => ['127.0.0.1'];
    const connect = pinnedConnector({ ...network.options, loopback: true });
    const error = await refusalOf(connect, {
      hostname: 'api.example.com',
      protocol: 'https:',
      port: '',
    });
    expect(error).toMatchObject({ failure: 'refused' });
  });

  test.each(['127.0.0.1', '::1'])(
    'localhost is this machine, wherever it listens: %s',
    async (host) => {
      const upstream = await RawUpstream.listen(OK, { host });
      const origin = `http://localhost:${upstream.port}`;
      const policy = new OutboundPolicy({ rules: [{ origin }], loopback: 'by-rule' });
      const network = new TestNetwork(upstream.port);
      const client = new OutboundClient(policy, new SystemClock(), { resolve: network.resolve });
      ends.push(
        () => upstream.close(),
        () => client.close(),
      );
      await text((await client.call(policy.permit(origin), GET)).body);
      expect([network.asked, upstream.connections]).toEqual([0, 1]);
    },
  );

  test('at once, however many calls are open to one origin', async () => {
    const { upstream, call } = await local(() => undefined);
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 600 }, () => call('/', { signal }).catch(() => 'ended'));
    await upstream.until(() => upstream.heads.length === 600);
    controller.abort();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ended']));
  });

  test('past the proxies of the environment', async () => {
    const proxy = await RawUpstream.listen();
    const { upstream, call } = await local();
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = `http://127.0.0.1:${proxy.port}`;
    try {
      await text((await call()).body);
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['http_proxy'];
      await proxy.close();
    }
    expect([proxy.connections, upstream.connections]).toEqual([0, 1]);
  });
});

function answering(head: string, body = ''): RawAnswer {
  return () => `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

describe('what comes back', () => {
  test('any status, redirects included, as it is', async () => {
    for (const status of [200, 204, 301, 302, 304, 307, 308, 404, 503, 600, 999]) {
      const { upstream, call } = await local(
        () =>
          `HTTP/1.1 ${status} X\r\nLocation: http://127.0.0.1:1/\r\n${status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n'}\r\n`,
      );
      const response = await call();
      expect([response.status, response.headers['location']]).toEqual([
        status,
        'http://127.0.0.1:1/',
      ]);
      await text(response.body);
      expect(upstream.heads).toHaveLength(1);
    }
  });

  test('headers, without those of the connection and cookies', async () => {
    const { call } = await local(
      answering(
        '200 OK\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: s=1\r\nConnection: x-b, keep-alive\r\nX-B: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nRetry-After: 7',
      ),
    );
    const { headers, body } = await call();
    await text(body);
    expect(headers).toEqual({ 'x-a': ['1', '2'], 'retry-after': '7', 'content-length': '0' });
  });

  test('64 headers of more, and none of a head above 16 KB', async () => {
    const many = Array.from({ length: 80 }, (_, index) => `X-${index}: ${index}`).join('\r\n');
    const { call } = await local(answering(`200 OK\r\n${many}`));
    const { headers, body } = await call();
    await text(body);
    expect(Object.keys(headers)).toHaveLength(64);
    const large = await local(answering(`200 OK\r\nX-A: ${'a'.repeat(17_000)}`));
    await expect(large.call()).rejects.toMatchObject({
      failure: 'broken',
      sent: true,
      code: 'UND_ERR_HEADERS_OVERFLOW',
    });
  });

  test('a compressed body as it came', async () => {
    const packed = gzipSync('a'.repeat(1000)).toString('latin1');
    const { call } = await local(answering('200 OK\r\nContent-Encoding: gzip', packed));
    const { headers, body } = await call();
    const chunks = (await body.toArray()) as Buffer[];
    expect(headers['content-encoding']).toBe('gzip');
    expect(Buffer.concat(chunks).toString('latin1')).toBe(packed);
  });

  test('the answer after others that only announce it', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(5);
    const { call } = await local(() => `${early}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
    const { status, headers, body } = await call();
    expect([status, headers['link'], await text(body)]).toEqual([200, undefined, 'ok']);
  });

  // Of case 79.
  test.each<[string, RawAnswer]>([
    ['no HTTP', () => 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['a status line that is none', () => 'HTTP/1.1 abc OK\r\n\r\n'],
    ['two lengths', () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab'],
    ['an upgrade', () => 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['nothing', (_, socket) => void socket.end()],
    ['a reset', (_, socket) => void socket.resetAndDestroy()],
  ])('broken by %s', async (_, answer) => {
    const { upstream, call } = await local(answer);
    await expect(call()).rejects.toMatchObject({ failure: 'broken', sent: true });
    expect(upstream.heads).toHaveLength(1);
  });

  test.each<[string, string]>([
    ['less than its length', 'Content-Length: 10\r\n\r\nabc'],
    ['a chunk that is cut off', 'Transfer-Encoding: chunked\r\n\r\n5\r\nabc'],
    ['a chunk without a size', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nabc'],
  ])('a body that ends badly by %s', async (_, rest) => {
    const { call } = await local((_, socket) => void socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    const error = await call()
      .then(({ body }) => text(body))
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ name: 'OutboundError', failure: 'broken', sent: true });
  });

  test('a body that nobody has begun to read may end badly', async () => {
    const { upstream, call } = await local();
    upstream.answer = (_, socket) =>
      void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    const { status, body } = await call();
    await upstream.until(() => upstream.open === 0);
    expect(status).toBe(200);
    await expect(text(body)).rejects.toMatchObject({ failure: 'broken' });
  });

  test('a body no faster than it is read, and no longer than somebody wants it', async () => {
    let written = 0;
    const { upstream, call } = await local((_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const part = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
      const write = () => {
        let takes = true;
        while (takes && written < 200_000_000) {
          takes = socket.write(part);
          written += part.length;
        }
        if (!takes) socket.once('drain', write);
      };
      write();
      return undefined;
    });
    const { body } = await call();
    // What the sockets' buffers take; then the server has to wait.
    await settledAt(() => written);
    expect(written).toBeLessThan(50_000_000);
    let read = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.length;
      if (read > 1_000_000) break;
    }
    await upstream.until(() => upstream.open === 0);
    expect(written).toBeLessThan(100_000_000);
  });
});

/** Until a socket whose answer has ended is free again. */
async function turns(): Promise<void> {
  await settledAt(() => 0);
}

/** Once it has not changed over many turns of the event loop. */
async function settledAt(figure: () => number): Promise<void> {
  for (let last = -1, still = 0; still < 200; last = figure()) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    still = figure() === last ? still + 1 : 0;
  }
}

describe('when it ends', () => {
  test('at its deadline, while the server is silent', async () => {
    const clock = new VirtualClock();
    const { upstream, call } = await local(() => undefined, {}, clock);
    const failed = expect(call('/', { deadline: 90 * SECOND })).rejects.toMatchObject({
      failure: 'deadline',
      sent: true,
    });
    await upstream.until(() => upstream.heads.length === 1);
    await clock.advance(90 * SECOND);
    await failed;
    await upstream.until(() => upstream.open === 0);
    expect(clock.timers).toBe(0);
  });

  test('at its deadline, while the name is looked up', async () => {
    const clock = new VirtualClock();
    const network = new TestNetwork(9);
    network.names = () => new Promise(() => {});
    const policy = new OutboundPolicy({ rules: [{ origin: API }] });
    const client = new OutboundClient(policy, clock, network.options);
    ends.push(() => client.close());
    const failed = expect(client.call(policy.permit(API), GET)).rejects.toMatchObject({
      failure: 'deadline',
      sent: false,
    });
    await clock.advance(MINUTE);
    await failed;
  });

  test('at its deadline, while the body comes', async () => {
    const clock = new VirtualClock();
    const { upstream, call } = await local(
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
      {},
      clock,
    );
    const { status, body } = await call('/', { deadline: 30 * SECOND });
    const read = expect(text(body)).rejects.toMatchObject({ failure: 'deadline', sent: true });
    await clock.advance(30 * SECOND);
    await read;
    await upstream.until(() => upstream.open === 0);
    expect([status, clock.timers]).toEqual([200, 0]);
  });

  test('when the caller gives up: before, while it waits, while it reads', async () => {
    const { upstream, call } = await local(() => undefined);
    const gone = { failure: 'aborted' };
    await expect(call('/', { signal: AbortSignal.abort() })).rejects.toMatchObject(gone);
    expect(upstream.connections).toBe(0);

    const waiting = new AbortController();
    const failed = expect(call('/', { signal: waiting.signal })).rejects.toMatchObject(gone);
    await upstream.until(() => upstream.heads.length === 1);
    waiting.abort();
    await failed;

    upstream.answer = () => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc';
    const reading = new AbortController();
    const { body } = await call('/', { signal: reading.signal });
    reading.abort();
    await expect(text(body)).rejects.toMatchObject(gone);
    await upstream.until(() => upstream.open === 0);
  });

  test('when the client is closed', async () => {
    const { upstream, call, client } = await local(() => undefined);
    const failed = expect(call()).rejects.toMatchObject({ name: 'OutboundError' });
    await upstream.until(() => upstream.heads.length === 1);
    await client.close();
    await failed;
  });

  test('well, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const { call } = await local(OK, {}, clock);
    await text((await call()).body);
    expect(clock.timers).toBe(0);
  });

  describe('by its rate', () => {
    async function dripping(given: Partial<OutboundCall> = {}) {
      const clock = new VirtualClock();
      let socket: Parameters<RawAnswer>[1] | undefined;
      const { upstream, call } = await local(
        (_, on) => {
          socket = on;
          return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
        },
        {},
        clock,
      );
      const { body } = await call('/', { deadline: 60 * MINUTE, ...given });
      const drip = async (bytes: number) => {
        const came = new Promise((resolve) => body.once('readable', resolve));
        socket?.write(`${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`);
        await came;
      };
      return { clock, upstream, body, drip };
    }

    test('too slow: less than 64 bytes a second after a minute', async () => {
      const { clock, upstream, body, drip } = await dripping();
      await drip(64 * 60);
      body.read();
      await clock.advance(60 * SECOND);
      expect(body.destroyed).toBe(false);
      await clock.advance(10 * SECOND);
      expect(body.errored).toMatchObject({ failure: 'too-slow', sent: true });
      await upstream.until(() => upstream.open === 0);
      expect(clock.timers).toBe(0);
    });

    test('not in the first minute, nor at that rate', async () => {
      const { clock, body, drip } = await dripping();
      await drip(1);
      body.read();
      await clock.advance(60 * SECOND);
      await drip(64 * 70);
      body.read();
      await clock.advance(10 * SECOND);
      expect(body.destroyed).toBe(false);
    });

    test('not while it is we who do not read', async () => {
      const { clock, body, drip } = await dripping();
      await drip(200_000);
      await settledAt(() => body.readableLength);
      await clock.advance(60 * 60 * SECOND - 1);
      expect(body.destroyed).toBe(false);
    });

    test('not where none is asked for', async () => {
      const { clock, body, drip } = await dripping({ minimumRate: 0 });
      await drip(1);
      body.read();
      await clock.advance(59 * MINUTE);
      expect(body.destroyed).toBe(false);
    });
  });
});
