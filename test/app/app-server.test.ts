/** The limits of the app's HTTP server, on real sockets. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Controller, Get, Header, Post, Req, Res } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Request, Response } from 'express';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { request } from 'undici';
import type { ServerLimits } from '../../src/app/app-server.js';
import { AppServer } from '../../src/app/app-server.js';

let asked: PromiseWithResolvers<undefined>;
let answer: PromiseWithResolvers<string>;
let gone: PromiseWithResolvers<undefined>;

beforeEach(() => {
  asked = Promise.withResolvers();
  answer = Promise.withResolvers();
  gone = Promise.withResolvers();
});

@Controller()
class Routes {
  @Get('quick')
  quick(): string {
    return 'here';
  }

  @Get('page')
  @Header('Content-Security-Policy', "default-src 'self'")
  page(): string {
    return '<p>';
  }

  @Get('silent')
  silent(): Promise<string> {
    asked.resolve(undefined);
    return answer.promise;
  }

  @Get('endless')
  endless(@Res() response: Response): void {
    const chunk = Buffer.alloc(64 * 1024);
    const endless = new Readable({ read: () => void endless.push(chunk) });
    response.once('close', () => gone.resolve(undefined));
    endless.pipe(response);
  }

  @Post('taken')
  async taken(@Req() request: Request): Promise<string> {
    await once(request.resume(), 'end');
    return 'taken';
  }
}

/** So short that a test can wait until each has passed. */
const SHORT: Partial<ServerLimits> = {
  requestTimeout: 700,
  headersTimeout: 500,
  connectionsCheckingInterval: 20,
  keepAliveTimeout: 10,
  unreadTimeout: 100,
};

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(limits: Partial<ServerLimits> = {}, host = '127.0.0.1'): Promise<Server> {
  const module = await Test.createTestingModule({ controllers: [Routes] }).compile();
  app = module.createNestApplication(new AppServer(limits), { bodyParser: false, logger: false });
  return (await app.listen(0, host)) as Server;
}

const portOf = (server: Server) => (server.address() as { port: number }).port;
const urlOf = (server: Server) => `http://127.0.0.1:${portOf(server)}`;

function opened(server: Server, text: string): Socket {
  const socket = connect(portOf(server), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text, 'latin1');
  return socket;
}

/** All that comes until the server ends the connection. */
async function raw(server: Server, text: string): Promise<string> {
  const socket = opened(server, text);
  let came = '';
  socket.setEncoding('latin1').on('data', (part: string) => (came += part));
  await once(socket, 'close');
  return came;
}

describe('the limits', () => {
  test('on loopback', async () => {
    expect(await start()).toMatchObject({
      requestTimeout: 60_000,
      headersTimeout: 15_000,
      keepAliveTimeout: 5_000,
      maxHeadersCount: 100,
      // Any other value would cut a handler that is silent for so long.
      timeout: 0,
      maxRequestsPerSocket: 0,
    });
  });

  test('where a load balancer of Google may stand before it, which keeps connections for 600 s', async () => {
    expect(await start({}, '0.0.0.0')).toMatchObject({ keepAliveTimeout: 620_000, timeout: 0 });
  });
});

describe('ended in time', () => {
  test.each([
    ['headers that stop', 'GET /quick HTTP/1.1\r\nHost: a\r\nX-A'],
    ['a body that stops', 'POST /taken HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"a"'],
    [
      'chunks that stop',
      'POST /taken HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
    ],
  ])('%s', async (_, text) => {
    expect(await raw(await start(SHORT), text)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a connection that asks nothing more', async () => {
    const answered = await raw(await start(SHORT), 'GET /quick HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answered).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  });

  test('an answer that nobody takes in, while others are answered', async () => {
    const server = await start({ unreadTimeout: 100, connectionsCheckingInterval: 20 });
    const socket = opened(server, 'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n').pause();
    await gone.promise;
    expect((await request(`${urlOf(server)}/quick`)).statusCode).toBe(200);
    socket.destroy();
  });
});

describe('not ended', () => {
  test('an answer that is longer in coming than every limit', async () => {
    const server = await start(SHORT);
    const got = request(`${urlOf(server)}/silent`);
    await asked.promise;
    // Each ends when its limit has passed.
    await raw(server, 'GET /quick HTTP/1.1\r\nHost: a\r\n\r\n');
    await raw(server, 'GET /quick HTTP/1.1\r\n');
    await raw(server, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n');
    const unread = opened(server, 'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n').pause();
    await gone.promise;
    unread.destroy();
    answer.resolve('late');
    expect(await (await got).body.text()).toBe('late');
  });
});

describe('refused, and the connection ended', () => {
  const head = (count: number) => {
    const more = Array.from({ length: count - 1 }, (_, index) => `A${index}: b\r\n`).join('');
    return `Host: a\r\n${more}`;
  };
  test.each([
    [431, 'as many headers as Node lets through', `GET /quick HTTP/1.1\r\n${head(100)}\r\n`],
    [431, 'more headers', `GET /quick HTTP/1.1\r\n${head(500)}\r\n`],
    [
      431,
      'headers beyond 16 KiB',
      `GET /quick HTTP/1.1\r\nHost: a\r\nB: ${'b'.repeat(17_000)}\r\n`,
    ],
    [400, 'two hosts', 'GET /quick HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    [400, 'no host', 'GET /quick HTTP/1.1\r\n\r\n'],
    [400, 'an absolute URL', 'GET http://a/quick HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'all of the server', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [400, 'TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%d for %s', async (status, _, text) => {
    const came = await raw(await start(), text);
    expect(came).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(came).toMatch(/\r\nConnection: close\r\n/i);
  });

  test('nothing is said to who wants a tunnel', async () => {
    const server = await start();
    expect(await raw(server, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n')).toBe('');
  });

  test('but not one header less', async () => {
    const text = `GET /quick HTTP/1.1\r\nConnection: close\r\n${head(98)}\r\n`;
    expect(await raw(await start(), text)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('what a browser is told', () => {
  test.each(['/quick', '/nowhere'])('with %s', async (path) => {
    const { headers } = await request(`${urlOf(await start())}${path}`);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('by a page of its own in its own words', async () => {
    const { headers } = await request(`${urlOf(await start())}/page`);
    expect(headers['content-security-policy']).toBe("default-src 'self'");
  });
});
