/** Rebuilds the body of a request: as JSON, and the way back of what the DTO's transformer does. */
import type { GivenArgument } from './given-argument.js';
import { fittingForm } from './given-argument.js';
import { jsonText } from './json-body.js';

/** @returns JSON; undefined for a handler that reads no body */
export async function rebuildBody(given: readonly GivenArgument[]): Promise<string | undefined> {
  const [first] = given;
  if (!first) return undefined;
  if (first.place === 'body') {
    return first.value === undefined
      ? first.refuse('a value that JSON has', 'undefined')
      : fittingForm(first, jsonForms(first), parsed);
  }
  const fields: string[] = [];
  for (const argument of given) {
    const { name, value } = argument;
    if (value === undefined) {
      await fittingForm(argument, [undefined], () => undefined);
      continue;
    }
    fields.push(
      `${JSON.stringify(name)}:${await fittingForm(argument, jsonForms(argument), parsed)}`,
    );
  }
  return `{${fields.join(',')}}`;
}

/** Each time anew: pipes may change it. */
function parsed(json: string): unknown {
  return JSON.parse(json) as unknown;
}

async function* jsonForms(given: GivenArgument): AsyncGenerator<string> {
  for await (const plain of plainForms(given)) yield jsonText(plain, given.refuse);
}

/**
 * The argument as it is; then, for one of a class, as class-transformer makes plain data of it: by
 * the `@Transform`, `@Expose` and `@Type` that make an instance of that again.
 */
export async function* plainForms({ value, arrival }: GivenArgument): AsyncGenerator {
  yield value;
  const { declaredClass } = arrival;
  if (!declaredClass || typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const { instanceToPlain } = await import('class-transformer');
  const isInstance = value instanceof declaredClass;
  yield instanceToPlain(isInstance ? value : Object.assign(blank(declaredClass), value));
}

/** An instance whose constructor has not run: that may ask for arguments. */
function blank(declaredClass: new () => object): object {
  return Object.create(declaredClass.prototype as object) as object;
}
