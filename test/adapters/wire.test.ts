/** Single values on the wire: exact to the microsecond, and refused where they don't fit. */
import { describe, expect, test } from '@jest/globals';
import { google } from '@google-cloud/tasks/build/protos';
import fc from 'fast-check';
import type { ErrorCode } from '../../src/engine/errors.js';
import {
  fromBytes,
  fromCode,
  fromDuration,
  fromMask,
  fromNumber,
  fromTimestamp,
  present,
  toCode,
  toDuration,
  toInt32,
  toMask,
  toTimestamp,
  WireEnum,
} from '../../src/adapters/wire.js';

const { Timestamp, Duration } = google.protobuf;

/** Every microsecond that a number holds exactly: the years 1684 to 2255. */
const instants = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });

const refusal = (field: string) =>
  expect.objectContaining({
    code: 'INVALID_ARGUMENT',
    field,
    message: expect.stringContaining(field),
  });

describe('an instant', () => {
  test('comes back as it was, whatever the reader makes of an int64', () => {
    fc.assert(
      fc.property(instants, (instant) => {
        const wire = toTimestamp(instant, 'at');
        const bytes = Timestamp.encode(wire ?? {}).finish();
        const decoded = Timestamp.decode(bytes); // seconds is a Long
        const read = Timestamp.toObject(decoded, { longs: String, defaults: true });
        for (const form of [wire, decoded, read]) expect(fromTimestamp(form, 'at')).toBe(instant);
      }),
    );
  });

  test('is normal on the wire: nanoseconds count forward, before the epoch too', () => {
    fc.assert(
      fc.property(instants, (instant) => {
        const { seconds, nanos = 0 } = toTimestamp(instant, 'at') ?? {};
        expect(nanos).toBeGreaterThanOrEqual(0);
        expect(nanos).toBeLessThan(1e9);
        expect(BigInt(Number(seconds)) * 1_000_000n + BigInt(nanos ?? 0) / 1000n).toBe(
          BigInt(instant),
        );
      }),
    );
  });

  test.each([
    [-1, { seconds: -1, nanos: 999_999_000 }],
    [-1_000_000, { seconds: -1, nanos: 0 }],
    [0, { seconds: 0, nanos: 0 }],
    [1_700_000_000_000_001, { seconds: 1_700_000_000, nanos: 1_000 }],
  ])('of %d µs is %j', (instant, wire) => {
    expect(toTimestamp(instant, 'at')).toEqual(wire);
    expect(fromTimestamp(wire, 'at')).toBe(instant);
  });

  test('loses the nanoseconds below a microsecond', () => {
    expect(fromTimestamp({ seconds: 7, nanos: 1_999 }, 'at')).toBe(7_000_001);
    expect(fromTimestamp({ seconds: -7, nanos: 1_999 }, 'at')).toBe(-6_999_999);
  });

  test('up to the year 9999 is whole microseconds, beyond it is refused', () => {
    const last = fromTimestamp({ seconds: '253402300799', nanos: 999_999_999 }, 'at');
    expect(last).toBeGreaterThan(Date.UTC(9999, 11, 31) * 1000);
    expect(Number.isInteger(last)).toBe(true);
    for (const seconds of [253_402_300_800, -62_135_596_801, '9223372036854775807']) {
      expect(() => fromTimestamp({ seconds, nanos: 0 }, 'at')).toThrow(refusal('at'));
    }
    for (const nanos of [-1, 1_000_000_000]) {
      expect(() => fromTimestamp({ seconds: 0, nanos }, 'at')).toThrow(refusal('at'));
    }
  });

  test.each([0.5, NaN, Infinity, -Infinity, 1e18])('of %d is refused', (instant) => {
    expect(() => toTimestamp(instant, 'task.scheduleTime')).toThrow(refusal('task.scheduleTime'));
  });

  test('that is absent stays absent', () => {
    expect(toTimestamp(undefined, 'at')).toBeNull();
    expect(fromTimestamp(null, 'at')).toBeUndefined();
    expect(fromTimestamp(undefined, 'at')).toBeUndefined();
  });
});

describe('a duration', () => {
  test('comes back as it was, and both parts have its sign', () => {
    fc.assert(
      fc.property(instants, (duration) => {
        const wire = toDuration(duration, 'for');
        const decoded = Duration.decode(Duration.encode(wire ?? {}).finish());
        const read = Duration.toObject(decoded, { longs: String, defaults: true });
        for (const form of [wire, decoded, read]) {
          expect(fromDuration(form, 'for')).toBe(duration === 0 ? 0 : duration);
        }
        expect(Number(wire?.seconds) * (wire?.nanos ?? 0)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('loses what is below a microsecond, toward zero', () => {
    expect(fromDuration({ seconds: 0, nanos: 1_999 }, 'for')).toBe(1);
    expect(fromDuration({ seconds: 0, nanos: -1_999 }, 'for')).toBe(-1);
    expect(fromDuration({ seconds: '-1', nanos: -1_999 }, 'for')).toBe(-1_000_001);
  });

  test('of zero is not an absent one', () => {
    expect(fromDuration(toDuration(0, 'for'), 'for')).toBe(0);
    expect(fromDuration(toDuration(undefined, 'for'), 'for')).toBeUndefined();
  });

  test.each([
    { seconds: 1, nanos: -1 },
    { seconds: -1, nanos: 1 },
    { seconds: 0, nanos: 1e9 },
    { seconds: 315_576_000_001, nanos: 0 },
  ])('of %j is refused', (wire) => {
    expect(() => fromDuration(wire, 'for')).toThrow(refusal('for'));
  });
});

describe('a number', () => {
  test('of 32 bits goes as it is, any other is refused', () => {
    fc.assert(fc.property(fc.integer(), (value) => expect(toInt32(value, 'n')).toBe(value)));
    for (const value of [0.5, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 32]) {
      expect(() => toInt32(value, 'n')).toThrow(refusal('n'));
    }
    expect(toInt32(undefined, 'n')).toBe(0);
  });

  test('of zero was not given; NaN was, so that somebody refuses it', () => {
    expect([0, null, undefined, -1, NaN].map(fromNumber)).toEqual([
      undefined,
      undefined,
      undefined,
      -1,
      NaN,
    ]);
  });
});

test('bytes are a copy of their own, in plain memory', () => {
  const request = Buffer.from('a whole request: body');
  const body = fromBytes(request.subarray(17));
  request.fill(0);
  expect(body).toEqual(new TextEncoder().encode('body'));
  expect(body?.buffer.byteLength).toBe(4);
  expect(fromBytes('Ym9keQ==')).toEqual(body);
  expect([null, undefined, '', new Uint8Array()].map(fromBytes)).toEqual(Array(4).fill(undefined));
});

describe('an enum', () => {
  const methods = new WireEnum<'POST' | 'GET', 1 | 2>(['POST', 'GET']);

  test('has names and numbers, and 0 for none', () => {
    expect([methods.to('POST', 'm'), methods.to('GET', 'm'), methods.to(undefined, 'm')]).toEqual([
      1, 2, 0,
    ]);
    expect([methods.from(1, 'm'), methods.from('GET', 'm')]).toEqual(['POST', 'GET']);
    for (const none of [0 as 1, '', 'HTTP_METHOD_UNSPECIFIED', null, undefined]) {
      expect(methods.from(none, 'm')).toBeUndefined();
    }
  });

  test('refuses what it does not know, with the names that it does', () => {
    for (const unknown of [9 as 1, -1 as 1, 'TRACE', 'constructor']) {
      expect(() => methods.from(unknown, 'm')).toThrow('m must be one of POST, GET, got');
    }
    expect(() => methods.to('TRACE' as 'GET', 'm')).toThrow(refusal('m'));
  });
});

describe('a mask', () => {
  test('is snake_case on the wire', () => {
    const paths = ['rateLimits.maxDispatchesPerSecond', 'retryConfig', 'purgeTime'];
    expect(toMask(paths)).toEqual({
      paths: ['rate_limits.max_dispatches_per_second', 'retry_config', 'purge_time'],
    });
    expect(fromMask(toMask(paths))).toEqual(paths);
  });

  test('without paths means every field', () => {
    expect(toMask(undefined)).toBeNull();
    for (const none of [null, undefined, {}, { paths: [] }]) expect(fromMask(none)).toBeUndefined();
  });

  test('in camelCase is refused, as production does', () => {
    expect(() => fromMask({ paths: ['rateLimits'] })).toThrow('Invalid mask for Queue: rateLimits');
  });
});

test('codes are those of google.rpc', () => {
  const codes: ErrorCode[] = ['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'UNAUTHENTICATED'];
  expect(codes.map(toCode)).toEqual([3, 5, 6, 16]);
  expect(codes.map(toCode).map(fromCode)).toEqual(codes);
  expect([11, 15, 99, undefined, 'x'].map(fromCode)).toEqual(Array(5).fill('UNKNOWN'));
});

test('absent is what an undefined field becomes, and no other value', () => {
  const fields = present<{ a?: number; b?: null; c?: string; d?: number }>({
    a: undefined,
    b: null,
    c: '',
    d: 0,
  });
  expect(Object.keys(fields)).toEqual(['b', 'c', 'd']);
});
