/** Which headers a caller may give a task: well formed ones that don't say who it is or whence. */
import { invalidArgument } from '../../engine/errors.js';
import { allowsHeader } from '../../outbound/outbound-headers.js';
import type { OutboundRule } from '../../outbound/outbound-rule.js';
import { printable } from '../../foundation/printable.js';
import { isHeaderName, isHeaderValue, isReserved } from '../../foundation/header-rules.js';
import type { Fields } from './fields.js';
import { unexpected } from './fields.js';
import { describeJson } from './json-object.js';

const MAX_COUNT = 64;
/** The API's limit for HTTP targets. */
const MAX_BYTES = 80 * 1024;

const EXPECTED = "an object of strings such as {'X-Request-Id': '42'}";

export interface HeaderRules {
  /** Names that the target's kind sets itself, in lower case. */
  readonly ownOfTarget?: readonly string[];
  /** Of the target's origin: it may allow what else is reserved. */
  readonly rule?: OutboundRule;
}

/** The `headers` field. */
export function readHeaders(
  fields: Fields,
  { ownOfTarget = [], rule }: HeaderRules = {},
): Record<string, string> {
  const headers: Record<string, string> = {};
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, json] of fields.object('headers', EXPECTED) ?? []) {
    const lower = name.toLowerCase();
    if (!isHeaderName(name)) {
      unexpected('headers', "names of letters, digits and !#$%&'*+.^_`|~-", `'${printable(name)}'`);
    }
    const isAllowed = rule !== undefined && allowsHeader(rule, name);
    if ((isReserved(name, 'caller') && !isAllowed) || ownOfTarget.includes(lower)) {
      refuse(`'${printable(name)}' can't be set by a caller.`);
    }
    if (seen.has(lower)) refuse(`'${printable(name)}' comes twice.`);
    seen.add(lower);
    if (!json.startsWith('"')) unexpected('headers', EXPECTED, describeJson(json));
    const value = JSON.parse(json) as string;
    if (!isHeaderValue(value)) {
      refuse(`the value of '${printable(name)}' must be visible ASCII without outer blanks.`);
    }
    headers[name] = value;
    bytes += name.length + value.length;
  }
  if (bytes > MAX_BYTES) refuse(`expected at most ${MAX_BYTES} bytes in total, got ${bytes}.`);
  if (seen.size > MAX_COUNT) refuse(`expected at most ${MAX_COUNT}, got ${seen.size}.`);
  return headers;
}

function refuse(message: string): never {
  throw invalidArgument(`headers: ${message}`, 'headers');
}
