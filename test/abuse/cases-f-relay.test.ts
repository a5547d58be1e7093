/** Cases 76 to 81: what goes into relayed calls, and what comes back from hostile targets. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { DeadLetters } from '../../src/modules/dead-letters/dead-letters.js';
import { judgeStatus } from '../../src/modules/relay/relay-verdict.js';
import { DAY, SECOND } from '../../src/engine/time.js';
import { RawUpstream } from '../support/raw-upstream.js';
import { closeApps } from '../support/tasks-app.js';
import type { RelayApp } from '../modules/relay/relay-bench.js';
import { deliver, handmade, startRelay, Target } from '../modules/relay/relay-bench.js';
import { liveMemory } from './live-memory.js';
import { assertNoSecrets } from './secrets.js';

let plain: Target;
let signed: Target;
let raw: RawUpstream;
let app: RelayApp;

beforeAll(async () => {
  [plain, signed, raw] = await Promise.all([Target.start(), Target.start(), RawUpstream.listen()]);
  app = await startRelay([
    { origin: plain.url },
    { origin: signed.url, audience: 'https://signed.example' },
    { origin: `http://127.0.0.1:${raw.port}`, timeout: 2 * SECOND },
  ]);
});

afterAll(async () => {
  await closeApps();
  await Promise.all([plain.close(), signed.close(), raw.close()]);
});

beforeEach(() => {
  plain.seen.length = signed.seen.length = 0;
});

afterEach(() => assertNoSecrets(app.log.text, 'the log'));

async function lastLetter() {
  const letters = [];
  for await (const letter of app.app.get(DeadLetters).list()) letters.push(letter);
  return letters.sort((a, b) => a.diedAt - b.diedAt).at(-1);
}

/** Bytes of buffers that are in use; what came in and was let go counts no more. */
async function held(): Promise<number> {
  for (let turn = 0; turn < 5; turn++) {
    liveMemory();
    await new Promise(setImmediate);
  }
  return liveMemory().outside;
}

const BAD_HEADERS: [string, Record<string, string>][] = [
  ['CR and LF in a value', { 'X-A': 'a\r\nX-Evil: 1' }],
  ['NUL in a value', { 'X-A': 'a\0b' }],
  ['LF in a name', { 'X-A\nX-Evil': '1' }],
  ['a colon in a name', { 'X-A:': '1' }],
  ['a blank in a name', { 'X A': '1' }],
  ['an empty name', { '': '1' }],
  ['what is no Latin in a value', { 'X-A': 'ü€' }],
  ['65 of them', Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`X-${index}`, '1']))],
  ['17 KB of them', { 'X-A': 'a'.repeat(17 * 1024) }],
];

describe.each(BAD_HEADERS)('76. %s', (_, headers) => {
  test('is refused when the call is asked for', async () => {
    await expect(app.relay.call({ url: plain.url, headers })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'headers',
    });
  });

  test('in a task that somebody else has made is given up, and nothing is sent', async () => {
    expect(await handmade(app, JSON.stringify({ url: plain.url, headers }))).toBe(200);
    expect(await lastLetter()).toMatchObject({ reason: 'policy' });
    expect(plain.seen).toEqual([]);
  });
});

test('77. headers of the connection, of proxies and of platforms never get out', async () => {
  const headers = {
    Connection: 'x-secret, keep-alive',
    'X-Secret': '1',
    'Keep-Alive': 'timeout=5',
    TE: 'trailers',
    Trailer: 'x',
    Upgrade: 'websocket',
    'Proxy-Authorization': 'Basic eA==',
    'Proxy-Connection': 'keep-alive',
    'Transfer-Encoding': 'chunked',
    Host: 'evil.example',
    'Metadata-Flavor': 'Google',
    Cookie: 'a=b',
    'X-Forwarded-For': '1.2.3.4',
    Forwarded: 'for=1.2.3.4',
    Via: '1.1 evil',
    'X-Serverless-Authorization': 'Bearer x',
    'X-AppEngine-QueueName': 'default',
    'X-CloudTasks-QueueName': 'default',
    'X-Google-Anything': '1',
    'X-Goog-Authenticated-User-Email': 'a@b',
    'X-Tasks-Uid': 'x'.repeat(20),
    'X-Kept': 'yes',
  };
  expect(await handmade(app, JSON.stringify({ url: plain.url, headers }))).toBe(200);
  const [seen] = plain.seen;
  expect(Object.keys(seen?.headers ?? {}).sort()).toEqual(
    ['accept-encoding', 'connection', 'content-length', 'host', 'idempotency-key', 'x-kept']
      .concat('x-relay-attempt')
      .sort(),
  );
  expect(seen?.headers).toMatchObject({
    host: new URL(plain.url).host,
    connection: 'keep-alive',
    'accept-encoding': 'identity',
  });
});

describe('78. a token', () => {
  test("of the caller's own is refused beside the rule's", async () => {
    const headers = { Authorization: 'Bearer mine' };
    await expect(app.relay.call({ url: signed.url, headers })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'headers',
    });
    expect(await handmade(app, JSON.stringify({ url: signed.url, headers }))).toBe(200);
    expect(await lastLetter()).toMatchObject({ reason: 'policy' });
    expect(signed.seen).toEqual([]);
  });

  test('goes to the origin of its rule alone', async () => {
    for (const { url } of [plain, signed]) {
      expect(await handmade(app, JSON.stringify({ url, payload: 'x' }))).toBe(200);
    }
    expect(plain.seen[0]?.headers.authorization).toBeUndefined();
    expect(signed.seen[0]?.headers.authorization).toMatch(/^Bearer ey/);
  });
});

describe('79. a target', () => {
  const url = () => `http://127.0.0.1:${raw.port}/`;
  const body = (more: object = {}) =>
    JSON.stringify({ url: url(), payload: 'x', timeout: '1s', ...more });
  const head = 'HTTP/1.1 200 OK\r\n';

  test.each<[string, RawUpstream['answer']]>([
    [
      'that never ends its body',
      (_, socket) => {
        const chunk = Buffer.alloc(64 * 1024, 'x');
        socket.write(`${head}\r\n`);
        const more = () => {
          while (!socket.destroyed && socket.write(chunk)) continue;
        };
        socket.on('drain', more);
        more();
        return undefined;
      },
    ],
    [
      'that says 10 GB, and brings a few bytes',
      () => `${head}Content-Length: 10737418240\r\n\r\nfew`,
    ],
    ['that stays silent', () => undefined],
    [
      'whose head never ends',
      (_, socket) => {
        socket.write(head);
        const more = () => {
          if (!socket.destroyed)
            socket.write(`X-${'a'.repeat(1000)}: 1\r\n`, () => setImmediate(more));
        };
        more();
        return undefined;
      },
    ],
    ['with a head of 1 MB', () => `${head}X-A: ${'a'.repeat(1024 * 1024)}\r\n\r\n`],
    ['whose status line is none', () => 'HTP/1.1 two hundred\r\n\r\n'],
    [
      'whose body is shorter than it says',
      (_, socket) => {
        socket.end(`${head}Content-Length: 100\r\n\r\nshort`);
        return undefined;
      },
    ],
    [
      'that closes at once',
      (_, socket) => {
        socket.destroy();
        return undefined;
      },
    ],
    [
      'that announces an answer without end',
      (_, socket) => {
        const more = () => {
          if (!socket.destroyed)
            socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => setImmediate(more));
        };
        more();
        return undefined;
      },
    ],
    [
      'that upgrades',
      () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    ],
    ['that answers twice', () => `${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
  ])('%s is classified in time, and tried again', async (_, answer) => {
    // Without a deadline of the relay's own some of these would never end.
    raw.answer = answer;
    const before = await held();
    expect((await deliver(app, body(), { task: `case-79-${Math.random()}` })).status).toBe(500);
    expect((await held()) - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('that sends a bomb: it stays as it came, and only its beginning is kept', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024));
    raw.answer = (_, socket) => {
      socket.write(`${head}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
      socket.end(bomb);
      return undefined;
    };
    const over = app.attempt();
    const { id } = await app.relay.call({ url: url(), payload: 'x' });
    expect((await over).status).toBe(200);
    const { answer } = await app.relay.status(id);
    expect(answer).toMatchObject({ status: 200, bytes: bomb.length, truncated: true });
    expect(Buffer.from(answer?.body ?? '', 'base64')).toEqual(bomb.subarray(0, 256 * 1024));
  });

  test('whose binary body is read back byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
    plain.answer = ({ response }) => response.end(bytes);
    const over = app.attempt();
    const { id } = await app.relay.call({ url: plain.url, payload: 'x' });
    await over;
    const { answer } = await app.relay.status(id);
    expect(Buffer.from(answer?.body ?? '', 'base64')).toEqual(bytes);
    expect(answer).toMatchObject({ bytes: 1024, truncated: false });
    plain.answer = ({ response }) => response.end('done');
  });
});

describe('80. Retry-After', () => {
  const now = Date.UTC(2026, 0, 1) * 1000;
  test.each<[string, number | undefined]>([
    ['-1', undefined],
    ['abc', undefined],
    ['', undefined],
    ['1e3', undefined],
    ['1.5', undefined],
    ['0', SECOND],
    ['7', 7 * SECOND],
    ['1000000000000', DAY],
    ['Wed, 31 Dec 2025 23:59:00 GMT', SECOND],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60 * SECOND],
    ['Fri, 01 Jan 2100 00:00:00 GMT', DAY],
  ])('%j', (text, after) => {
    const verdict = judgeStatus(429, text, {}, now);
    expect(verdict).toMatchObject({ kind: 'again', ...(after === undefined ? {} : { after }) });
    if (after === undefined) expect(verdict).not.toHaveProperty('after');
  });
});

test.each([100, 101, 204, 301, 304, 307, 404, 429, 503, 600, 999])(
  '81. %d of a target is never the answer to the queue',
  async (status) => {
    raw.answer = (_, socket) => {
      socket.end(
        `HTTP/1.1 ${status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n`,
      );
      return undefined;
    };
    const body = JSON.stringify({ url: `http://127.0.0.1:${raw.port}/`, timeout: '1s' });
    const answered = await handmade(app, body);
    expect([200, 500]).toContain(answered);
    await app.api.purgeQueue({ name: app.queueName() });
  },
);
