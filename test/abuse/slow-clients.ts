/**
 * Callers who send headers and bodies a byte at a time, and callers who don't take in what they are
 * answered: all are shown out, while others are served, and nothing of them is left.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { Pool } from 'undici';
import { Chance } from '../support/chance.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp } from './abused-app.js';
import { liveMemory } from './live-memory.js';
import { assertNoSecrets, keepSecret, keepSignature } from './secrets.js';

/** Slow senders; a hundredth of it of slow readers besides. */
export const size = 4_000;

const LIMITS = {
  headersTimeout: 1_000,
  requestTimeout: 1_500,
  unreadTimeout: 1_000,
  connectionsCheckingInterval: 100,
};
/** Against all limits together, and for a machine that has other things to do. */
const GIVES_UP_AFTER_MS = 60_000;
/** Together more than the system holds of a connection that isn't read. */
const UNREAD = { answers: 10, bytes: 1024 * 1024 };
const AT_ONCE = 200;
const SILENT = 'headers: none';
const MOST_GROWTH = 16 * 1024 * 1024;
const MOST_TURNS = 100;

interface Slow {
  readonly socket: Socket;
  readonly kind: string;
  answer: string;
  isClosed: boolean;
}

interface Reader {
  readonly socket: Socket;
  /** The server's end: who doesn't read doesn't see that it is over. */
  readonly accepted: Socket;
}

export async function run(count: number, seed: number): Promise<string> {
  const app = await AbusedApp.start({
    limits: LIMITS,
    variables: { EXTERNAL_ORIGINS: 'https://api.example.com' },
  });
  keepSecret(app.apiKey, 'the API key');
  const pool = new Pool(app.url, { connections: 4, headersTimeout: GIVES_UP_AFTER_MS });
  const chance = new Chance(seed);
  const slow: Slow[] = [];
  try {
    await serve(app, pool);
    app.handled.length = 0;
    const before = memory();
    const readers = await slowReaders(app, Math.ceil(count / 100));
    let served = 0;
    const start = performance.now();
    for (
      let made = 0;
      made < count ||
      slow.some((one) => !one.isClosed) ||
      readers.some((one) => !one.accepted.closed);
    ) {
      if (made < count) {
        const more = Math.min(AT_ONCE, count - made);
        slow.push(...(await Promise.all(Array.from({ length: more }, () => opened(app, chance)))));
        made += more;
      }
      served += await serve(app, pool);
      // A byte now and then is no sign of life.
      for (const { socket, isClosed, kind } of slow) {
        if (!isClosed && kind !== SILENT && chance.is(0.1)) socket.write('a');
      }
      if (performance.now() - start > GIVES_UP_AFTER_MS) throw new Error(left(slow, readers));
    }
    const readersOut = readers.length;
    for (const { socket } of readers.splice(0)) {
      if (!socket.closed) await once(socket.destroy(), 'close');
    }
    check(slow);
    if (app.handled.length !== served / REQUESTS.length) {
      throw new Error('A handler has run for a request that never was whole.');
    }
    assertNoSecrets(app.takeLog(), 'the log');
    const closed = slow.splice(0).length;
    app.handled.length = 0;
    let grown = memory() - before;
    // Buffers of connections are let go some turns after their end.
    for (let turns = 0; grown > MOST_GROWTH && turns < MOST_TURNS; turns++) {
      await serve(app, pool);
      grown = memory() - before;
    }
    if (grown > MOST_GROWTH) {
      throw new Error(`${(grown / 1024 / 1024).toFixed(1)} MB are left of them.`);
    }
    return `${closed} slow senders and ${readersOut} slow readers shown out, ${served} others served meanwhile, ${(grown / 1024 / 1024).toFixed(1)} MB more memory`;
  } finally {
    for (const { socket } of slow) socket.destroy();
    await pool.close();
    await app.close();
  }
}

function left(senders: readonly Slow[], readers: readonly Reader[]): string {
  const open = senders.filter((one) => !one.isClosed).map(({ kind }) => kind);
  const unread = readers.filter((one) => !one.accepted.closed).length;
  return `Still open are ${open.length} senders (${[...new Set(open)].join(', ')}) and ${unread} readers.`;
}

const REQUESTS = [
  { path: '/healthz', method: 'GET', status: 200 },
  { path: '/add_task_external', method: 'POST', status: 202 },
  { path: '/abuse/work', method: 'POST', status: 200 },
] as const;

function memory(): number {
  const { heap, outside } = liveMemory();
  return heap + outside;
}

/** Everybody else, once each. */
async function serve(app: AbusedApp, pool: Pool): Promise<number> {
  for (const { path, method, status } of REQUESTS) {
    const who = [...app.credentials(), ...app.producerCredentials()];
    const headers = [...who, ['Content-Type', 'application/json']].flat();
    const body = method === 'GET' ? null : '{"url":"https://api.example.com/"}';
    const answer = await pool.request({ path, method, headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== status) {
      throw new Error(`${path} is answered ${answer.statusCode} meanwhile: ${text}`);
    }
  }
  return REQUESTS.length;
}

async function opened(app: AbusedApp, chance: Chance): Promise<Slow> {
  const [kind, begun] = chance.pick(beginnings(app));
  const socket = await connected(app);
  const one: Slow = { socket, kind, answer: '', isClosed: false };
  socket.setEncoding('latin1').on('data', (part: string) => (one.answer += part));
  socket.once('close', () => (one.isClosed = true));
  socket.write(begun, 'latin1');
  return one;
}

async function connected(app: AbusedApp): Promise<Socket> {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  // The server may end it while something is being written.
  return socket.on('error', () => undefined);
}

function beginnings(app: AbusedApp): (readonly [string, string])[] {
  const head = (path: string, who: HeaderLines, framing: string) =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines(who)}${framing}`;
  const length = 'Content-Length: 100000\r\n\r\n';
  const chunks = 'Transfer-Encoding: chunked\r\n\r\n';
  const token = app.credentials();
  const key = app.producerCredentials();
  return [
    [SILENT, ''],
    ['headers: a line', 'POST /abuse/work HTTP/1.1\r\n'],
    ['headers: some', head('/abuse/work', token, 'X-A: a')],
    ['headers: all but the end', head('/add_task_external', key, 'Content-Length: 2\r\nX-A: a')],
    ['body: of a task', head('/abuse/work', token, `${length}"`)],
    ['body: of a task, in chunks', head('/abuse/work', token, `${chunks}fffff\r\n"`)],
    ['body: of a task as bytes', head('/event-display', token, `${length}"`)],
    ['body: to enqueue', head('/add_task_external', key, `${length}{"payload":"`)],
    ['body: to enqueue, in chunks', head('/add_task_external', key, `${chunks}fffff\r\n"`)],
    ['body: of a stranger', head('/abuse/work', [], `${length}"`)],
  ];
}

function lines(headers: HeaderLines): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

async function slowReaders(app: AbusedApp, count: number): Promise<Reader[]> {
  const { bytes, answers } = UNREAD;
  keepSignature(app.token());
  const head = `POST /event-display HTTP/1.1\r\nHost: localhost\r\n${lines(app.credentials())}Content-Length: ${bytes}\r\n\r\n`;
  const asked = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'x')]);
  const readers: Reader[] = [];
  for (let made = 0; made < count; made++) {
    const server = app.app.app.getHttpServer() as Server;
    const [socket, [accepted]] = await Promise.all([
      connected(app),
      once(server, 'connection') as Promise<[Socket]>,
    ]);
    socket.pause();
    for (let sent = 0; sent < answers; sent++) socket.write(asked);
    readers.push({ socket, accepted });
  }
  return readers;
}

function check(slow: readonly Slow[]): void {
  for (const { kind, answer } of slow) {
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    const expected = kind === 'body: of a stranger' ? '401,408' : '408';
    // Who is shown out while he writes may not be able to read why.
    if (statuses.length > 0 && !expected.endsWith(statuses.join())) {
      throw new Error(`${kind} is answered ${statuses.join()}: ${answer}`);
    }
  }
}
