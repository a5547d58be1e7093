/** Turns an argument into JSON that reads back equal, or says which part of it wouldn't. */
import type { Refuse } from './argument-text.js';
import { dateText, isDate, kindOf } from './argument-text.js';

/** The endpoints' limit too. Much deeper text overflows the stack of whoever writes it again. */
const MOST_DEPTH = 64;

/**
 * `JSON.stringify` leaves functions out, makes null of NaN and `{}` of a Map, all without a word.
 *
 * @param refuse told what was expected, what came, and at which path inside the argument
 */
export function jsonText(value: unknown, refuse: Refuse): string {
  check(value, { path: '', depth: 0, above: new Set(), refuse });
  return JSON.stringify(value);
}

interface Place {
  readonly path: string;
  readonly depth: number;
  /** The objects that hold this one. */
  readonly above: ReadonlySet<object>;
  readonly refuse: Refuse;
}

function check(value: unknown, place: Place): void {
  const { path, refuse } = place;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse('a finite number', String(value), path);
      return;
    case 'object':
      if (value !== null) checkObject(value, place);
      return;
    default:
      refuse('a value that JSON has', kindOf(value), path);
  }
}

function checkObject(value: object, place: Place): void {
  const { path, above, refuse } = place;
  if (isDate(value)) {
    dateText(value, (expected, came) => refuse(expected, came, path));
    return;
  }
  if (ArrayBuffer.isView(value)) refuse('plain data', 'bytes; send them as base64', path);
  if (above.has(value)) refuse('no object inside itself', 'a circle', path);
  if (place.depth >= MOST_DEPTH) refuse(`at most ${MOST_DEPTH} levels`, 'more', path);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    // What the value says that it is; a class that has this means it.
    check((value as { toJSON(): unknown }).toJSON(), { ...place, depth: place.depth + 1 });
    return;
  }
  const within = { depth: place.depth + 1, above: new Set([...above, value]), refuse };
  if (Array.isArray(value)) {
    // Not forEach, which skips holes: they would arrive as null.
    for (let index = 0; index < value.length; index++) {
      check(value[index], { ...within, path: `${path}[${index}]` });
    }
    return;
  }
  if (!isRecord(value)) refuse('plain data', `a ${value.constructor.name}`, path);
  for (const [name, field] of Object.entries(value)) {
    // An absent field arrives as undefined again.
    if (field !== undefined) check(field, { ...within, path: `${path}.${name}` });
  }
}

/** Whether JSON shows all that it holds, which is not so of a Map, a Set, a Buffer, a Promise. */
function isRecord(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}
