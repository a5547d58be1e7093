import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { HttpTransport } from '../../src/adapters/http-transport.js';
import { signedText } from '../../src/engine/dispatch-signature.js';
import type { Dispatch, DispatchResult, NotSent } from '../../src/engine/ports.js';
import { Loopback } from '../support/loopback.js';

const SECRET = 'the engine secret';
const NEVER = new AbortController().signal;

let transport: HttpTransport;
let servers: Loopback;

beforeEach(() => {
  transport = new HttpTransport({ secret: SECRET });
  servers = new Loopback();
});

afterEach(async () => {
  await transport.close();
  await servers.close();
});

function http(url: string, rest: Partial<Dispatch> = {}): Dispatch {
  return { task: TASK, target: { kind: 'http', url }, method: 'POST', headers: {}, ...rest };
}

function appEngine(relativeUri: string, rest: Partial<Dispatch> = {}, service = ''): Dispatch {
  return {
    task: TASK,
    target: { kind: 'app-engine', service, version: '', instance: '', relativeUri },
    method: 'POST',
    headers: {},
    ...rest,
  };
}

const TASK = 'projects/p/locations/l/queues/q/tasks/t';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

describe('the request', () => {
  /** The bytes of the one request that this dispatch makes. */
  async function wire(toDispatch: (url: string) => Dispatch): Promise<string[]> {
    let text = '';
    const url = await servers.bytes((data, socket) => {
      text += data;
      socket.write(OK);
    });
    await transport.send(toDispatch(url), NEVER);
    return text.replaceAll(url.slice('http://'.length), 'HOST').split('\r\n');
  }

  test('has the headers as given, and but the connection’s own beside them', async () => {
    const headers = {
      'X-CloudTasks-QueueName': 'default',
      'X-CloudTasks-TaskRetryReason': '',
      'content-TYPE': 'application/json',
      'User-Agent': 'Google-Cloud-Tasks',
      Authorization: 'Bearer a.b.c',
    };
    const body = Buffer.from('{"a":1}');
    expect(await wire((url) => http(`${url}/a/b?c=d#e`, { headers, body }))).toEqual([
      'POST /a/b?c=d HTTP/1.1',
      'host: HOST',
      'connection: keep-alive',
      'X-CloudTasks-QueueName: default',
      'X-CloudTasks-TaskRetryReason: ',
      'content-TYPE: application/json',
      'User-Agent: Google-Cloud-Tasks',
      'Authorization: Bearer a.b.c',
      'content-length: 7',
      '',
      '{"a":1}',
    ]);
  });

  test.each([
    ['POST', ['content-length: 0']],
    ['PUT', ['content-length: 0']],
    ['PATCH', ['content-length: 0']],
    ['GET', []],
    ['DELETE', []],
    ['OPTIONS', []],
  ] as const)('%s without a body says so in HTTP’s way', async (method, length) => {
    expect(await wire((url) => http(url, { method }))).toEqual([
      `${method} / HTTP/1.1`,
      'host: HOST',
      'connection: keep-alive',
      ...length,
      '',
      '',
    ]);
  });

  test('leaves out what would describe another connection, and any signature', async () => {
    const headers = {
      Connection: 'close',
      'Keep-Alive': 'timeout=9',
      'Proxy-Connection': 'x',
      TE: 'trailers',
      Trailer: 'X',
      'Transfer-Encoding': 'chunked',
      Upgrade: 'h2c',
      Expect: '100-continue',
      'X-Engine-Signature': 'v1=forged',
      'x-engine-SIGNATURE': 'v1=forged',
      Kept: 'yes',
    };
    expect(await wire((url) => http(url, { headers }))).toEqual([
      'POST / HTTP/1.1',
      'host: HOST',
      'connection: keep-alive',
      'Kept: yes',
      'content-length: 0',
      '',
      '',
    ]);
  });

  test('writes header values as UTF-8', async () => {
    const lines = await wire((url) => http(url, { headers: { A: 'é ☃' } }));
    expect(Buffer.from(lines[3] ?? '', 'latin1').toString()).toBe('A: é ☃');
  });

  test('carries any bytes exactly, up to the largest task', async () => {
    const bodies: Buffer[] = [];
    const lengths: (string | undefined)[] = [];
    const url = await servers.http((request, response) => {
      lengths.push(request.headers['content-length']);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        bodies.push(Buffer.concat(chunks));
        response.end();
      });
    });
    const all = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i % 251);
    // A view into a larger buffer: only what it shows is the body.
    const view = all.subarray(100, 100_100);
    for (const body of [all, view, new Uint8Array(0)]) {
      expect(await transport.send(http(url, { body }), NEVER)).toMatchObject({ status: 200 });
    }
    expect(lengths).toEqual(['1048576', '100000', '0']);
    expect(bodies.map((body) => body.length)).toEqual([1_048_576, 100_000, 0]);
    expect(bodies[0]?.equals(all)).toBe(true);
    expect(bodies[1]?.equals(view)).toBe(true);
  });
});

describe('the response', () => {
  test.each([200, 204, 299, 302, 304, 404, 429, 500, 503, 600, 999])(
    '%d is told',
    async (status) => {
      const url = await servers.http((_, response) => response.writeHead(status).end());
      expect(await transport.send(http(url), NEVER)).toEqual({ kind: 'response', status });
    },
  );

  test('has its Retry-After told as it is, the first of several', async () => {
    const url = await servers.http((request, response) => {
      response.setHeader('Retry-After', request.url === '/two' ? ['7', '8'] : 'soon');
      response.writeHead(503).end();
    });
    expect(await transport.send(http(url), NEVER)).toMatchObject({ retryAfter: 'soon' });
    expect(await transport.send(http(`${url}/two`), NEVER)).toMatchObject({ retryAfter: '7' });
  });

  test('that redirects is not followed', async () => {
    const paths: (string | undefined)[] = [];
    const url = await servers.http((request, response) => {
      paths.push(request.url);
      response.writeHead(307, { Location: '/elsewhere' }).end();
    });
    expect(await transport.send(http(url), NEVER)).toMatchObject({ status: 307 });
    expect(paths).toEqual(['/']);
  });

  test('may be announced by 1xx', async () => {
    const url = await servers.bytes((_, socket) => {
      const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 1\r\n\r\n';
      socket.write(`HTTP/1.1 102 Processing\r\n\r\n${hints.repeat(50)}${OK}`);
    });
    const result = await transport.send(http(url), NEVER);
    expect(result).toEqual({ kind: 'response', status: 200 });
  });

  test('may have a body, after which the connection is used again', async () => {
    const ports = new Set<number | undefined>();
    const url = await servers.http((request, response) => {
      ports.add(request.socket.remotePort);
      response.end(Buffer.alloc(200 * 1024));
    });
    for (let i = 0; i < 5; i++) {
      expect(await transport.send(http(url), NEVER)).toMatchObject({ status: 200 });
      // undici looks for one turn whether the server ends it after all.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(ports.size).toBe(1);
  });

  test('that never ends is cut off, and its status stands', async () => {
    const cut = Promise.withResolvers<number>();
    const url = await servers.bytes((_, socket) => {
      socket.write('HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n');
      const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
      const more = () => {
        while (socket.write(chunk));
      };
      socket.on('drain', more);
      socket.on('close', () => cut.resolve(socket.bytesWritten));
      more();
    });
    const result = await transport.send(http(url), NEVER);
    expect(result).toEqual({ kind: 'response', status: 201 });
    await cut.promise;
  });

  test('whose body breaks off keeps its status', async () => {
    const url = await servers.bytes((_, socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    });
    expect(await transport.send(http(url), NEVER)).toEqual({ kind: 'response', status: 200 });
  });

  test('whose body is given up with the attempt keeps its status', async () => {
    const url = await servers.bytes((_, socket) => {
      socket.on('close', () => closed.resolve(undefined));
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      setImmediate(() => setImmediate(() => attempt.abort()));
    });
    const closed = Promise.withResolvers<undefined>();
    const attempt = new AbortController();
    expect(await transport.send(http(url), attempt.signal)).toMatchObject({ kind: 'response' });
    await closed.promise;
  });
});

describe('no response', () => {
  const reason = async (sent: Promise<DispatchResult | NotSent>) => {
    const result = await sent;
    return result.kind === 'no-response' ? result.reason : result;
  };

  test('from a port where nobody listens', async () => {
    const url = await servers.http(() => undefined);
    await servers.close();
    const sent = transport.send(http(url), NEVER);
    expect(await reason(sent)).toBe('connection refused (ECONNREFUSED)');
  });

  test('from a name that is none', async () => {
    const sent = transport.send(http('http://no-such-host.invalid/'), NEVER);
    expect(await reason(sent)).toMatch(/^(host not found \(ENOTFOUND\)|.* now \(EAI_AGAIN\))$/);
  });

  test.each([
    ['the connection is reset', (socket: Socket) => socket.resetAndDestroy(), /\(ECONNRESET\)$/],
    ['the connection is ended', (socket: Socket) => socket.end(), /\(UND_ERR_SOCKET\)$/],
    ['the head breaks off', (s: Socket) => s.end('HTTP/1.1 200 OK\r\nA: '), /\(UND_ERR_SOCKET\)$/],
    ['it is not HTTP', (s: Socket) => s.end('220 mail ready\r\n'), /not valid HTTP/],
    ['it is a half-open 100', (s: Socket) => s.end('HTTP/1.1 100 Continue\r\n\r\n'), /SOCKET\)$/],
    ['it upgrades', (s: Socket) => s.end('HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n'), /./],
    [
      'its head is too large',
      (s: Socket) => s.end(`HTTP/1.1 200 OK\r\nA: ${'a'.repeat(100_000)}\r\n\r\n`),
      /too large \(UND_ERR_HEADERS_OVERFLOW\)$/,
    ],
    [
      'it has two lengths',
      (s: Socket) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na'),
      /not valid HTTP/,
    ],
  ])('when %s: one request, one reason', async (_, answer, expected) => {
    let requests = 0;
    const url = await servers.bytes((_data, socket) => {
      requests++;
      answer(socket);
    });
    expect(await reason(transport.send(http(url), NEVER))).toMatch(expected);
    expect(requests).toBe(1);
  });

  test('when the attempt is given up: before, while waiting, while connecting', async () => {
    const reached = Promise.withResolvers<Socket>();
    const url = await servers.bytes((_, socket) => reached.resolve(socket));
    expect(await reason(transport.send(http(url), AbortSignal.abort()))).toBe(
      'given up by the engine',
    );

    const waiting = new AbortController();
    const sent = transport.send(http(url), waiting.signal);
    const socket = await reached.promise;
    waiting.abort();
    expect(await reason(sent)).toBe('given up by the engine');
    await once(socket, 'close');

    // TLS to a server that never answers it: connected, but never ready for a request.
    const greeted = Promise.withResolvers<undefined>();
    const silent = await servers.bytes(() => greeted.resolve(undefined));
    const connecting = new AbortController();
    const tls = transport.send(http(silent.replace('http', 'https')), connecting.signal);
    await greeted.promise;
    connecting.abort();
    expect(await reason(tls)).toBe('given up by the engine');
  });

  test('when the transport closes, for what is in flight and what comes after', async () => {
    const reached = Promise.withResolvers<undefined>();
    const url = await servers.http(() => reached.resolve(undefined));
    const sent = transport.send(http(url), NEVER);
    await reached.promise;
    await transport.close();
    expect(await reason(sent)).toBe('the engine is closing (UND_ERR_DESTROYED)');
    expect(await reason(transport.send(http(url), NEVER))).toMatch(/^the engine is closing/);
  });

  test.each(['', 'not a url', 'ftp://127.0.0.1/', 'http://', 'http://127.0.0.1:99999/'])(
    'from the URL %j',
    async (url) => {
      expect(await reason(transport.send(http(url), NEVER))).toMatch(/./);
    },
  );

  test('tells no secret, whatever a header holds', async () => {
    const url = await servers.http((_, response) => response.end());
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.constantFrom('Authorization', 'Content-Length', 'Bad Name', 'Host'),
        async (noise, name) => {
          const headers = { [name]: `hunter2${noise}` };
          const result = await transport.send(http(url, { headers }), NEVER);
          expect(JSON.stringify(result)).not.toContain('hunter2');
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('connections', () => {
  test('as many as there are dispatches in flight', async () => {
    const waiting: (() => void)[] = [];
    const all = Promise.withResolvers<undefined>();
    const url = await servers.http((_, response) => {
      if (waiting.push(() => response.end()) === 1000) all.resolve(undefined);
    });
    const sent = Array.from({ length: 1000 }, () => transport.send(http(url), NEVER));
    await all.promise;
    for (const answer of waiting) answer();
    for (const result of await Promise.all(sent)) expect(result).toMatchObject({ status: 200 });
  });

  test('one that the server closed meanwhile costs no attempt', async () => {
    const answered: Socket[] = [];
    const url = await servers.bytes((_, socket) => {
      answered.push(socket);
      socket.write(OK);
    });
    for (let i = 1; i <= 100; i++) {
      expect(await transport.send(http(url), NEVER)).toMatchObject({ kind: 'response' });
      expect(answered).toHaveLength(i);
      const socket = answered.at(-1);
      if (socket) await once(socket.destroy(), 'close');
    }
    expect(new Set(answered).size).toBe(100);
  });
});

describe('App Engine', () => {
  const headers = {
    'Content-Type': 'application/json',
    'X-AppEngine-QueueName': 'default',
    'X-AppEngine-TaskName': '123',
    'X-AppEngine-TaskRetryCount': '2',
    'X-AppEngine-TaskExecutionCount': '1',
    'X-AppEngine-TaskETA': '1721236265.266817',
  };

  interface Received {
    service: string;
    method: string | undefined;
    url: string | undefined;
    host: string | undefined;
    signatures: string[] | undefined;
    valid: boolean;
  }

  /** An app with these services: what each is sent, and whether its signature is right. */
  async function app(...services: string[]) {
    const received: Received[] = [];
    const hosts: Record<string, string> = {};
    for (const service of services) {
      hosts[service] = await servers.http((request, response) => {
        const { method = '', url = '', headersDistinct } = request;
        const text = signedText({
          method,
          relativeUri: url,
          header: (name) => headersDistinct[name.toLowerCase()]?.join(),
        });
        const mac = createHmac('sha256', SECRET).update(text).digest('hex');
        const signatures = headersDistinct['x-engine-signature'];
        received.push({
          service,
          method,
          url,
          host: request.headers.host,
          signatures,
          valid: signatures?.join() === `v1=${mac}`,
        });
        response.end();
      });
    }
    transport.setAppEngineHosts(hosts);
    return { received, hosts };
  }

  test('a dispatch goes to its service, signed so that the app can tell', async () => {
    const { received, hosts } = await app('default', 'worker');
    const dispatch = appEngine('/tasks/a?b=c', { method: 'PUT', headers }, 'worker');
    expect(await transport.send(dispatch, NEVER)).toEqual({ kind: 'response', status: 200 });
    expect(received).toEqual([
      {
        service: 'worker',
        method: 'PUT',
        url: '/tasks/a?b=c',
        host: hosts['worker']?.slice('http://'.length),
        signatures: [expect.stringMatching(/^v1=[0-9a-f]{64}$/)],
        valid: true,
      },
    ]);
  });

  test.each(['', 'default', 'unknown', '__proto__', 'constructor'])(
    "the service '%s' is at the default address",
    async (service) => {
      const { received } = await app('default', 'worker');
      await transport.send(appEngine('/', { headers }, service), NEVER);
      expect(received).toMatchObject([{ service: 'default', valid: true }]);
    },
  );

  test('without an address there is no response, and it says for which service', async () => {
    expect(await transport.send(appEngine('/'), NEVER)).toEqual({
      kind: 'no-response',
      reason: "no address for App Engine service 'default'",
    });
    await app('worker');
    expect(await transport.send(appEngine('/', {}, 'other'), NEVER)).toEqual({
      kind: 'no-response',
      reason: "no address for App Engine service 'other'",
    });
  });

  test.each([
    ['//evil.example/a', '//evil.example/a'],
    ['/\\evil.example', '//evil.example'],
    ['/a/../../b', '/b'],
    ['/%2e%2e/a', '/a'],
    ['/é?ü#part', '/%C3%A9?%C3%BC'],
    ['/http://evil.example/', '/http://evil.example/'],
  ])('%s stays at the service, as %s, and is signed so', async (relativeUri, url) => {
    const { received } = await app('default');
    await transport.send(appEngine(relativeUri, { headers }), NEVER);
    expect(received).toMatchObject([{ url, valid: true }]);
  });

  test.each(['', '@evil.example/', '.evil.example/', ':1/', 'a'])(
    'the relative URI %j, which is none, goes nowhere',
    async (relativeUri) => {
      const { received } = await app('default');
      expect(await transport.send(appEngine(relativeUri), NEVER)).toEqual({
        kind: 'no-response',
        reason: "relativeUri doesn't start with '/'",
      });
      expect(received).toEqual([]);
    },
  );

  test('a signature that the task brings is replaced', async () => {
    const { received } = await app('default');
    const forged = { ...headers, 'x-engine-signature': 'v1=forged' };
    await transport.send(appEngine('/', { headers: forged }), NEVER);
    expect(received).toMatchObject([{ valid: true, signatures: [expect.anything()] }]);
  });

  test('an HTTP target gets no signature, not even at an address of the app', async () => {
    const { received, hosts } = await app('default');
    await transport.send(http(`${String(hosts['default'])}/`, { headers }), NEVER);
    expect(received).toMatchObject([{ signatures: undefined, valid: false }]);
  });

  test.each([
    ['nothing', ''],
    ['no URL', '127.0.0.1:8080'],
    ['another scheme', 'ftp://127.0.0.1'],
    ['a path', 'http://127.0.0.1:8080/app'],
    ['a query', 'http://127.0.0.1:8080/?a'],
  ])('%s for an address is refused, naming the service', (_, address) => {
    expect(() => transport.setAppEngineHosts({ default: 'http://a', worker: address })).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        field: 'appEngineHosts.worker',
        message: expect.stringMatching(/^appEngineHosts\.worker must be an address like .*, got '/),
      }),
    );
  });
});

describe('the signed text', () => {
  const part = fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n]/g, ''));
  const request = fc.tuple(part, part, part, part, part, part, part);
  const textOf = ([method, relativeUri, queue, task, retries, executions, eta]: string[]) =>
    signedText({
      method: method ?? '',
      relativeUri: relativeUri ?? '',
      header: (name) =>
        ({
          'x-appengine-queuename': queue,
          'x-appengine-taskname': task,
          'x-appengine-taskretrycount': retries,
          'x-appengine-taskexecutioncount': executions,
          'x-appengine-tasketa': eta,
        })[name.toLowerCase()],
    });

  test('is the same for the same request and differs between any two', () => {
    fc.assert(
      fc.property(request, request, (one, other) => {
        expect(textOf(one)).toBe(textOf([...one]));
        expect(textOf(one) === textOf(other)).toBe(one.join('\n') === other.join('\n'));
      }),
    );
  });

  test('is what guards in other languages are written against', () => {
    expect(textOf(['POST', '/a?b', 'q', 't', '0', '1', '2.5'])).toBe(
      'v1\nPOST\n/a?b\nq\nt\n0\n1\n2.5',
    );
  });
});
