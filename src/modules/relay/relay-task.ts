/** The body of a task for the relay: the call, and what only we say of it. */
import { MILLISECOND } from '../../engine/time.js';
import { Fields, unexpected } from '../producer/fields.js';
import type { RelayCall } from './relay-call.js';
import { readRelayCall, RELAY_FIELDS } from './relay-call.js';
import { digest, RELAY_ID } from './relay-records.js';

export interface RelayTask {
  readonly call: RelayCall;
  /** Absent in a task that was made without us. */
  readonly id?: string | undefined;
  readonly owner?: string | undefined;
  /** -1 for as many as it takes; absent, the module's default. */
  readonly maxAttempts?: number | undefined;
}

const TASK_FIELDS = [...RELAY_FIELDS, 'id', 'owner', 'maxAttempts'];

/** @throws CloudTasksError INVALID_ARGUMENT naming the field */
export function readRelayTask(text: string): RelayTask {
  const fields = new Fields(text, TASK_FIELDS);
  const call = readRelayCall(fields);
  const id = fields.matching('id', RELAY_ID, '64 lower-case hexadecimal digits');
  const owner = fields.string('owner', 'the name of a caller');
  return { call, id, owner, maxAttempts: readMaxAttempts(fields) };
}

/** What `readRelayTask` reads as the same. */
export function relayTaskBody({
  call,
  id,
  owner,
  maxAttempts,
}: RelayTask): Record<string, unknown> {
  const { body, timeout, ...rest } = call;
  return {
    ...rest,
    ...(body === undefined ? {} : payloadOf(body)),
    timeout: timeout === undefined ? undefined : `${timeout / MILLISECOND}ms`,
    id,
    owner,
    maxAttempts,
  };
}

/** What makes two calls the same one, whoever asks for it. */
export function fingerprintOf({ method, url, headers, body }: RelayCall): string {
  const sorted = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value])
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return digest(JSON.stringify([method, url, sorted, digest(body ?? '')]));
}

function readMaxAttempts(fields: Fields): number | undefined {
  const json = fields.json('maxAttempts');
  if (json === undefined) return undefined;
  if (!/^(?:-1|[1-9]\d{0,6})$/.test(json)) unexpected('maxAttempts', 'a whole number, or -1', json);
  return Number(json);
}

/** Text stays readable wherever the task is shown. */
function payloadOf(body: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes)
    ? { payload: text }
    : { payloadBase64: bytes.toString('base64') };
}
