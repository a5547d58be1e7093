/** Numbers, texts, truth values and bytes as proto3's JSON has them, in a body or in a query. */

/** Fractions of nothing are whole: `1.0` and `1e3` are integers in JSON. */
const NUMBER = /^-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?$/;
const INTEGER = /^-?\d{1,20}$/;
/** Padding may be left out; the alphabet may be the one for URLs. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/**
 * The value as protobuf.js encodes it; undefined when the JSON is none of this type.
 *
 * An int64 becomes decimal text, which loses no digit.
 */
export function parseScalar(type: string, json: unknown): unknown {
  switch (type) {
    case 'string':
      // A lone surrogate has no UTF-8.
      return typeof json === 'string' && json.isWellFormed() ? json : undefined;
    case 'bool':
      if (json === 'true' || json === 'false') return json === 'true';
      return typeof json === 'boolean' ? json : undefined;
    case 'bytes':
      return typeof json === 'string' ? parseBytes(json) : undefined;
    case 'double':
    case 'float':
      return parseNumber(json);
    default:
      return parseInteger(type, json);
  }
}

function parseBytes(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined;
  const digits = text.endsWith('=') ? text.replace(/=+$/, '') : text;
  const isWhole = digits.length === text.length || text.length % 4 === 0;
  // One digit alone is six bits, which is no byte. Node reads both alphabets.
  return isWhole && digits.length % 4 !== 1 ? Buffer.from(digits, 'base64') : undefined;
}

function parseNumber(json: unknown): number | undefined {
  if (typeof json === 'number') return Number.isFinite(json) ? json : undefined;
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  return typeof json === 'string' && NUMBER.test(json) ? Number(json) : undefined;
}

function parseInteger(type: string, json: unknown): number | string | undefined {
  const range = RANGES[type];
  const value = wholeNumber(json);
  if (!range || value === undefined || value < range[0] || value > range[1]) return undefined;
  return type.endsWith('64') ? String(value) : Number(value);
}

function wholeNumber(json: unknown): bigint | undefined {
  if (typeof json === 'string' && INTEGER.test(json)) return BigInt(json);
  const number = parseNumber(json);
  return number !== undefined && Number.isInteger(number) ? BigInt(number) : undefined;
}
