/** Turns an argument into the text that carries it in a path, a query or a header. */
import { printable } from '../../../foundation/printable.js';
import { isHeaderValue } from '../../../foundation/header-rules.js';

/** Refuses an argument, or the part of it at `path`: what was expected, and what came. */
export type Refuse = (expected: string, came: string, path?: string) => never;

/** The text of a value that has one: what a pipe makes the value of again. */
export function plainText(value: unknown, refuse: Refuse): string {
  switch (typeof value) {
    case 'string':
      // UTF-8 has no half characters; they would arrive as another text.
      if (!value.isWellFormed()) refuse('text without lone surrogates', printable(value));
      return value;
    case 'number':
      if (!Number.isFinite(value)) refuse('a finite number', String(value));
      return String(value);
    case 'boolean':
      return String(value);
    default:
      if (isDate(value)) return dateText(value, refuse);
      return refuse('a string, number, boolean or Date', kindOf(value));
  }
}

export function headerText(value: unknown, refuse: Refuse): string {
  const text = plainText(value, refuse);
  if (!isHeaderValue(text)) {
    refuse('visible ASCII without blanks at its ends, for a header', `'${printable(text)}'`);
  }
  return text;
}

export function isDate(value: unknown): value is Date {
  // By its tag, not its class: a Date of another realm is a Date.
  return Object.prototype.toString.call(value) === '[object Date]';
}

export function dateText(date: Date, refuse: Refuse): string {
  return Number.isNaN(date.getTime())
    ? refuse('a valid Date', 'an invalid one')
    : date.toISOString();
}

/** A value as an error shows it, without its content. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value;
}
