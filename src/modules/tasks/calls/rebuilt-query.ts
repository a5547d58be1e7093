/** Rebuilds the query of a request, in the form that the app's parser and pipes read back. */
import type { GivenArgument } from './given-argument.js';
import { fittingForm } from './given-argument.js';
import { kindOf } from './argument-text.js';
import type { ListStyle, QueryField } from './query-forms.js';
import { LIST_STYLES, queryFields, queryText } from './query-forms.js';
import { plainForms } from './body-forms.js';

/** The app's own way to read a query. */
export type ParseQuery = (query: string) => Readonly<Record<string, unknown>>;

/** @throws CloudTasksError INVALID_ARGUMENT naming the argument that no form carries */
export async function rebuildQuery(
  given: readonly GivenArgument[],
  parse: ParseQuery,
): Promise<string> {
  const read = (fields: readonly QueryField[]) => {
    const text = queryText(fields);
    return text === '' ? {} : parse(text);
  };
  const all: QueryField[] = [];
  const chosen: { readonly argument: GivenArgument; readonly raw: string }[] = [];
  for (const argument of given) {
    const rawOf = (fields: readonly QueryField[]) => handedOut(argument, read(fields));
    const fields = await fittingForm(argument, formsOf(argument, rawOf), rawOf);
    all.push(...fields);
    chosen.push({ argument, raw: JSON.stringify(rawOf(fields)) });
  }
  for (const { argument, raw } of chosen) {
    // A parser may stop after so many fields, or mix those of two arguments up.
    if (JSON.stringify(handedOut(argument, read(all))) === raw) continue;
    argument.refuse("what this app's query parser gives back among the others", 'something else');
  }
  return queryText(all);
}

/** As Nest takes it off the request. */
function handedOut({ place, name }: GivenArgument, query: Readonly<Record<string, unknown>>) {
  return place === 'query' ? query[name] : query;
}

async function* formsOf(
  argument: GivenArgument,
  rawOf: (fields: readonly QueryField[]) => unknown,
): AsyncGenerator<readonly QueryField[]> {
  const { place, name, value, refuse, arrival } = argument;
  const forms = (fieldsOf: (style: ListStyle) => QueryField[]) =>
    LIST_STYLES.map(fieldsOf).filter(
      // Where nobody can tell what the pipes do, the parser at least must not lose anything.
      (fields) => arrival.isKnown || keeps(fields, rawOf(fields)),
    );
  if (place === 'query') {
    yield* forms((style) => queryFields(name, value, style, refuse));
    return;
  }
  if (value !== undefined && kindOf(value) !== 'object') {
    refuse('an object, for a whole query', kindOf(value));
  }
  for await (const plain of plainForms(argument)) {
    yield* forms((style) =>
      Object.entries(plain ?? {}).flatMap(([field, item]: [string, unknown]) =>
        queryFields(field, item, style, (expected, came) => refuse(expected, came, `.${field}`)),
      ),
    );
  }
}

/** Whether every text of a query is somewhere in what was read of it. */
function keeps(fields: readonly QueryField[], raw: unknown): boolean {
  const read: string[] = [];
  JSON.stringify(raw, (_, value: unknown) => {
    if (typeof value === 'string') read.push(value);
    return value;
  });
  const texts = fields.map(([, text]) => text);
  return JSON.stringify(read.sort()) === JSON.stringify(texts.sort());
}
