/** What a mask may name in a message, and what an update with one makes of it. */

/** The fields of a message that a mask may name, each with those inside it. */
export interface MaskFields {
  readonly [field: string]: MaskFields;
}

const LEAF: MaskFields = {};

export function fields(...names: readonly string[]): MaskFields {
  return Object.fromEntries(names.map((name) => [name, LEAF]));
}

export interface MaskRules {
  readonly known: MaskFields;
  /** The error for a path that names no field. */
  readonly refuse: (path: string) => Error;
}

/** The message with the fields that the mask names taken from the input, or left out where that lacks them. */
export function masked(
  message: object,
  input: object,
  mask: readonly string[],
  { known, refuse }: MaskRules,
): Map<string, unknown> {
  const given = entries(input);
  return mask.reduce((next, path) => {
    const names = path.split('.');
    if (!isField(known, names)) throw refuse(path);
    return replaced(next, given, names);
  }, entries(message));
}

function isField(known: MaskFields, names: readonly string[]): boolean {
  let within: MaskFields | undefined = known;
  for (const name of names) {
    within = within && Object.hasOwn(within, name) ? within[name] : undefined;
  }
  return within !== undefined;
}

/** The message with one field taken from another, or without it where that lacks it. */
function replaced(
  message: Map<string, unknown>,
  given: Map<string, unknown>,
  [name = '', ...rest]: readonly string[],
): Map<string, unknown> {
  const next = new Map(message);
  const value =
    rest.length === 0
      ? given.get(name)
      : Object.fromEntries(replaced(entries(message.get(name)), entries(given.get(name)), rest));
  if (value === undefined) next.delete(name);
  else next.set(name, value);
  return next;
}

function entries(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
