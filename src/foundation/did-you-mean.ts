/** Finds the name that a misspelt one was meant to be. */

/**
 * The name nearest to `given`, when it is near enough to be a slip of the keyboard: one edit, and
 * two for names of more than `longName` characters. Case and separators don't count.
 */
export function nearestName(
  given: string,
  names: Iterable<string>,
  longName = 5,
): string | undefined {
  const plain = flattened(given);
  // Nobody mistypes a name at three times its length; this also bounds the work.
  if (plain.length > 64) return undefined;
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const other = flattened(name);
    const edits = distance(plain, other);
    if (edits < least && edits <= (other.length > longName ? 2 : 1)) {
      nearest = name;
      least = edits;
    }
  }
  return nearest;
}

function flattened(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into another. */
function distance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > 2) return Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (same ? 0 : 1),
          swapped && row > 1 && column > 1 ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? Infinity;
}
