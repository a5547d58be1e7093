/** The fields of one request to the producer: ours only, each of its type, else a clear refusal. */
import { nearestName } from '../../foundation/did-you-mean.js';
import { invalidArgument } from '../../engine/errors.js';
import { printable } from '../../foundation/printable.js';
import { describeJson, readJsonObject } from './json-object.js';

/** Refuses a field's value: `countdown: expected a duration such as '30m', got 30.` */
export function unexpected(field: string, expected: string, came: string): never {
  throw invalidArgument(`${field}: expected ${expected}, got ${came}.`, field);
}

/**
 * Reads fields by hand rather than into a validated class: a class would be filled from a parsed
 * object, and parsing has by then rounded numbers, merged repeated names and lost the payload's
 * own text, of which the errors and the task are made.
 */
export class Fields {
  private readonly values: ReadonlyMap<string, string>;

  /** @throws CloudTasksError for text that isn't JSON, or a field that isn't `known`. */
  constructor(text: string, known: readonly string[]) {
    this.values = readJsonObject(text);
    for (const name of this.values.keys()) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const hint = nearest ? `did you mean '${nearest}'?` : `known are ${known.join(', ')}.`;
      throw invalidArgument(`Unknown field '${printable(name)}'; ${hint}`, printable(name));
    }
  }

  /** The value's JSON text as it came. */
  json(name: string): string | undefined {
    return this.values.get(name);
  }

  /** @param expected what the field holds, for the error: `a duration such as '30m'` */
  string(name: string, expected: string): string | undefined {
    const json = this.values.get(name);
    if (json === undefined) return undefined;
    if (!json.startsWith('"')) unexpected(name, expected, describeJson(json));
    return JSON.parse(json) as string;
  }

  required(name: string, expected: string): string {
    return this.string(name, expected) ?? unexpected(name, expected, 'nothing');
  }

  /** A string that has to match; what doesn't is shown as it came. */
  matching(name: string, pattern: RegExp, expected: string): string | undefined {
    const value = this.string(name, expected);
    if (value !== undefined && !pattern.test(value)) {
      unexpected(name, expected, `'${printable(value)}'`);
    }
    return value;
  }

  /** These fields, those that came, as a JSON object: each value as the text it came in. */
  only(names: readonly string[]): string {
    const given = names.filter((name) => this.values.has(name));
    return `{${given.map((name) => `${JSON.stringify(name)}:${this.json(name) ?? ''}`).join(',')}}`;
  }

  /** An object's fields, each value as its JSON text. */
  object(name: string, expected: string): ReadonlyMap<string, string> | undefined {
    const json = this.values.get(name);
    if (json === undefined) return undefined;
    if (!json.startsWith('{')) unexpected(name, expected, describeJson(json));
    return readJsonObject(json, name);
  }
}
