/** Rebuilds the headers of a request, its cookies among them. */
import { invalidArgument } from '../../../engine/errors.js';
import type { Refuse } from './argument-text.js';
import { headerText, kindOf, plainText } from './argument-text.js';
import type { GivenArgument } from './given-argument.js';
import { argumentName, fittingForm } from './given-argument.js';
import { isHeaderName } from '../../../foundation/header-rules.js';

/** Servers take 16 KB of headers altogether, with the token and what a queue adds. */
const MOST_CHARACTERS = 8 * 1024;

/**
 * @returns the headers by lower-case name
 * @throws CloudTasksError INVALID_ARGUMENT naming the argument that none can carry
 */
export async function rebuildHeaders(
  given: readonly GivenArgument[],
): Promise<Map<string, string>> {
  const headers = new Map<string, string>();
  const cookies: string[] = [];
  for (const argument of given) {
    const { place, name, value, refuse } = argument;
    if (place === 'header') {
      if (value === undefined) continue;
      const text = await fittingForm(argument, [headerText(value, refuse)], (form) => form);
      headers.set(name.toLowerCase(), text);
    } else {
      const sent = place === 'cookie' ? oneCookie(argument) : wholeCookies(argument);
      const raw = () => (place === 'cookie' ? sent.get(name) : Object.fromEntries(sent));
      await fittingForm(argument, [sent], raw);
      cookies.push(...[...sent].map(([key, text]) => `${key}=${encodeURIComponent(text)}`));
    }
    const size = [...headers.values(), ...cookies].join('; ').length;
    if (size <= MOST_CHARACTERS) continue;
    throw invalidArgument(
      `${argument.handler}, ${argumentName(argument)}: expected headers of at most ${MOST_CHARACTERS} characters altogether, got ${size}.`,
      `arguments[${argument.index}]`,
    );
  }
  if (cookies.length > 0) headers.set('cookie', cookies.join('; '));
  return headers;
}

function oneCookie({ name, value, refuse }: GivenArgument): Map<string, string> {
  return new Map(value === undefined ? [] : [[name, cookieText(value, refuse)]]);
}

function wholeCookies({ value, refuse }: GivenArgument): Map<string, string> {
  if (value === undefined) return new Map();
  if (kindOf(value) !== 'object') refuse('an object, for all cookies', kindOf(value));
  return new Map(
    Object.entries(value as object).flatMap(([name, part]: [string, unknown]) => {
      const within: Refuse = (expected, came) => refuse(expected, came, `.${name}`);
      if (!isHeaderName(name) || name === '__proto__')
        within('a name that cookies have', 'another');
      return part === undefined ? [] : [[name, cookieText(part, within)] as const];
    }),
  );
}

/** Some parsers of cookies read JSON after `j:`. */
function cookieText(value: unknown, refuse: Refuse): string {
  const text = plainText(value, refuse);
  return text.startsWith('j:') ? refuse("a text that doesn't begin with 'j:'", 'one') : text;
}
