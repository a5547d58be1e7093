/** Shows text from outside on one line: nothing in it can move a cursor, colour or break a line. */

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * The text with control, format and other invisible characters escaped as in JSON, and cut when
 * it is longer than `limit` characters. Quotes and backslashes stay as they are.
 */
export function printable(text: string, limit = 60): string {
  const start = text.length > limit ? `${text.slice(0, limit).toWellFormed()}...` : text;
  return start.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => SHORT[character] ?? units(character),
  );
}

function units(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    const code = character.charCodeAt(index);
    return `\\u${code.toString(16).padStart(4, '0')}`;
  }).join('');
}
