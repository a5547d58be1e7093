/** How tasks, queues and jobs are written as rows, each part with a checksum, and read back or refused. */
import { crc32 } from 'node:zlib';
import type { AppEngineHttpRequest, HttpRequest, Queue } from '../engine/cloud-tasks-api.js';
import type { JobConfig, JobState, StoredJob, StoredRequest, TaskState } from '../engine/ports.js';

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

/** A task's first row. In a damaged file a column can hold any type, whatever the schema says. */
export type StateRow = readonly [
  queueId: number,
  id: string,
  scheduleTime: unknown,
  state: unknown,
  checksum: unknown,
];

/** Both rows. Body and checksum are null where there is none, or it wasn't asked for. */
export type TaskRow = readonly [
  ...StateRow,
  head: unknown,
  headChecksum: unknown,
  body: unknown,
  bodyChecksum: unknown,
];

/** What binds a part to its place: rows or parts that changed places fail their checksums. */
export function taskKey(store: number, seq: number, queueId: number, id: string): string {
  return `${inStore(store)}${seq} ${queueId} ${id}`;
}

/** A file from before there were ids has 0, and checksums without it. */
function inStore(store: number): string {
  return store === 0 ? '' : `${store} `;
}

export function encodeState(key: string, state: TaskState): Sealed {
  return seal('state', key, state);
}

export function decodeState(key: string, row: StateRow | TaskRow): TaskState {
  const [, , scheduleTime, text, checksum] = row;
  const state = unseal('state', key, text, checksum) as TaskState;
  // The column that orders must not lead to another time than the task's own.
  if (state.scheduleTime !== scheduleTime) throw new DamageFound('wrong schedule time');
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

export function decodeHead(key: string, text?: unknown, checksum?: unknown): StoredRequest {
  return unseal('request', key, text, checksum) as StoredRequest;
}

export function decodeRequest(key: string, row: TaskRow): StoredRequest {
  const [head, headChecksum, body, bodyChecksum] = row.slice(5);
  const request = decodeHead(key, head, headChecksum);
  if (body === null && bodyChecksum === null) return request;
  const target: HttpRequest | AppEngineHttpRequest | undefined =
    request.httpRequest ?? request.appEngineHttpRequest;
  if (!target || !isBytes(body) || crc32(body, Number(headChecksum)) !== bodyChecksum) {
    throw new DamageFound('wrong checksum of body');
  }
  target.body = body;
  return request;
}

export function encodeQueue(store: number, id: number, queue: Queue): Sealed {
  return seal('queue', `${inStore(store)}${id}`, queue);
}

export function decodeQueue(store: number, id: number, text: unknown, checksum: unknown): Queue {
  return unseal('queue', `${inStore(store)}${id}`, text, checksum) as Queue;
}

export function encodeValue(store: number, key: string, value: string): Sealed {
  return seal('value', inStore(store) + key, value);
}

export function decodeValue(store: number, key: string, text: unknown, checksum: unknown): string {
  return unseal('value', inStore(store) + key, text, checksum) as string;
}

/** Both rows of a job. */
export type JobRow = readonly [
  head: unknown,
  headChecksum: unknown,
  body: unknown,
  bodyChecksum: unknown,
  state: unknown,
  stateChecksum: unknown,
];

export function encodeJob(store: number, job: JobConfig): SealedRequest {
  const key = inStore(store) + job.name;
  const { httpTarget, appEngineHttpTarget } = job;
  const body = (httpTarget ?? appEngineHttpTarget)?.body;
  if (!body) return { head: seal('job', key, job), body: null, bodyChecksum: null };
  const bare = {
    ...job,
    ...(httpTarget ? { httpTarget: { ...httpTarget, body: undefined } } : {}),
    ...(appEngineHttpTarget
      ? { appEngineHttpTarget: { ...appEngineHttpTarget, body: undefined } }
      : {}),
  };
  const head = seal('job', key, bare);
  return { head, body, bodyChecksum: crc32(body, head.checksum) };
}

export function encodeJobState(store: number, name: string, state: JobState): Sealed {
  return seal('job-state', inStore(store) + name, state);
}

export function decodeJob(store: number, name: string, row: JobRow): StoredJob {
  const key = inStore(store) + name;
  const [head, headChecksum, body, bodyChecksum, state, stateChecksum] = row;
  const job = unseal('job', key, head, headChecksum) as JobConfig;
  const kept = { job, state: unseal('job-state', key, state, stateChecksum) as JobState };
  if (body === null && bodyChecksum === null) return kept;
  const target = job.httpTarget ?? job.appEngineHttpTarget;
  if (!target || !isBytes(body) || crc32(body, Number(headChecksum)) !== bodyChecksum) {
    throw new DamageFound('wrong checksum of body');
  }
  // A copy of plain bytes: what SQLite gives may stem from another realm.
  target.body = new Uint8Array(body);
  return kept;
}

type Part = 'state' | 'request' | 'queue' | 'value' | 'job' | 'job-state';

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
