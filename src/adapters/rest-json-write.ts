/** Messages as proto3's JSON, as Google's servers write it: what has its default is left out. */
import type { Field, Message, Type } from 'protobufjs';
import protobuf from 'protobufjs';
import { formatDuration, formatTimestamp } from './rest-json-time.js';
import { camelCase } from './wire.js';

export interface Writing {
  /** Enums by number, as Google's own client asks for with `$alt=json;enum-encoding=int`. */
  readonly numericEnums: boolean;
}

type Json = unknown;
type Fields = Readonly<Record<string, unknown>>;

export function writeMessage(type: Type, message: Message, writing: Writing): Json {
  const fields = message as unknown as Fields;
  switch (type.fullName) {
    case '.google.protobuf.Timestamp':
      return formatTimestamp(Number(fields['seconds']), Number(fields['nanos']));
    case '.google.protobuf.Duration':
      return formatDuration(Number(fields['seconds']), Number(fields['nanos']));
    case '.google.protobuf.FieldMask':
      return (fields['paths'] as string[]).map(camelCase).join(',');
    case '.google.protobuf.Any':
      return writeAny(type, fields, writing);
    default:
      return writeFields(type, fields, writing);
  }
}

function writeFields(type: Type, message: Fields, writing: Writing): Record<string, Json> {
  const json: Record<string, Json> = {};
  for (const field of type.fieldsArray) {
    const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined;
    if (value === undefined || value === null || isDefault(field, value)) continue;
    if (field.map) {
      const entries = Object.entries(value as Fields);
      json[field.name] = Object.fromEntries(
        entries.map(([key, one]) => [key, writeValue(field, one, writing)]),
      );
    } else if (field.repeated) {
      json[field.name] = (value as unknown[]).map((one) => writeValue(field, one, writing));
    } else {
      json[field.name] = writeValue(field, value, writing);
    }
  }
  return json;
}

/** What a reader takes an absent field for. In a `oneof` presence itself says something. */
function isDefault(field: Field, value: unknown): boolean {
  if (field.repeated) return (value as unknown[]).length === 0;
  if (field.map) return Object.keys(value as object).length === 0;
  if (field.partOf || field.resolvedType instanceof protobuf.Type) return false;
  if (value instanceof Uint8Array) return value.length === 0;
  if (typeof value === 'string') return value === '';
  return value === false || Number(value) === 0;
}

function writeValue(field: Field, value: unknown, writing: Writing): Json {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) {
    return writeMessage(resolvedType, value as Message, writing);
  }
  if (resolvedType instanceof protobuf.Enum) {
    return writing.numericEnums ? value : (resolvedType.valuesById[value as number] ?? value);
  }
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  // 64 bits come in two halves; JSON has them as text.
  return field.type.endsWith('64') ? (value as bigint).toString() : value;
}

/** The packed message with its type's name in front; types with a text of their own as `value`. */
function writeAny(any: Type, message: Fields, writing: Writing): Json {
  const url = message['type_url'] as string;
  const name = url.slice(url.lastIndexOf('/') + 1);
  const packed = any.root.lookup(name, [protobuf.Type]);
  if (!(packed instanceof protobuf.Type)) return { '@type': url };
  const json = writeMessage(packed, packed.decode(message['value'] as Uint8Array), writing);
  const isObject = typeof json === 'object' && json !== null;
  return isObject ? { '@type': url, ...json } : { '@type': url, value: json };
}
