/** A registered path with its parameters, read so that it can be filled in. */

/** Literal texts and names of parameters, alternating; the first and the last are literal. */
export interface PathTemplate {
  readonly literals: readonly string[];
  readonly names: readonly string[];
}

const PARAMETER = /:([\p{ID_Start}$_][\p{ID_Continue}$]*)/u;
/** Wildcards, optional parts, quoted names, escapes: more than one path would fit. */
const SPECIAL = /[*{}()[\]\\"?+!]/;

/** @returns the template, or why the path can't be filled in */
export function readPath(path: string): PathTemplate | string {
  const parts = path.split(PARAMETER);
  const literals = parts.filter((_, index) => index % 2 === 0);
  const names = parts.filter((_, index) => index % 2 === 1);
  if (literals.some((text) => SPECIAL.test(text))) {
    return `its path ${path} has a wildcard or an optional part, which can't be filled in`;
  }
  if (literals.some((text) => !/^[\x21-\x7e]*$/.test(text) || text.includes('#'))) {
    return `its path ${path} has characters that no URL has`;
  }
  return { literals, names };
}

/** Each value percent-encoded, a slash in it too. */
export function fillPath(
  { literals, names }: PathTemplate,
  values: ReadonlyMap<string, string>,
): string {
  return literals
    .map((literal, index) => literal + encodeURIComponent(values.get(names[index] ?? '') ?? ''))
    .join('');
}
