/**
 * The one place where single values become protobuf's and back: time, enums, bytes, masks, codes.
 *
 * proto3 has no absent scalar: zero and the empty string mean "not given", so they are left out of
 * what is read. A field in an error is a JSON path, as everywhere.
 */
import type { google } from '@google-cloud/tasks/build/protos';
import type { ErrorCode } from '../engine/errors.js';
import { refusal } from '../engine/error-catalogue.js';
import type { Duration, Instant } from '../engine/time.js';
import { SECOND } from '../engine/time.js';

type Maybe<Value> = Value | null | undefined;

const NANOS_IN_MICROSECOND = 1_000;
const NANOS_IN_SECOND = 1_000_000_000;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the ends of a Timestamp. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;
/** About 10,000 years either way, the ends of a Duration. */
const LONGEST_SECONDS = 315_576_000_000;

export function toTimestamp(
  instant: Instant | undefined,
  field: string,
): google.protobuf.ITimestamp | null {
  if (instant === undefined) return null;
  const seconds = Math.floor(whole(instant, field) / SECOND);
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND) throw outOfRange(field, 'Timestamp');
  // Before the epoch too, nanos count forward from the second.
  return { seconds, nanos: (instant - seconds * SECOND) * NANOS_IN_MICROSECOND };
}

/** Nanoseconds are cut off, toward the past. */
export function fromTimestamp(
  wire: Maybe<google.protobuf.ITimestamp>,
  field: string,
): Instant | undefined {
  if (!wire) return undefined;
  const { seconds, nanos } = parts(wire);
  const fits = seconds >= FIRST_SECOND && seconds <= LAST_SECOND;
  if (!fits || nanos < 0 || nanos >= NANOS_IN_SECOND) throw outOfRange(field, 'Timestamp');
  return seconds * SECOND + Math.floor(nanos / NANOS_IN_MICROSECOND);
}

export function toDuration(
  duration: Duration | undefined,
  field: string,
): google.protobuf.IDuration | null {
  if (duration === undefined) return null;
  const seconds = Math.trunc(whole(duration, field) / SECOND);
  if (Math.abs(seconds) > LONGEST_SECONDS) throw outOfRange(field, 'Duration');
  return { seconds, nanos: (duration - seconds * SECOND) * NANOS_IN_MICROSECOND };
}

/** Nanoseconds are cut off, toward zero. */
export function fromDuration(
  wire: Maybe<google.protobuf.IDuration>,
  field: string,
): Duration | undefined {
  if (!wire) return undefined;
  const { seconds, nanos } = parts(wire);
  const fits = Math.abs(seconds) <= LONGEST_SECONDS && Math.abs(nanos) < NANOS_IN_SECOND;
  // Both parts have the sign of the whole.
  if (!fits || seconds * nanos < 0) throw outOfRange(field, 'Duration');
  return seconds * SECOND + Math.trunc(nanos / NANOS_IN_MICROSECOND);
}

/** An int64 comes as a number, a decimal string or a Long, as the reader was set up. */
function parts(wire: google.protobuf.ITimestamp | google.protobuf.IDuration) {
  return { seconds: Number(wire.seconds ?? 0), nanos: wire.nanos ?? 0 };
}

function whole(microseconds: number, field: string): number {
  if (Number.isInteger(microseconds)) return microseconds;
  throw refusal('NOT_MICROSECONDS', { field, got: microseconds });
}

function outOfRange(field: string, type: 'Timestamp' | 'Duration') {
  return refusal('TIME_RANGE', { field, type });
}

/** A protobuf library would cut a fraction off, and wrap a larger number around. */
export function toInt32(value: number | undefined, field: string): number {
  if (value === undefined || value === (value | 0)) return value ?? 0;
  throw refusal('NOT_INT32', { field, got: value });
}

/** The number, unless it is proto3's "not given". */
export function fromNumber(wire: Maybe<number>): number | undefined {
  return wire === 0 ? undefined : (wire ?? undefined);
}

/** The text, unless it is proto3's "not given". */
export function fromText(wire: Maybe<string>): string | undefined {
  return wire || undefined;
}

/** Copied: the wire's bytes are a part of the whole request, which would stay in memory. */
export function fromBytes(wire: Maybe<Uint8Array | string>): Uint8Array | undefined {
  if (!wire?.length) return undefined;
  // A string is base64, as in proto3's JSON.
  return new Uint8Array(typeof wire === 'string' ? Buffer.from(wire, 'base64') : wire);
}

/** An enum by its names, in the order of their numbers from 1 on; 0 is "unspecified". */
export class WireEnum<Name extends string, Wire extends number> {
  constructor(private readonly names: readonly Name[]) {}

  to(value: Name | undefined, field: string): Wire {
    if (value === undefined) return 0 as Wire;
    const index = this.names.indexOf(value);
    if (index < 0) throw this.unknown(value, field);
    return (index + 1) as Wire;
  }

  /** Google's client reads names, a decoder reads numbers. */
  from(wire: Maybe<Wire | string>, field: string): Name | undefined {
    if (!wire || (typeof wire === 'string' && wire.endsWith('_UNSPECIFIED'))) return undefined;
    const index = typeof wire === 'string' ? this.names.indexOf(wire as Name) : wire - 1;
    const name = this.names[index];
    if (name === undefined) throw this.unknown(wire, field);
    return name;
  }

  private unknown(got: string | number, field: string) {
    return refusal('NOT_ONE_OF', { field, names: this.names.join(', '), got });
  }
}

/** A mask's paths in snake_case: production refuses any other over gRPC. */
export function toMask(paths: readonly string[] | undefined): google.protobuf.IFieldMask | null {
  if (!paths) return null;
  // By REST an empty path is no path, and no mask means every field.
  if (paths.includes('')) throw refusal('QUEUE_MASK', { path: '', field: 'updateMask' });
  return {
    paths: paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
  };
}

/** A mask's paths in camelCase; undefined when there are none, which means every field. */
export function fromMask(mask: Maybe<google.protobuf.IFieldMask>): string[] | undefined {
  if (!mask?.paths?.length) return undefined;
  return mask.paths.map((path) => {
    if (/[A-Z]/.test(path)) throw refusal('QUEUE_MASK', { path, field: 'updateMask' });
    return camelCase(path);
  });
}

export function camelCase(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const CODES: Readonly<Record<ErrorCode, number>> = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};
const NAMES = new Map(Object.entries(CODES).map(([name, code]) => [code, name as ErrorCode]));

export function toCode(code: ErrorCode): number {
  return CODES[code];
}

/** OUT_OF_RANGE and DATA_LOSS, which no verb of Cloud Tasks answers, are UNKNOWN too. */
export function fromCode(code: unknown): ErrorCode {
  return (typeof code === 'number' && NAMES.get(code)) || 'UNKNOWN';
}

/** The fields without those that are undefined: absent is what our optional fields are. */
export function present<Fields extends object>(fields: Holey<Fields>): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Fields;
}

/** Optional fields may be undefined here; required ones may not. */
type Holey<Fields> = {
  [Key in keyof Fields]: object extends Pick<Fields, Key> ? Fields[Key] | undefined : Fields[Key];
};
