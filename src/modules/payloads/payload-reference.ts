/** What a task carries in place of a payload that is too large for it. */
import { createHash } from 'node:crypto';
import { PAYLOAD_KEY } from '../../foundation/payload-store.js';

/** Set by this library alone; believed only of verified requests. */
export const PAYLOAD_HEADER = 'X-Tasks-Payload';

export interface PayloadReference {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
}

export function referenceTo(key: string, bytes: Uint8Array): PayloadReference {
  return { key, size: bytes.length, sha256: digest(bytes) };
}

/** Whether these bytes are the ones that were kept. */
export function isIntact({ size, sha256 }: PayloadReference, bytes: Uint8Array): boolean {
  return bytes.length === size && digest(bytes) === sha256;
}

export function writeReference({ key, size, sha256 }: PayloadReference): string {
  return `${key};size=${size};sha256=${sha256}`;
}

/** Undefined for what no version of this library has written. */
export function readReference(text: string): PayloadReference | undefined {
  const [, key = '', size, sha256 = ''] =
    /^([^;]{1,64});size=(\d{1,12});sha256=([\da-f]{64})$/.exec(text) ?? [];
  return PAYLOAD_KEY.test(key) ? { key, size: Number(size), sha256 } : undefined;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
