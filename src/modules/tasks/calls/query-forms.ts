/** The ways in which a query can carry a value; which of them an app reads back is found by trying. */
import type { Refuse } from './argument-text.js';
import { kindOf, isDate, plainText } from './argument-text.js';

/** How lists are written: `a=1&a=2`, `a[]=1&a[]=2`, `a=1,2`, `a[0]=1&a[1]=2`. */
export const LIST_STYLES = ['repeated', 'brackets', 'joined', 'indexes'] as const;
export type ListStyle = (typeof LIST_STYLES)[number];

export type QueryField = readonly [name: string, text: string];

/** An empty list, like undefined, is left out, but where it is `joined`, which gives `a=`. */
export function queryFields(
  name: string,
  value: unknown,
  style: ListStyle,
  refuse: Refuse,
): QueryField[] {
  if (value === undefined) return [];
  if (!name.isWellFormed()) refuse('a name without lone surrogates', 'one');
  return Array.isArray(value)
    ? listFields(name, value, style, refuse)
    : isPlain(value)
      ? [[name, plainText(value, refuse)]]
      : nestedFields(name, value, refuse);
}

function listFields(
  name: string,
  list: readonly unknown[],
  style: ListStyle,
  refuse: Refuse,
): QueryField[] {
  if (!list.every(isPlain) || style === 'indexes') return nestedFields(name, list, refuse);
  const texts = list.map((item) => plainText(item, refuse));
  switch (style) {
    case 'repeated':
      return texts.map((text) => [name, text]);
    case 'brackets':
      return texts.map((text) => [`${name}[]`, text]);
    case 'joined':
      return [[name, texts.join(',')]];
  }
}

/** `filter[from]=1&filter[tags][0]=a` */
function nestedFields(name: string, value: unknown, refuse: Refuse): QueryField[] {
  if (isPlain(value)) return [[name, plainText(value, refuse)]];
  if (typeof value !== 'object' || value === null) {
    return refuse('a string, number, boolean or Date', kindOf(value));
  }
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) =>
    item === undefined ? [] : nestedFields(`${name}[${key}]`, item, refuse),
  );
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null || isDate(value);
}

export function queryText(fields: readonly QueryField[]): string {
  return fields
    .map(([name, text]) => `${encodeURIComponent(name)}=${encodeURIComponent(text)}`)
    .join('&');
}
