/** Bodies by a grammar of what the routes take and of JSON, then mangled or encoded in wrong ways. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { SHARED_FIELDS } from '../../src/modules/producer/task-fields.js';
import type { Chance } from '../support/chance.js';

export interface FuzzedRequest {
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly isChunked: boolean;
  /** As the task's body must be, if one is made. */
  readonly payload?: string;
}

/** Every draw follows from `chance`. */
export function fuzzedRequest(chance: Chance, path: string): FuzzedRequest {
  const asked = chance.is(0.5) ? options(chance, path) : { text: json(chance, 0) };
  const { body, headers } = encoded(chance, asked.text);
  const isWhole = body.toString() === asked.text;
  return {
    path,
    headers: [...headers, ...(chance.is(0.7) ? delivery(chance) : [])],
    body,
    isChunked: chance.is(0.2),
    ...('payload' in asked && isWhole ? { payload: asked.payload } : {}),
  };
}

function delivery(chance: Chance): string[] {
  const headers = ['X-CloudTasks-QueueName', 'default', 'X-CloudTasks-TaskName', 'fuzz'];
  const count = () => chance.pick(['0', '3', '-1', '1e9', 'abc', '99999999999999999999', '']);
  if (chance.is(0.3)) headers.push('X-CloudTasks-TaskRetryCount', count());
  if (chance.is(0.1)) headers.push('X-CloudTasks-TaskRetryCount', count());
  if (chance.is(0.1)) headers.push('X-Tasks-Max-Attempts', count());
  if (chance.is(0.1)) headers.push('X-CloudTasks-TaskETA', count());
  return headers;
}

const FIELDS = [...SHARED_FIELDS, 'relativeUri', 'service', 'url', 'options', '__proto__'];
const VALUES = [
  '"default"',
  '"30s"',
  '"1e9d"',
  '"/tasks/example"',
  '"/..%2f"',
  '"2030-01-01T00:00:00Z"',
  '"+275760-09-13T00:00:00Z"',
  '"PUT"',
  '"https://api.example.com/\u00e4"',
  '{"X-A":"b"}',
  '{"X-A":1,"x-a":"\\u0000"}',
];

/** Fields of ours, right ones and wrong ones; some of it is a task. */
function options(chance: Chance, path: string): { text: string; payload?: string } {
  const isHandlers = path === '/add_task_app_engine';
  const parts = [isHandlers ? '"service":"other"' : '"url":"https://api.example.com/a"'];
  const isObject = chance.is(0.5);
  const value = isObject ? `{"a":${json(chance, 1)}}` : `[${json(chance, 1)}]`;
  parts.push(`"payload":${value}`);
  while (chance.is(0.3)) {
    const wild = () => (chance.is(0.5) ? chance.pick(VALUES) : json(chance, 3));
    parts.push(`${JSON.stringify(chance.pick(FIELDS))}:${wild()}`);
  }
  return { text: `{${parts.join(chance.pick([',', ' , ', ',\n']))}}`, payload: value };
}

const KEYS = [
  'a',
  '',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'to',
  '\u00e9',
  '\ud83d\ude00',
];
const NUMBERS = [
  '0',
  '-0',
  '1e999',
  '-1E-999',
  '9007199254740993',
  '1.10',
  '01',
  '+1',
  '.5',
  '0x1',
];
const TEXTS = [
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\u2028"',
  '"\\/"',
  '"\\x"',
  '"\ud83d\ude00"',
  '"\u0007"',
];
const WORDS = ['true', 'false', 'null', 'NaN', 'undefined', "'a'", '/**/1', ''];

/** Mostly JSON. */
function json(chance: Chance, depth: number): string {
  const simple = depth > 5 || chance.is(0.4);
  switch (simple ? chance.between(0, 3) : chance.between(4, 6)) {
    case 0:
      return chance.is(0.7) ? String(chance.between(-1e9, 1e9)) : chance.pick(NUMBERS);
    case 1:
      return chance.is(0.5) ? JSON.stringify(text(chance)) : chance.pick(TEXTS);
    case 2:
    case 3:
      return chance.pick(WORDS.slice(0, chance.is(0.1) ? WORDS.length : 3));
    case 4:
      return `[${several(chance, () => json(chance, depth + 1))}]`;
    default:
      return `{${several(chance, () => `${JSON.stringify(chance.pick(KEYS))}:${json(chance, depth + 1)}`)}}`;
  }
}

function several(chance: Chance, item: () => string): string {
  return Array.from({ length: chance.between(0, 3) }, item).join(chance.is(0.02) ? ',,' : ',');
}

function text(chance: Chance): string {
  const length = chance.between(0, 20);
  return Array.from({ length }, () => String.fromCharCode(chance.between(0, 0x24f))).join('');
}

const TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  'application/vnd.a+json',
  'application/json; charset=utf-16',
  'application/json; charset=latin1',
  'application/json; charset=utf-7',
  'application/json; charset="utf-8"',
  'text/plain; charset=utf-16le',
  'text/plain; charset=none',
  ';;',
  '',
];
const CODINGS = ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'identity', 'x', ''];

/** As bytes, which may be mangled, and with a type and a coding that may be wrong. */
function encoded(chance: Chance, asked: string): { body: Buffer; headers: string[] } {
  const headers = ['Content-Type', chance.is(0.75) ? 'application/json' : chance.pick(TYPES)];
  let body: Buffer = Buffer.from(asked);
  const kind = chance.between(0, 29);
  if (kind === 0) body = Buffer.from(asked, 'utf16le');
  else if (kind === 1) body = Buffer.from(asked, 'latin1');
  else if (kind === 2) body = Buffer.concat([Buffer.from('\ufeff'), body]);
  else if (kind === 3) body = randomBytes(chance, chance.between(0, 300));
  else if (kind < 9) body = mangled(chance, body);
  else if (kind === 9) body = Buffer.from('[{"a":'.repeat(chance.between(10, 100_000)));
  else if (kind === 10 && chance.is(0.1)) {
    body = Buffer.alloc(
      chance.between(900_000, 2_500_000),
      chance.pick([' ', '[', '"', '9', '\0']),
    );
  } else if (kind === 11) body = chance.pick([gzipSync, deflateSync, brotliCompressSync])(body);
  if (kind === 11 || chance.is(0.03)) headers.push('Content-Encoding', chance.pick(CODINGS));
  return { body, headers };
}

function randomBytes(chance: Chance, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => chance.between(0, 255)));
}

function mangled(chance: Chance, body: Buffer): Buffer {
  let bytes: Buffer = body;
  do {
    const at = chance.between(0, bytes.length);
    const end = Math.min(bytes.length, at + chance.between(0, 8));
    const middle = chance.pick([
      Buffer.alloc(0),
      randomBytes(chance, 3),
      bytes.subarray(at, end),
      Buffer.from(chance.pick(['{', '}', '[', '"', '\\', ',', '\0', '\xff'])),
    ]);
    bytes = Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)]);
  } while (chance.is(0.5));
  return bytes;
}
