/** Messages from proto3's JSON, as strictly and with the same words as Google's servers read it. */
import type { Field, Type } from 'protobufjs';
import protobuf from 'protobufjs';
import { refusal } from '../engine/error-catalogue.js';
import type { Violation } from './rest-error.js';
import { RestRefusal, shortened } from './rest-error.js';
import { parseScalar } from './rest-json-scalar.js';
import type { SecondsAndNanos } from './rest-json-time.js';
import { parseDuration, parseTimestamp } from './rest-json-time.js';

type Fields = Record<string, unknown>;

/** A refusal names so many faults at most: the body of a stranger decides how many there are. */
const MOST_VIOLATIONS = 20;

/**
 * The message, as protobuf.js encodes it. Field names may be camelCase or snake_case.
 *
 * @throws RestRefusal with every field at fault.
 */
export function readMessage(type: Type, json: unknown): Fields {
  if (!isObject(json)) throw unknownName('', '', 'Root element must be a message.');
  return readFields(type, json, '');
}

/** A field by its name in camelCase or snake_case. */
export function fieldOf(type: Type, name: string): Field | undefined {
  let names = NAMES.get(type);
  if (!names) {
    const both = (field: Field) => [field.name, snakeCase(field.name)];
    names = new Map(type.fieldsArray.flatMap((one) => both(one).map((key) => [key, one])));
    NAMES.set(type, names);
  }
  return names.get(name);
}

const NAMES = new WeakMap<Type, ReadonlyMap<string, Field>>();

/** @param at the path so far, in the protos' own snake_case as Google's texts have it. */
function readFields(type: Type, json: Readonly<Fields>, at: string): Fields {
  const message: Fields = {};
  const violations: Violation[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (violations.length >= MOST_VIOLATIONS) break;
    try {
      const field = fieldOf(type, name);
      if (!field) throw unknownName(name, at, 'Cannot find field.');
      // As if it weren't there.
      if (value === null) continue;
      checkIsFree(message, field, name, at);
      const path = at ? `${at}.${snakeCase(field.name)}` : snakeCase(field.name);
      if (field.map) message[field.name] = readMap(field, value, path);
      else if (field.repeated) message[field.name] = readList(field, value, path);
      else if (Array.isArray(value)) throw unknownName(name, at, NOT_REPEATING);
      else message[field.name] = readValue(field, value, path);
    } catch (error) {
      if (!(error instanceof RestRefusal)) throw error;
      violations.push(...error.violations);
    }
  }
  if (violations.length > 0) throw new RestRefusal(violations.slice(0, MOST_VIOLATIONS));
  return message;
}

const NOT_REPEATING = 'Proto field is not repeating, cannot start list.';

/** A field may be given by both of its names, and two fields may exclude each other. */
function checkIsFree(message: Readonly<Fields>, field: Field, name: string, at: string): void {
  if (Object.hasOwn(message, field.name)) throw unknownName(name, at, NOT_REPEATING);
  const { partOf } = field;
  if (!partOf?.oneof.some((other) => Object.hasOwn(message, other))) return;
  const problem = `oneof field '${snakeCase(partOf.name)}' is already set. Cannot set '${name}'`;
  throw invalid(at, 'oneof', problem);
}

function readMap(field: Field, json: unknown, path: string): Fields {
  if (!isObject(json)) throw invalid(path, 'Map', quoted(json));
  const entries = Object.entries(json).map(([key, value]) => {
    if (!key.isWellFormed()) throw invalid(path, 'TYPE_STRING', quoted(key));
    return [key, readValue(field, value, `${path}[${shortened(key)}].value`)] as const;
  });
  return Object.fromEntries(entries);
}

function readList(field: Field, json: unknown, path: string): unknown[] {
  // One value alone is taken for a list of it.
  const values: unknown[] = Array.isArray(json) ? json : [json];
  return values.map((value, index) => readValue(field, value, `${path}[${index}]`));
}

function readValue(field: Field, json: unknown, path: string): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return readEnum(resolvedType, json, path);
  if (resolvedType instanceof protobuf.Type) {
    return readInner(resolvedType, json, path, field.name);
  }
  const value = parseScalar(field.type, json);
  if (value !== undefined) return value;
  const isText = field.type === 'bytes' && typeof json === 'string';
  const problem = isText ? `Base64 decoding failed for ${quoted(json)}` : quoted(json);
  throw invalid(path, `TYPE_${field.type.toUpperCase()}`, problem);
}

function readEnum(type: protobuf.Enum, json: unknown, path: string): unknown {
  if (typeof json === 'string' && Object.hasOwn(type.values, json)) return type.values[json];
  // A number without a name passes, as everywhere in proto3; the verb judges it.
  const number = parseScalar('int32', json);
  if (number === undefined) throw invalid(path, urlOf(type), quoted(json));
  return number;
}

function readInner(type: Type, json: unknown, path: string, name: string): unknown {
  const time = TIMES[type.fullName];
  if (time || type.fullName === '.google.protobuf.FieldMask') {
    if (typeof json !== 'string') throw invalid(path, urlOf(type), quoted(json));
    if (!time) return readMask(json);
    const value = time(json);
    if (typeof value !== 'string') return value;
    throw invalid(path, urlOf(type), `Field '${name}', ${value}`);
  }
  if (!isObject(json)) throw invalid(path, urlOf(type), quoted(json));
  return type.fullName === '.google.protobuf.Any'
    ? readAny(type, json, path)
    : readFields(type, json, path);
}

const TIMES: Readonly<Record<string, (text: string) => SecondsAndNanos | string>> = {
  '.google.protobuf.Timestamp': parseTimestamp,
  '.google.protobuf.Duration': parseDuration,
};

/** `a.b,c.d` in either case; in a message a mask's paths are snake_case. */
function readMask(text: string): Fields {
  return { paths: text === '' ? [] : text.split(',').map(snakeCase) };
}

/** Types with a JSON of their own are not among those that anybody sends packed. */
function readAny(any: Type, { '@type': url, ...json }: Fields, path: string): Fields {
  const name = typeof url === 'string' ? url.slice(url.lastIndexOf('/') + 1) : '';
  const type = name ? any.root.lookup(name, [protobuf.Type]) : null;
  if (!(type instanceof protobuf.Type)) throw invalid(path, urlOf(any), quoted(url));
  return { type_url: url, value: type.encode(readFields(type, json, path)).finish() };
}

/** As Google says it, also where the name itself is known. */
export function unknownName(name: string, at: string, problem: string): RestRefusal {
  const place = at ? ` at '${at}'` : '';
  const { message } = refusal('UNKNOWN_NAME', { name: shortened(name), place, problem });
  return new RestRefusal([{ field: at, description: message }]);
}

function invalid(path: string, type: string, problem: string): RestRefusal {
  const { message } = refusal('INVALID_VALUE', { path, type, problem });
  return new RestRefusal([{ field: path, description: message }]);
}

function quoted(json: unknown): string {
  return json === undefined ? 'nothing' : shortened(JSON.stringify(json));
}

function urlOf(type: protobuf.ReflectionObject): string {
  return `type.googleapis.com/${type.fullName.slice(1)}`;
}

function isObject(json: unknown): json is Fields {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
