/** Which path of an App Engine service a caller may have called. */
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';
import { decodedFully, hasDotSegments, MOST_URL_LENGTH } from '../../foundation/url-path.js';

/** App Engine's own paths: start, stop, warm-up. */
const PLATFORM_PATH = /^\/_ah(?:\/|$)/i;

/**
 * Checks a `relativeUri`, under every spelling that some server or gateway takes for another path.
 *
 * @param closed paths in lower case that no task may call: those that make tasks
 * @returns the text as it came
 * @throws CloudTasksError INVALID_ARGUMENT with the field `relativeUri`
 */
export function checkRelativeUri(uri: string, closed: readonly string[]): string {
  const refuse = (expected: string): never => {
    throw invalidArgument(
      `relativeUri: expected ${expected}, got '${printable(uri)}'.`,
      'relativeUri',
    );
  };
  if (uri.length > MOST_URL_LENGTH) refuse(`at most ${MOST_URL_LENGTH} characters`);
  if (!/^\/(?!\/)/.test(uri)) refuse("a path that starts with a single '/'");
  if (!/^[\x21-\x7e]*$/.test(uri) || /[\\#]/.test(uri)) {
    refuse(
      'visible ASCII without spaces, backslash or fragment; percent-encode what else it holds',
    );
  }
  const path = uri.split('?', 1)[0] ?? '';
  if (/%(?![0-9a-f]{2})/i.test(path)) refuse("two hexadecimal digits after each '%'");
  const plain = decodedFully(path);
  // What comes out of the decoding is judged as a path again.
  if (/^\/[/\\]/.test(plain)) refuse("a path that starts with a single '/'");
  if (/[\0-\x1f\x7f\\]/.test(plain)) refuse('no encoded backslashes or control characters');
  if (hasDotSegments(plain)) refuse("no '.' or '..' segments");
  const canonical = plain.toLowerCase().replace(/\/+$/, '');
  if (PLATFORM_PATH.test(canonical) || closed.includes(canonical)) {
    refuse('a path that tasks may call');
  }
  return uri;
}
