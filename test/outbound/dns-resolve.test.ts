/** Look-ups of a name server of the test's own. */
import { afterEach, expect, test } from '@jest/globals';
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { dnsResolve } from '../../src/outbound/dns-resolve.js';

const A = 1;
const AAAA = 28;
const OK = 0;
const NO_SUCH_NAME = 3;

let server: Socket | undefined;
afterEach(() => void server?.close());

/** What the server says to a question for a name and a type: addresses as bytes, or a code. */
type Says = (name: string, type: number) => readonly number[][] | number;

async function nameServer(says: Says) {
  const questions: string[] = [];
  const socket = createSocket('udp4');
  server = socket;
  socket.on('message', (query, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    while (query[at]) {
      const length = query[at] ?? 0;
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    questions.push(`${labels.join('.')} ${type}`);
    const said = says(labels.join('.').toLowerCase(), type);
    const answers = typeof said === 'number' ? [] : said;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (typeof said === 'number' ? said : OK), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    const records = answers.map((bytes) =>
      Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes]),
    );
    socket.send(Buffer.concat([head, question, ...records]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { questions, resolve: dnsResolve([`127.0.0.1:${socket.address().port}`]) };
}

const V6 = [0x20, 3, ...new Array<number>(13).fill(0), 1];

test('gives the addresses of both kinds, IPv4 first', async () => {
  const { resolve } = await nameServer((_, type) =>
    type === A
      ? [
          [8, 8, 8, 8],
          [8, 8, 4, 4],
        ]
      : type === AAAA
        ? [V6]
        : [],
  );
  expect(await resolve('api.example.com')).toEqual(['8.8.8.8', '8.8.4.4', '2003::1']);
});

test('gives those of one kind where the other has none', async () => {
  const { resolve } = await nameServer((name, type) =>
    name.startsWith('four') === (type === A) ? [type === A ? [8, 8, 8, 8] : V6] : [],
  );
  expect(await resolve('four.example.com')).toEqual(['8.8.8.8']);
  expect(await resolve('six.example.com')).toEqual(['2003::1']);
});

test('tells by its code why there is none', async () => {
  const { resolve } = await nameServer((name) => (name.startsWith('no') ? NO_SUCH_NAME : []));
  await expect(resolve('no.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  await expect(resolve('empty.example.com')).rejects.toMatchObject({ code: 'ENODATA' });
});

test('asks once for all who ask at once, and again for who comes later', async () => {
  let last = 1;
  const { questions, resolve } = await nameServer((_, type) =>
    type === A ? [[8, 8, 8, last]] : [],
  );
  const answers = await Promise.all(Array.from({ length: 50 }, () => resolve('a.example.com')));
  expect(new Set(answers.flat())).toEqual(new Set(['8.8.8.1']));
  expect(questions).toHaveLength(2);
  last = 2;
  expect(await resolve('a.example.com')).toEqual(['8.8.8.2']);
  expect(questions).toHaveLength(4);
});

test('takes nothing from the hosts file', async () => {
  const { resolve } = await nameServer(() => NO_SUCH_NAME);
  await expect(resolve('localhost')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});
