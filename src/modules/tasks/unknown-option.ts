/** Refuses options that nobody knows, with the one that was meant, and shows what came instead. */
import { nearestName } from '../../foundation/did-you-mean.js';
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';

/** @throws CloudTasksError for a name that is none of `known`, with the one that was meant */
export function refuseUnknown(options: unknown, known: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`Options of ${where} must be an object, got ${typeof options}.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const hint = nearest ? `did you mean '${nearest}'?` : `known are ${known.join(', ')}.`;
    throw invalidArgument(`Unknown option '${printable(name)}' of ${where}; ${hint}`, name);
  }
}

/** A value as an error shows it: texts in quotes, of others only what they are. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? `'${printable(value)}'` : typeof value;
}
