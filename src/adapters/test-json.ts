/** A test API request's JSON object, read strictly: what isn't known or doesn't fit is refused. */
import type { IncomingMessage } from 'node:http';
import { nearestName } from '../foundation/did-you-mean.js';
import { parseDuration } from '../foundation/duration.js';
import { CloudTasksError, invalidArgument } from '../engine/errors.js';
import type { Duration, Instant } from '../engine/time.js';
import { MILLISECOND, SECOND } from '../engine/time.js';
import { printable } from '../foundation/printable.js';

const MOST_BYTES = 64 * 1024;

/** An empty body is an empty object. */
export async function readJson(request: IncomingMessage): Promise<JsonFields> {
  const text = await readText(request);
  if (text.trim() === '') return new JsonFields({});
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw invalidArgument('The body must be JSON, with Content-Type: application/json.');
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalidArgument('The body is not valid JSON.');
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    return new JsonFields(json);
  }
  throw invalidArgument('The body must be a JSON object.');
}

export class JsonFields {
  private readonly fields: ReadonlyMap<string, unknown>;

  constructor(json: object) {
    this.fields = new Map(Object.entries(json));
  }

  allow(names: readonly string[]): void {
    for (const name of this.fields.keys()) {
      if (names.includes(name)) continue;
      const nearest = nearestName(name, names);
      const hint =
        nearest === undefined
          ? `it is one of ${names.join(', ') || 'none'}`
          : `did you mean ${nearest}?`;
      throw invalidArgument(`${printable(name)} is not a field here, ${hint}`, name);
    }
  }

  text(name: string): string | undefined {
    return this.read(name, 'a text', (value) => (typeof value === 'string' ? value : undefined));
  }

  boolean(name: string): boolean | undefined {
    return this.read(name, 'true or false', (value) =>
      typeof value === 'boolean' ? value : undefined,
    );
  }

  whole(name: string, least: number, most: number): number | undefined {
    return this.read(name, `a whole number from ${least} to ${most}`, (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
        ? value
        : undefined,
    );
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    return this.read(name, `one of ${values.join(', ')}`, (came) =>
      values.find((value) => value === came),
    );
  }

  duration(name: string, most: Duration): Duration | undefined {
    if (!this.fields.has(name)) return undefined;
    const duration = parseDuration(this.fields.get(name), name);
    if (duration > most) throw invalidArgument(`${name}: at most ${durationText(most)}.`, name);
    return duration;
  }

  private read<Value>(
    name: string,
    expected: string,
    read: (value: unknown) => Value | undefined,
  ): Value | undefined {
    if (!this.fields.has(name)) return undefined;
    const came = this.fields.get(name);
    const value = read(came);
    if (value !== undefined) return value;
    const shown = printable(JSON.stringify(came));
    throw invalidArgument(`${name}: expected ${expected}, got ${shown}.`, name);
  }
}

/** `2026-01-01T00:00:00.000Z` */
export function timeText(instant: Instant): string {
  return new Date(instant / MILLISECOND).toISOString();
}

/** `1.5s` */
export function durationText(duration: Duration): string {
  return `${duration / SECOND}s`;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      length += (chunk as Buffer).length;
      if (length <= MOST_BYTES) chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw new CloudTasksError('CANCELLED', 'The request broke off.', { cause });
  }
  if (length > MOST_BYTES) throw invalidArgument(`The body is over ${MOST_BYTES} bytes.`);
  return Buffer.concat(chunks).toString();
}
