/** Which of a caller's headers a call carries, and which of an answer's come back. */
import { invalidArgument } from '../engine/errors.js';
import { isHeaderName, isHeaderValue, isHopByHop, isReserved } from '../foundation/header-rules.js';
import { printable } from '../foundation/printable.js';
import type { OutboundRule } from './outbound-rule.js';

const MOST_HEADERS = 64;
const MOST_BYTES = 16 * 1024;

/** @see OutboundPolicy.headers */
export function callerHeaders(
  rule: OutboundRule,
  given: Readonly<Record<string, string>>,
  field: string,
): Record<string, string> {
  const refuse = (problem: string): never => {
    throw invalidArgument(`${field}: ${problem}`, field);
  };
  const names = new Set<string>();
  let bytes = 0;
  for (const [name, value] of Object.entries(given)) {
    const shown = `'${printable(name)}'`;
    if (!isHeaderName(name)) {
      refuse(`expected names of letters, digits and !#$%&'*+.^_\`|~-, got ${shown}.`);
    }
    if (typeof value !== 'string' || !isHeaderValue(value)) {
      refuse(`the value of ${shown} must be visible ASCII without outer blanks.`);
    }
    if (names.has(name.toLowerCase())) refuse(`${shown} comes twice.`);
    names.add(name.toLowerCase());
    // With its colon, blank and line end.
    bytes += name.length + value.length + 4;
  }
  if (names.size > MOST_HEADERS) refuse(`expected at most ${MOST_HEADERS}, got ${names.size}.`);
  if (bytes > MOST_BYTES) refuse(`expected at most ${MOST_BYTES} bytes in total, got ${bytes}.`);
  if (names.has('authorization') && rule.allowCallerAuth !== true) {
    refuse(`'Authorization' is not for the caller to set where ${rule.origin} is called.`);
  }
  const ofConnection = namedBy(given);
  return Object.fromEntries(
    Object.entries(given).filter(
      ([name]) =>
        !ofConnection.has(name.toLowerCase()) &&
        (allowsHeader(rule, name) || !isReserved(name, 'outbound')),
    ),
  );
}

/** Whether the rule itself says that a caller may set it, who else may not. */
export function allowsHeader(
  { headers = [], allowCallerAuth }: OutboundRule,
  name: string,
): boolean {
  const lower = name.toLowerCase();
  if (lower === 'authorization') return allowCallerAuth === true;
  return headers.some((allowed) => allowed.toLowerCase() === lower);
}

/** An answer's headers by lower-case name, as undici gives them. */
export type AnswerHeaders = Record<string, string | string[]>;

/** Without those of the connection and cookies; no more than 64 of them. */
export function answerHeaders(
  given: Readonly<Record<string, string | string[] | undefined>>,
): AnswerHeaders {
  const ofConnection = namedBy(given);
  const kept: [string, string | string[]][] = [];
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || kept.length === MOST_HEADERS) continue;
    if (isHopByHop(name) || name === 'set-cookie' || ofConnection.has(name)) continue;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

/** What `Connection` names is of that connection too (RFC 9110, 7.6.1). */
function namedBy(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): ReadonlySet<string> {
  const values = Object.entries(headers)
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value ?? []);
  return new Set(
    values.flatMap((value) => value.split(',')).map((name) => name.trim().toLowerCase()),
  );
}
