/** Fills the placeholders of a mail's template; what it fills in is text, and never becomes HTML. */
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { describeJson } from '../producer/json-object.js';

const PLACEHOLDER = /\{\{\s*([A-Za-z_][\w.-]{0,63})\s*\}\}/g;

/**
 * The field `template`, HTML with placeholders such as `{{name}}`, filled from the field `data`, an
 * object of strings, numbers and booleans.
 *
 * @throws CloudTasksError INVALID_ARGUMENT for a placeholder without data, and data without one
 */
export function renderTemplate(template: string, fields: Fields): string {
  const data = readData(fields);
  const used = new Set<string>();
  const html = template.replace(PLACEHOLDER, (_, name: string) => {
    const value = data.get(name);
    if (value === undefined) {
      throw invalidArgument(`data: the template's {{${name}}} has no value.`, 'data');
    }
    used.add(name);
    return escapeHtml(value);
  });
  const idle = [...data.keys()].find((name) => !used.has(name));
  if (idle !== undefined) {
    throw invalidArgument(`data: '${printable(idle)}' has no place in the template.`, 'data');
  }
  return html;
}

/** Safe as content, and as the value of an attribute in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function readData(fields: Fields): Map<string, string> {
  const expected = "an object of texts such as {'name': 'Ada'}";
  const data = new Map<string, string>();
  for (const [name, json] of fields.object('data', expected) ?? []) {
    const isPlain = /^["\d-]|^(?:true|false)$/.test(json);
    if (!isPlain) unexpected('data', 'strings, numbers and booleans', describeJson(json));
    // A number stands in the mail as it came.
    data.set(name, json.startsWith('"') ? (JSON.parse(json) as string) : json);
  }
  return data;
}
