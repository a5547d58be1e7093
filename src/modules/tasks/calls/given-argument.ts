/** One argument of a call: where it travels, what arrives of it, and how it is refused. */
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import type { Arrival, Misfit } from '../attempts/arrival.js';
import type { Refuse } from './argument-text.js';
import { isDate, kindOf } from './argument-text.js';
import type { HandlerParameter, Place } from '../routes/handler-parameters.js';

/** A parameter with what the app's pipes do to it. */
export interface RouteParameter extends HandlerParameter {
  readonly arrival: Arrival;
}

export interface GivenArgument extends RouteParameter {
  readonly value: unknown;
  /** Refuses it, or a part of it, in the name of its handler. */
  readonly refuse: Refuse;
  readonly handler: string;
}

const DECORATOR: Readonly<Record<Place, string>> = {
  path: '@Param',
  query: '@Query',
  'whole-query': '@Query',
  header: '@Headers',
  cookie: '@Cookies',
  'whole-cookies': '@Cookies',
  body: '@Body',
  'body-field': '@Body',
};

export function givenArgument(
  handler: string,
  parameter: RouteParameter,
  value: unknown,
): GivenArgument {
  const refuse: Refuse = (expected, came, path = '') => {
    const where = path === '' ? '' : ` at ${path}`;
    throw invalidArgument(
      `${handler}, ${argumentName(parameter)}: expected ${expected}, got ${came}${where}.`,
      `arguments[${parameter.index}]${path}`,
    );
  };
  return { ...parameter, value, handler, refuse };
}

export function argumentName({ index, place, name }: HandlerParameter): string {
  return `argument ${index + 1}, ${DECORATOR[place]}(${name === '' ? '' : `'${name}'`})`;
}

/** Whether the handler reads it from the body. */
export function inBody({ place }: HandlerParameter): boolean {
  return place === 'body' || place === 'body-field';
}

/**
 * The first of several forms that arrives as the argument that was given.
 *
 * @param raw what Express makes of a form, anew with each call, since pipes may change it
 * @throws CloudTasksError INVALID_ARGUMENT with what is wrong with the first form
 */
export async function fittingForm<Form>(
  given: GivenArgument,
  forms: Iterable<Form> | AsyncIterable<Form>,
  raw: (form: Form) => unknown,
): Promise<Form> {
  let first: Misfit | undefined;
  for await (const form of forms) {
    const misfit = await given.arrival.misfit(raw(form), given.value);
    if (!misfit) return form;
    first ??= misfit;
  }
  return refuseMisfit(given, first ?? { path: '', part: given.value });
}

function refuseMisfit(given: GivenArgument, misfit: Misfit): never {
  const { handler, index, refuse } = given;
  if ('refusal' in misfit) {
    throw new CloudTasksError(
      'INVALID_ARGUMENT',
      `${handler}, ${argumentName(given)}: ${misfit.refusal.replace(/\.?$/, '.')}`,
      { field: `arguments[${index}]`, cause: misfit.cause },
    );
  }
  const { path, part } = misfit;
  const type = isDate(part) ? 'Date' : typeof part;
  if (!inBody(given) && ['number', 'boolean', 'Date'].includes(type)) {
    refuse(`a string, or a pipe that makes this ${type} of its text again`, `a ${type}`, path);
  }
  if (Array.isArray(part) && part.length < 2) {
    const came = part.length === 0 ? 'an empty array' : 'an array of one';
    refuse('a list that arrives as one by this query parser and these pipes', came, path);
  }
  return refuse("what arrives the same by the app's own parsers and pipes", kindOf(part), path);
}
