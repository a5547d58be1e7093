/**
 * Requests as no client writes them, each with another one hidden in its body: framed in two ways
 * at once, or in a way that two servers may read differently. The hidden one is never carried out,
 * and nothing is answered with 5xx.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { Chance } from '../support/chance.js';
import type { HeaderLines } from './abused-app.js';
import { AbusedApp, TASK_ROUTES } from './abused-app.js';
import { assertNoSecrets, keepSecret, keepSignature } from './secrets.js';

export const size = 6_000;

const AT_ONCE = 16;
const BATCH = 500;

/** A path that nothing has: its 404 shows that it was taken for a request. */
const HIDDEN = '/hidden-in-a-body';

/** What ends each case: its answer says that the connection could still be used. */
const LAST = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

export async function run(count: number, seed: number): Promise<string> {
  const app = await AbusedApp.start({
    variables: { EXTERNAL_ORIGINS: 'https://api.example.com' },
    limits: {
      requestTimeout: 500,
      headersTimeout: 500,
      keepAliveTimeout: 50,
      connectionsCheckingInterval: 50,
    },
  });
  keepSecret(app.apiKey, 'the API key');
  keepSignature(app.token());
  const statuses = new Map<string, number>();
  try {
    for (let first = 0; first < count; first += BATCH) {
      const last = Math.min(first + BATCH, count);
      let next = first;
      const caller = async () => {
        for (let index = next++; index < last; index = next++) {
          const text = rawRequest(new Chance(seed + index * 7919), app);
          const answer = await exchange(app, text);
          const told = statusesOf(answer);
          const wrong = wrongIn(answer, told);
          if (wrong !== undefined) {
            throw new Error(`case ${index}: ${wrong}: ${JSON.stringify(text.slice(0, 3_000))}`);
          }
          const kind = told.join(' then ') || 'nothing';
          statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, caller));
      assertNoSecrets(app.takeLog(), 'the log');
      if ((await app.tasks()).length > 0)
        throw new Error(`A hidden request before ${last} enqueued.`);
      if (app.handled.some((body) => JSON.stringify([body]).includes('"hidden"'))) {
        throw new Error(`A hidden request before ${last} reached a handler.`);
      }
      app.handled.length = 0;
      app.reached.length = 0;
    }
    return [...statuses].map(([kind, times]) => `${times} x ${kind}`).join(', ');
  } finally {
    await app.close();
  }
}

function wrongIn(answer: string, statuses: readonly string[]): string | undefined {
  if (answer.includes(`Cannot GET ${HIDDEN}`)) return 'the hidden request is answered';
  if (statuses.some((status) => status.startsWith('5'))) return `answered ${statuses.join()}`;
  // One for the request, and one for what ends the case or for what is no request any more.
  if (statuses.length > 2) return `${statuses.length} answers`;
  return undefined;
}

function statusesOf(answer: string): string[] {
  // `100 Continue` is none yet.
  return [...answer.matchAll(/HTTP\/1\.1 ([2-9]\d\d) /g)].map(([, status = '']) => status);
}

async function exchange(app: AbusedApp, text: string): Promise<string> {
  const { hostname, port } = new URL(app.url);
  const socket: Socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
  // A server that closes with bytes unread resets the connection; what it said came before.
  socket.on('error', () => undefined);
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return answer;
}

const LENGTHS = [
  '+N',
  '-N',
  'N,N',
  'N, N',
  'N N',
  '0xN',
  'N.0',
  'Na',
  '',
  '\x0bN',
  '"N"',
  '1e2',
  `N${'0'.repeat(30)}`,
];
const CODINGS = [
  'chunked',
  'Chunked',
  'xchunked',
  'chunked, identity',
  'identity',
  'identity, chunked',
  'gzip, chunked',
  'chunked;q=1',
  '"chunked"',
  'chunked\x0b',
  '\x0bchunked',
  'chunked\x00',
  'chun ked',
  ', chunked',
  'chunked,',
  '\u00a0chunked',
  '',
];
const CODING_NAMES = [
  'Transfer-Encoding',
  'transfer-encoding',
  'Transfer-Encoding ',
  'Transfer_Encoding',
  ' Transfer-Encoding',
  'Transfer-Encoding\t',
  'X: y\nTransfer-Encoding',
  'X: y\rTransfer-Encoding',
  'X: y\r\n ,\r\nTransfer-Encoding',
];
const CHUNK_SIZES = [
  '0xN',
  '+N',
  '-N',
  ' N',
  'N ',
  'N\t',
  'NG',
  'N_',
  'f'.repeat(17),
  'N;',
  'N;a="',
  'N;\x00',
  '',
];
const ENDS = ['\n', '\r', '\r\r\n', '\n\r\n', '', ' \r\n', '\x0b\r\n'];
const LINES = [
  'OPTIONS * HTTP/1.1',
  'TRACE / HTTP/1.1',
  'CONNECT localhost:80 HTTP/1.1',
  'PRI * HTTP/2.0',
  'GET http://localhost/healthz HTTP/1.1',
  'GET //healthz HTTP/1.1',
  'GET /%zz HTTP/1.1',
  'GET /%ff HTTP/1.1',
  'GET /%00 HTTP/1.1',
  'GET /a b HTTP/1.1',
  'GET /\x7f\xff HTTP/1.1',
  'GET ../etc HTTP/1.1',
  'GET ?a HTTP/1.1',
  'GET HTTP/1.1',
  'GET /healthz',
  'GET /healthz HTTP/0.9',
  'GET /healthz HTTP/1.2',
  'GET /healthz HTTP/11.1',
  'get /healthz HTTP/1.1',
  'GET\t/healthz HTTP/1.1',
  'M-SEARCH /healthz HTTP/1.1',
  'QUERY /add_task_external HTTP/1.1',
  'POST /abuse/work HTTP/1.1\nX: y',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  '\x00\x00\x00',
];

/** One that is odd in a single way or in several, with the hidden one in its body. */
function rawRequest(chance: Chance, app: AbusedApp): string {
  const path = chance.pick([
    ...TASK_ROUTES,
    '/add_task_external',
    '/add_task_app_engine',
    '/healthz',
  ]);
  const who = lines([...app.credentials(path), ...app.producerCredentials()]);
  const start = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${who}`;
  const body = hidden(chance, app);
  const length = String(body.length);
  const hex = body.length.toString(16);
  const whole = `${hex}\r\n${body}\r\n0\r\n\r\n`;
  switch (chance.between(0, 7)) {
    case 0:
      // By its length all of it is the body; by its chunks, nothing is.
      return `${start}Content-Length: ${body.length + 5}\r\n${coding(chance)}\r\n0\r\n\r\n${body}${LAST}`;
    case 1:
      return `${start}${chance.is(0.5) ? coding(chance) : ''}Content-Length: ${chance.pick(LENGTHS).replaceAll('N', length)}\r\n\r\n${body}${LAST}`;
    case 2: {
      const second = chance.pick(['0', '1', length, `${body.length + 1}`]);
      const both = [`Content-Length: ${length}\r\n`, `Content-Length: ${second}\r\n`];
      return `${start}${(chance.is(0.5) ? both : both.reverse()).join('')}\r\n${body}${LAST}`;
    }
    case 3:
      return `${start}${coding(chance)}${chance.is(0.3) ? coding(chance) : ''}\r\n${whole}${LAST}`;
    case 4: {
      const asked = chance.pick(CHUNK_SIZES).replaceAll('N', hex);
      const extension = chance.is(0.2) ? `;${'x'.repeat(20_000)}` : '';
      const end = chance.is(0.5) ? '\r\n' : chance.pick(ENDS);
      return `${start}Transfer-Encoding: chunked\r\n\r\n${asked}${extension}${end}${body}\r\n0\r\n\r\n${LAST}`;
    }
    case 5:
      return `${start}Transfer-Encoding: chunked\r\n\r\n${hex}\r\n${body}${chance.pick(ENDS)}0${chance.pick(ENDS)}\r\n${LAST}`;
    case 6:
      return `${start}Transfer-Encoding: chunked\r\n\r\n${hex}\r\n${body}\r\n0\r\nContent-Length: 0\r\nHost: evil\r\n${who}\r\n${LAST}`;
    default:
      return odd(chance, who, body);
  }
}

/** With an odd request line or head, and a proper body. */
function odd(chance: Chance, who: string, body: string): string {
  const line = chance.is(0.5) ? chance.pick(LINES) : 'POST /abuse/work HTTP/1.1';
  const framing = `Content-Length: ${body.length}\r\n`;
  const more = chance.pick([
    'Host: evil\r\n',
    'X-A : b\r\n',
    'X-A: b\r\n c\r\n',
    'X-A: b\x00c\r\n',
    ': b\r\n',
    'X A: b\r\n',
    'no colon\r\n',
    `X-A: ${'a'.repeat(20_000)}\r\n`,
    Array.from({ length: 150 }, (_, index) => `X-${index}: a\r\n`).join(''),
    'Expect: 100-continue\r\n',
    'Expect: 200-ok\r\n',
    'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n',
    'Upgrade: websocket\r\nConnection: Upgrade\r\n',
    'Connection: Content-Length, Authorization, X-API-Key\r\n',
    'X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /add_task_external\r\nX-Rewrite-URL: /tasks/example\r\n',
    '',
  ]);
  return `${line}\r\nHost: localhost\r\nContent-Type: application/json\r\n${who}${framing}${more}\r\n${body}${LAST}`;
}

function coding(chance: Chance): string {
  const name = chance.is(0.4) ? 'Transfer-Encoding' : chance.pick(CODING_NAMES);
  return `${name}: ${chance.pick(CODINGS)}\r\n`;
}

/** Whole requests by somebody who may send them, of which none is to be read. */
function hidden(chance: Chance, app: AbusedApp): string {
  const content = '{"url":"https://api.example.com/","hidden":1}';
  const task = '{"url":"https://api.example.com/"}';
  const post = (path: string, who: HeaderLines, body: string) =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines(who)}Content-Length: ${body.length}\r\n\r\n${body}`;
  return chance.pick([
    `GET ${HIDDEN} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    post('/add_task_external', app.producerCredentials(), task),
    post('/abuse/work', app.credentials(), content),
  ]);
}

function lines(headers: HeaderLines): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
