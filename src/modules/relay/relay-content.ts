/** The body of a relayed call: JSON or text as it came, bytes, or a form. */
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { describeJson, readJsonObject } from '../producer/json-object.js';

export interface RelayContent {
  readonly body: Uint8Array | undefined;
  /** Undefined where there is no body. */
  readonly type: string | undefined;
}

const TYPE = /^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+(?:\s*;[\x20-\x7e]*)?$/;
const FORM = 'application/x-www-form-urlencoded';
const FORM_EXPECTED = `for ${FORM} an object of texts, numbers, booleans or lists of them`;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * `payload`: a string goes as that text, an object or another value as the JSON that it came as,
 * or as a form where `contentType` says so. `payloadBase64`: bytes.
 *
 * @throws CloudTasksError INVALID_ARGUMENT
 */
export function contentOf(fields: Fields): RelayContent {
  const given = fields.matching('contentType', TYPE, "a media type such as 'application/json'");
  const base64 = fields.matching('payloadBase64', BASE64, 'base64 with its padding');
  const json = fields.json('payload');
  if (base64 !== undefined) {
    if (json !== undefined) {
      throw invalidArgument('payloadBase64: give it or payload, not both.', 'payloadBase64');
    }
    return { body: Buffer.from(base64, 'base64'), type: given ?? 'application/octet-stream' };
  }
  if (json === undefined) return { body: undefined, type: given };
  if (json.startsWith('"'))
    return text(JSON.parse(json) as string, given ?? 'text/plain; charset=utf-8');
  if (given?.split(';', 1)[0]?.trim().toLowerCase() === FORM) return text(form(json), given);
  return text(json, given ?? 'application/json');
}

function text(content: string, type: string): RelayContent {
  if (!content.isWellFormed()) {
    unexpected('payload', 'text without lone surrogates, which UTF-8 has not', printable(content));
  }
  return { body: new TextEncoder().encode(content), type };
}

/** An object's fields in their order; a list gives its field several times. */
function form(json: string): string {
  if (!json.startsWith('{')) unexpected('payload', FORM_EXPECTED, describeJson(json));
  const pairs = [...readJsonObject(json, 'payload')].flatMap(([name, value]) =>
    itemsOf(value).map((item): [string, string] => [name, scalar(item)]),
  );
  return new URLSearchParams(pairs).toString();
}

function itemsOf(json: string): string[] {
  if (!json.startsWith('[')) return [json];
  return (JSON.parse(json) as unknown[]).map((item) => JSON.stringify(item));
}

/** A number as it was written. */
function scalar(json: string): string {
  if (/^[[{n]/.test(json)) unexpected('payload', FORM_EXPECTED, describeJson(json));
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}
