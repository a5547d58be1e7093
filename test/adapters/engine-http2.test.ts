import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import type { SharedPort } from '../../src/adapters/engine-http2.js';
import { shareWithHttp2 } from '../../src/adapters/engine-http2.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

let server: Server;
let shared: SharedPort;
/** What came over the connections that were taken for HTTP/2. */
let http2: { text: string; socket: Socket }[];
let clients: Socket[];

beforeEach(async () => {
  // Answers the length of what it got.
  server = createServer((request, response) => {
    let length = 0;
    request.on('data', (data: Buffer) => (length += data.length));
    request.on('end', () => response.end(`${request.method ?? ''} ${request.url ?? ''} ${length}`));
  });
  http2 = [];
  clients = [];
  await share();
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  server.closeAllConnections();
  shared.dropUndecided();
  await new Promise((resolve) => server.close(resolve));
});

async function share(limitMs?: number): Promise<void> {
  shared = shareWithHttp2(
    server,
    (socket) => {
      const entry = { text: '', socket };
      http2.push(entry);
      socket.on('data', (data: Buffer) => {
        entry.text += data.toString('latin1');
        if (entry.text.endsWith(PREFACE)) socket.write('taken as HTTP/2');
      });
    },
    limitMs,
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

async function connected(): Promise<Socket> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.setNoDelay();
  clients.push(client);
  await once(client, 'connect');
  return client;
}

/** Resolves once the pieces have all been sent one by one, and the answer holds `until`. */
async function talk(pieces: readonly (string | Buffer)[], until: string): Promise<string> {
  const client = await connected();
  let answer = '';
  const answered = new Promise<string>((resolve, reject) => {
    client.on('data', (data: Buffer) => {
      answer += data.toString('latin1');
      if (answer.includes(until)) resolve(answer);
    });
    client.on('close', () => reject(new Error(`closed after: ${answer}`)));
  });
  for (const piece of pieces) await new Promise((resolve) => client.write(piece, resolve));
  return answered;
}

describe('HTTP/1', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'PROPFIND', 'DELETE'])(
    'is served: %s',
    async (method) => {
      const answer = await talk([`${method} /a HTTP/1.1\r\nHost: x\r\n\r\n`], '/a 0');
      expect(answer).toContain('200 OK');
      expect(http2).toEqual([]);
    },
  );

  test('is served when it comes a byte at a time', async () => {
    const request = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc';
    await talk(Array.from(request), 'POST /a 3');
  });

  test('is served with a body of many reads', async () => {
    const head = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n';
    await talk([head, Buffer.alloc(3_000_000)], 'POST /a 3000000');
  });

  test('is served when the body comes along with the head', async () => {
    const head = Buffer.from('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n');
    await talk([Buffer.concat([head, Buffer.alloc(200_000)])], 'POST /a 200000');
  });

  test('keeps its connection: requests may come together, and one after another', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answer = await talk([get('/a') + get('/b'), get('/c')], 'GET /c 0');
    expect(answer.indexOf('GET /a 0')).toBeLessThan(answer.indexOf('GET /b 0'));
  });

  test.each(['PRI /a HTTP/1.1\r\nHost: x\r\n\r\n', 'PRX', 'garbage\r\n\r\n'])(
    'has what is neither: %j',
    async (text) => {
      expect(await talk([text], '400 Bad Request')).toContain('400 Bad Request');
      expect(http2).toEqual([]);
    },
  );
});

describe('HTTP/2', () => {
  test('is told by its preface, and gets every byte of it', async () => {
    await talk([PREFACE], 'taken as HTTP/2');
    expect(http2.map(({ text }) => text)).toEqual([PREFACE]);
  });

  test('is told though the preface comes a byte at a time', async () => {
    await talk(Array.from(PREFACE), 'taken as HTTP/2');
    expect(http2.map(({ text }) => text)).toEqual([PREFACE]);
  });

  test('ends on both sides when the client ends', async () => {
    const client = await connected();
    client.write(PREFACE);
    await once(client, 'data');
    client.end();
    await once(client, 'close');
    expect(http2[0]?.socket.destroyed).toBe(true);
  });
});

describe('a connection that does not say what it speaks', () => {
  test('is ended after the limit', async () => {
    await new Promise((resolve) => server.close(resolve));
    server = createServer();
    await share(1);
    const client = await connected();
    // A reset, where the limit came before what was sent.
    client.on('error', () => undefined);
    client.write('PRI *');
    await new Promise((resolve) => client.resume().once('close', resolve));
  });

  test('is ended on close', async () => {
    const silent = await connected();
    const half = await connected();
    half.write('PR');
    // It is known to the server before the answer to one that came after it.
    await talk(['GET /a HTTP/1.1\r\nHost: x\r\n\r\n'], 'GET /a 0');
    const closed = Promise.all([once(silent.resume(), 'close'), once(half.resume(), 'close')]);
    shared.dropUndecided();
    await closed;
  });

  test('may go as it came', async () => {
    const ended = await connected();
    ended.end('PR').resume();
    await once(ended, 'close');
    const reset = await connected();
    reset.write('PR');
    reset.resetAndDestroy();
    await talk(['GET /a HTTP/1.1\r\nHost: x\r\n\r\n'], 'GET /a 0');
  });
});
