/** How tasks and queues are written as rows, each part with a checksum, and read back or refused. */
import { crc32 } from 'node:zlib';
import type { AppEngineHttpRequest, HttpRequest, Queue } from '../engine/cloud-tasks-api.js';
import type { StoredRequest, StoredTask, TaskState } from '../engine/ports.js';

/** A part of a record that is not what was written. */
export class DamageFound extends Error {
  override readonly name = 'DamageFound';
}

/** A part as it is kept: JSON, and a CRC32 over it and its place in the store. */
export interface Sealed {
  readonly text: string;
  readonly checksum: number;
}

/** A request as it is kept: everything but the body, and the body as raw bytes. */
export interface SealedRequest {
  readonly head: Sealed;
  readonly body: Uint8Array | null;
  readonly bodyChecksum: number | null;
}

/**
 * A task's two rows with its queue's name. Body and checksum are null where there is none, or it
 * wasn't asked for. In a damaged file a column can hold any type, whatever the schema says.
 */
export type TaskRow = readonly [
  seq: number,
  queueId: number,
  queue: string,
  id: string,
  scheduleTime: unknown,
  state: unknown,
  checksum: unknown,
  head: unknown,
  headChecksum: unknown,
  body: unknown,
  bodyChecksum: unknown,
];

/** What binds a part to its place: rows or parts that changed places fail their checksums. */
export function taskKey(seq: number, queueId: number, id: string): string {
  return `${seq} ${queueId} ${id}`;
}

export function encodeState(key: string, state: TaskState): Sealed {
  return seal('state', key, state);
}

/** @param scheduleTime of the index, which must not lead to another time than the task's own. */
export function decodeState(
  key: string,
  text: unknown,
  checksum: unknown,
  scheduleTime: unknown,
): TaskState {
  const state = unseal('state', key, text, checksum) as TaskState;
  if (state.scheduleTime !== scheduleTime) throw new DamageFound('wrong schedule time in index');
  return state;
}

export function encodeRequest(key: string, request: StoredRequest): SealedRequest {
  const { httpRequest, appEngineHttpRequest } = request;
  const target = httpRequest ?? appEngineHttpRequest;
  const body = target?.body;
  if (!body) return { head: seal('request', key, request), body: null, bodyChecksum: null };
  const bare = { ...target, body: undefined };
  const head = seal(
    'request',
    key,
    httpRequest ? { ...request, httpRequest: bare } : { ...request, appEngineHttpRequest: bare },
  );
  return { head, body, bodyChecksum: crc32(body, head.checksum) };
}

export function decodeHead(key: string, text: unknown, checksum: unknown): StoredRequest {
  return unseal('request', key, text, checksum) as StoredRequest;
}

/** @throws DamageFound when any part is not what was written. */
export function decodeTask(row: TaskRow): StoredTask {
  const [seq, queueId, queue, id, scheduleTime, state, checksum, head, headChecksum] = row;
  const [body, bodyChecksum] = row.slice(9);
  const key = taskKey(seq, queueId, id);
  const request = decodeHead(key, head, headChecksum);
  if (body !== null || bodyChecksum !== null) addBody(request, headChecksum, body, bodyChecksum);
  return { seq, queue, id, request, state: decodeState(key, state, checksum, scheduleTime) };
}

export function encodeQueue(id: number, queue: Queue): Sealed {
  return seal('queue', `${id} ${queue.name}`, queue);
}

export function decodeQueue(id: number, name: unknown, text: unknown, checksum: unknown): Queue {
  return unseal('queue', `${id} ${String(name)}`, text, checksum) as Queue;
}

function addBody(
  request: StoredRequest,
  headChecksum: unknown,
  body: unknown,
  checksum: unknown,
): void {
  const target: HttpRequest | AppEngineHttpRequest | undefined =
    request.httpRequest ?? request.appEngineHttpRequest;
  if (!target || !isBytes(body) || crc32(body, Number(headChecksum)) !== checksum) {
    throw new DamageFound('wrong checksum of body');
  }
  target.body = body;
}

type Part = 'state' | 'request' | 'queue';

function seal(part: Part, key: string, value: unknown): Sealed {
  const text = JSON.stringify(value);
  return { text, checksum: checksumOf(part, key, text) };
}

function unseal(part: Part, key: string, text: unknown, checksum: unknown): unknown {
  if (typeof text !== 'string' || checksumOf(part, key, text) !== checksum) {
    throw new DamageFound(`wrong checksum of ${part}`);
  }
  return JSON.parse(text);
}

function checksumOf(part: Part, key: string, text: string): number {
  return crc32(`${part} ${key} ${text}`);
}

/** Bytes from SQLite may stem from another realm, where `instanceof` fails. */
function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value);
}
