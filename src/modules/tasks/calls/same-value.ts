/** Compares an argument with what arrives of it. */
import { isDate } from './argument-text.js';

/** A part of an argument that got lost or became another. */
export interface Difference {
  /** `` for the whole, `.to[0]` for a part. */
  readonly path: string;
  /** As it was given. */
  readonly part: unknown;
}

/**
 * Where what arrived is not what was given; undefined where it is the same. Fields may be added on
 * the way, by defaults say, and objects may become instances; nothing given may get lost or change.
 *
 * @param datesAsText whether a date may arrive as its ISO text, which is what JSON makes of it
 */
export function difference(
  given: unknown,
  arrived: unknown,
  datesAsText: boolean,
  path = '',
): Difference | undefined {
  const here = { path, part: given };
  // `===`: a text has no sign for the negative zero.
  if (given === arrived) return undefined;
  if (typeof given !== 'object' || given === null) return here;
  if (isDate(given)) return sameDate(given, arrived, datesAsText) ? undefined : here;
  if (typeof arrived !== 'object' || arrived === null) {
    return hasJson(given) ? difference(given.toJSON(), arrived, datesAsText, path) : here;
  }
  if (isCollection(given)) {
    return isCollection(arrived) ? difference([...given], [...arrived], datesAsText, path) : here;
  }
  if (Array.isArray(given) && (!Array.isArray(arrived) || arrived.length !== given.length)) {
    return here;
  }
  if (hasJson(given)) {
    return JSON.stringify(given) === JSON.stringify(arrived) ? undefined : here;
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const place = Array.isArray(given) ? `${path}[${name}]` : `${path}.${name}`;
    const part = (arrived as Readonly<Record<string, unknown>>)[name];
    const where = difference(value, part, datesAsText, place);
    if (where !== undefined) return where;
  }
  return undefined;
}

function sameDate(given: Date, arrived: unknown, asText: boolean): boolean {
  if (isDate(arrived)) return given.getTime() === arrived.getTime();
  return asText && arrived === given.toISOString();
}

function hasJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function isCollection(value: object): value is Map<unknown, unknown> | Set<unknown> {
  return /^\[object (Map|Set)\]$/.test(Object.prototype.toString.call(value));
}
