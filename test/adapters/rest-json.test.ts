import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Field, Type } from 'protobufjs';
import protobuf from 'protobufjs';
import { RestRefusal } from '../../src/adapters/rest-error.js';
import { readMessage } from '../../src/adapters/rest-json-read.js';
import { writeMessage } from '../../src/adapters/rest-json-write.js';
import { loadProtos } from '../../src/adapters/rest-protos.js';

const root = await loadProtos();
const V2 = 'google.cloud.tasks.v2';
const NAMES = { numericEnums: false };

/** What a message says, without regard to how its numbers and bytes are kept. */
function plain(type: Type, message: object) {
  const decoded = type.decode(type.encode(message).finish());
  return type.toObject(decoded, { longs: String, bytes: String });
}

function read(name: string, json: unknown) {
  const type = root.lookupType(name);
  return plain(type, readMessage(type, json));
}

function refusal(name: string, json: unknown): string {
  try {
    readMessage(root.lookupType(name), json);
  } catch (error) {
    if (error instanceof RestRefusal) return error.message;
    throw error;
  }
  return 'no refusal';
}

function write(name: string, message: object, numericEnums = false): unknown {
  const type = root.lookupType(name);
  return writeMessage(type, type.decode(type.encode(message).finish()), { numericEnums });
}

describe('reading', () => {
  test('takes camelCase and snake_case, names and numbers, and null for absent', () => {
    const task = {
      httpRequest: { url: 'u', httpMethod: 2 },
      dispatchDeadline: { seconds: '15', nanos: 0 },
    };
    expect(
      read(`${V2}.Task`, {
        name: null,
        httpRequest: { url: 'u', httpMethod: 'GET' },
        dispatchDeadline: '15s',
      }),
    ).toEqual(task);
    expect(
      read(`${V2}.Task`, { http_request: { url: 'u', http_method: 2 }, dispatch_deadline: '15s' }),
    ).toEqual(task);
    expect(read(`${V2}.GetTaskRequest`, { responseView: '2' })).toEqual({ responseView: 2 });
  });

  test.each([
    ['1s', { seconds: '1' }],
    ['1.500s', { seconds: '1', nanos: 500_000_000 }],
    ['0.000000001s', { nanos: 1 }],
    ['-0.5s', { nanos: -500_000_000 }],
    ['-2.25s', { seconds: '-2', nanos: -250_000_000 }],
    ['315576000000s', { seconds: '315576000000' }],
  ])('takes the duration %s', (text, duration) => {
    const { minBackoff } = read(`${V2}.RetryConfig`, { minBackoff: text });
    expect(minBackoff).toMatchObject(duration);
  });

  test.each([
    ['2026-01-02T03:04:05Z', '1767323045', undefined],
    ['2026-01-02T03:04:05.25Z', '1767323045', 250_000_000],
    ['2026-01-02T03:04:05.123456789Z', '1767323045', 123_456_789],
    ['2026-01-02T05:04:05+02:00', '1767323045', undefined],
    ['2026-01-01T21:34:05.5-05:30', '1767323045', 500_000_000],
    ['0001-01-01T00:00:00Z', '-62135596800', undefined],
    ['9999-12-31T23:59:59.999999999Z', '253402300799', 999_999_999],
    ['1969-12-31T23:59:59.5Z', '-1', 500_000_000],
  ])('takes the time %s', (text, seconds, nanos) => {
    const { scheduleTime } = read(`${V2}.Task`, { scheduleTime: text });
    expect(scheduleTime).toMatchObject({ seconds, ...(nanos ? { nanos } : {}) });
  });

  test.each([
    ['aGVsbG8=', 'aGVsbG8='],
    ['aGVsbG8', 'aGVsbG8='],
    ['-_-_', '+/+/'],
    ['+/+/', '+/+/'],
  ])('takes the bytes %s', (text, body) => {
    expect(read(`${V2}.HttpRequest`, { body: text })).toEqual({ body });
  });

  test.each([
    [5, 5],
    ['5', 5],
    [5.0, 5],
    ['1e2', 100],
    [-2147483648, -2147483648],
  ])('takes the whole number %j', (json, maxAttempts) => {
    expect(read(`${V2}.RetryConfig`, { maxAttempts: json })).toEqual({ maxAttempts });
  });

  test.each([
    [8080, '8080'],
    ['8080', '8080'],
    ['9223372036854775807', '9223372036854775807'],
  ])('takes the int64 %j', (json, port) => {
    expect(read('google.cloud.tasks.v2beta3.UriOverride', { port: json })).toEqual({ port });
  });

  test.each([
    ['rateLimits.maxDispatchesPerSecond,name', ['rate_limits.max_dispatches_per_second', 'name']],
    ['rate_limits', ['rate_limits']],
    ['', undefined],
  ])('takes the mask %j', (updateMask, paths) => {
    const request = read(`${V2}.UpdateQueueRequest`, { updateMask });
    expect(request).toEqual({ updateMask: paths ? { paths } : {} });
  });

  test('keeps a header of any name', () => {
    const headers = JSON.parse('{"__proto__":"a","constructor":"b","1":"c"}') as object;
    const message = readMessage(root.lookupType(`${V2}.HttpRequest`), { headers });
    expect(message['headers']).toEqual(headers);
    expect(Object.keys(message['headers'] as object)).toContain('__proto__');
  });

  test.each<[string, unknown, string]>([
    ['Task', { x: 1 }, 'Invalid JSON payload received. Unknown name "x": Cannot find field.'],
    [
      'CreateTaskRequest',
      { task: { x: 1 } },
      `Invalid JSON payload received. Unknown name "x" at 'task': Cannot find field.`,
    ],
    [
      'CreateTaskRequest',
      { task: { a: 1, httpRequest: { b: 2 } } },
      `Invalid JSON payload received. Unknown name "a" at 'task': Cannot find field.\nInvalid JSON payload received. Unknown name "b" at 'task.http_request': Cannot find field.`,
    ],
    ['Task', [], 'Invalid JSON payload received. Unknown name "": Root element must be a message.'],
    [
      'Task',
      { name: ['a'] },
      'Invalid JSON payload received. Unknown name "name": Proto field is not repeating, cannot start list.',
    ],
    ['Task', { name: 5 }, `Invalid value at 'name' (TYPE_STRING), 5`],
    ['Task', { name: '\ud800' }, `Invalid value at 'name' (TYPE_STRING), "\\ud800"`],
    [
      'Task',
      { httpRequest: 'x' },
      `Invalid value at 'http_request' (type.googleapis.com/google.cloud.tasks.v2.HttpRequest), "x"`,
    ],
    [
      'HttpRequest',
      { httpMethod: 'FETCH' },
      `Invalid value at 'http_method' (type.googleapis.com/google.cloud.tasks.v2.HttpMethod), "FETCH"`,
    ],
    [
      'HttpRequest',
      { httpMethod: 'toString' },
      `Invalid value at 'http_method' (type.googleapis.com/google.cloud.tasks.v2.HttpMethod), "toString"`,
    ],
    [
      'HttpRequest',
      { body: '!' },
      `Invalid value at 'body' (TYPE_BYTES), Base64 decoding failed for "!"`,
    ],
    ['HttpRequest', { headers: { a: 1 } }, `Invalid value at 'headers[a].value' (TYPE_STRING), 1`],
    ['HttpRequest', { headers: [] }, `Invalid value at 'headers' (Map), []`],
    [
      'RetryConfig',
      { minBackoff: '1h' },
      `Invalid value at 'min_backoff' (type.googleapis.com/google.protobuf.Duration), Field 'minBackoff', Illegal duration format; duration must end with 's'`,
    ],
    [
      'Task',
      { httpRequest: {}, appEngineHttpRequest: {} },
      `Invalid value at '' (oneof), oneof field 'message_type' is already set. Cannot set 'appEngineHttpRequest'`,
    ],
    [
      'Task',
      { httpRequest: {}, http_request: {} },
      'Invalid JSON payload received. Unknown name "http_request": Proto field is not repeating, cannot start list.',
    ],
  ])('refuses a %s of %j as Google does', (type, json, message) => {
    expect(refusal(`${V2}.${type}`, json)).toBe(message);
  });

  test.each([
    ...['1', 's', '.5s', '1.s', '1.0000000001s', '+1s', '1 s', '1s ', 's1', '1e3s', '', '١s'],
    ...['315576000001s', '99999999999999999999s', 1, 1.5, {}, true],
  ])('refuses the duration %j', (maxBackoff) => {
    expect(refusal(`${V2}.RetryConfig`, { maxBackoff })).toMatch(/^Invalid value at 'max_backoff'/);
  });

  test.each([
    ...['', 'now', '2026-01-02', '2026-01-02 03:04:05Z', '2026-01-02T03:04:05', '1767323045'],
    ...['2026-02-30T00:00:00Z', '2026-01-02T24:00:00Z', '2026-01-02T03:04:60Z'],
    ...['0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01', '0000-01-01T00:00:00Z'],
    ...['2026-01-02T03:04:05+2', '2026-01-02T03:04:05.Z', '+12026-01-02T03:04:05Z', 5, {}, false],
  ])('refuses the time %j', (scheduleTime) => {
    expect(refusal(`${V2}.Task`, { scheduleTime })).toMatch(/^Invalid value at 'schedule_time'/);
  });

  test.each(['a', 'aaaaa', '=', 'aGVsbG8==', 'aGVs bG8=', 'aGVsbG8=\n', 'ä', 5, {}, true])(
    'refuses the bytes %j',
    (body) => {
      expect(refusal(`${V2}.HttpRequest`, { body })).toMatch(/^Invalid value at 'body'/);
    },
  );

  test.each([1.5, '1.5', 2147483648, '-2147483649', '', ' 1', '0x1', '1e999', {}, true])(
    'refuses the whole number %j',
    (maxAttempts) => {
      expect(refusal(`${V2}.RetryConfig`, { maxAttempts })).toMatch(/^Invalid value at/);
    },
  );

  test('names 20 faults at most, and quotes 200 characters', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 1]));
    expect(refusal(`${V2}.Task`, many).split('\n')).toHaveLength(20);
    expect(refusal(`${V2}.Task`, { name: { a: 'b'.repeat(10_000) } }).length).toBeLessThan(300);
    expect(refusal(`${V2}.Task`, { ['n'.repeat(10_000)]: 1 }).length).toBeLessThan(300);
  });
});

describe('writing', () => {
  test('leaves out what has its default, and writes enums by name or number', () => {
    const task = {
      name: '',
      dispatchCount: 0,
      view: 1,
      httpRequest: { url: ' ', httpMethod: 0, headers: {}, body: Buffer.from('hello') },
    };
    const json = { view: 'BASIC', httpRequest: { url: ' ', body: 'aGVsbG8=' } };
    expect(write(`${V2}.Task`, task)).toEqual(json);
    expect(write(`${V2}.Task`, task, true)).toEqual({ ...json, view: 1 });
    expect(write(`${V2}.Task`, { appEngineHttpRequest: {} })).toEqual({ appEngineHttpRequest: {} });
    expect(write(`${V2}.Task`, { view: 77 })).toEqual({ view: 77 });
  });

  test('writes what is optional also when it has its default', () => {
    const type = 'google.cloud.tasks.v2beta3.UriOverride';
    expect(write(type, { port: 0, host: '' })).toEqual({ port: '0', host: '' });
  });

  test.each([
    [0, 0, '0s'],
    [1, 500_000_000, '1.500s'],
    [0, 1_000, '0.000001s'],
    [0, 1, '0.000000001s'],
    [-1, -5_000_000, '-1.005s'],
    [0, -500_000_000, '-0.500s'],
  ])('writes %d seconds and %d nanos as %s', (seconds, nanos, maxBackoff) => {
    expect(write(`${V2}.RetryConfig`, { maxBackoff: { seconds, nanos } })).toEqual({ maxBackoff });
  });

  test('names what is packed', () => {
    const Duration = root.lookupType('google.protobuf.Duration');
    const value = Duration.encode({ seconds: 2 }).finish();
    const metadata = { type_url: 'type.googleapis.com/google.protobuf.Duration', value };
    expect(write('google.longrunning.Operation', { metadata })).toEqual({
      metadata: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '2s' },
    });
  });
});

describe('what is written is read as the same', () => {
  const services = ['v2', 'v2beta3'].map((v) =>
    root.lookupService(`google.cloud.tasks.${v}.CloudTasks`),
  );
  const types = new Set(
    services
      .flatMap((service) => service.methodsArray)
      .flatMap((method) => [method.resolvedRequestType, method.resolvedResponseType])
      .filter((type) => type !== null),
  );

  test.each([...types].map((type) => [type.fullName, type] as const))('%s', (_, type) => {
    fc.assert(
      fc.property(messageOf(type), fc.boolean(), (message, numericEnums) => {
        const decoded = type.decode(type.encode(message).finish());
        const text = JSON.stringify(writeMessage(type, decoded, { ...NAMES, numericEnums }));
        expect(plain(type, readMessage(type, JSON.parse(text)))).toEqual(plain(type, message));
      }),
    );
  });
});

/** Any message of a type, whose fields with defaults are absent as they are on the wire. */
function messageOf(type: Type): fc.Arbitrary<object> {
  const seconds = (from: number, to: number) => fc.integer({ min: from, max: to });
  const nanos = fc.integer({ min: 0, max: 999_999_999 });
  switch (type.fullName) {
    case '.google.protobuf.Timestamp':
      return fc.record({ seconds: seconds(-62_135_596_800, 253_402_300_799), nanos });
    case '.google.protobuf.Duration':
      return fc.record({ seconds: seconds(0, 315_575_999_999), nanos });
    case '.google.protobuf.FieldMask':
      return fc.record({ paths: fc.array(fc.stringMatching(/^[a-z]+(_[a-z]+){0,2}$/)) });
  }
  const fields = type.fieldsArray.filter(
    (field) => field.resolvedType?.fullName !== '.google.protobuf.Any',
  );
  const values = Object.fromEntries(fields.map((field) => [field.name, fieldValue(field)]));
  return fc.record(values, { requiredKeys: [] }).map((message: Record<string, unknown>) => {
    const kept = Object.entries(message).filter(([name]) => {
      const among = type.fields[name]?.partOf?.oneof ?? [name];
      return among.find((other) => Object.hasOwn(message, other)) === name;
    });
    return Object.fromEntries(kept);
  });
}

function fieldValue(field: Field): fc.Arbitrary<unknown> {
  const one = singleValue(field);
  if (field.map) return fc.dictionary(fc.string({ minLength: 1, unit: 'grapheme' }), one);
  return field.repeated ? fc.array(one, { minLength: 1, maxLength: 3 }) : one;
}

function singleValue(field: Field): fc.Arbitrary<unknown> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return messageOf(resolvedType);
  if (resolvedType instanceof protobuf.Enum) return fc.integer({ min: 1, max: 9 });
  switch (field.type) {
    case 'string':
      return fc.string({ minLength: 1, unit: 'grapheme' });
    case 'bytes':
      return fc.uint8Array({ minLength: 1 });
    case 'bool':
      return fc.constant(true);
    case 'double':
      return fc.double({ noNaN: true }).filter((value) => value !== 0);
    case 'int64':
      return fc.bigInt(-(2n ** 63n), -1n).map(String);
    default:
      return fc.integer({ min: 1 });
  }
}
