/** The file that the records of API keys are kept in, checked as a whole whenever it is read. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { invalidArgument } from '../../engine/errors.js';
import { QUEUE_ID } from '../../engine/resource-name.js';
import { printable } from '../../foundation/printable.js';
import type { KeyRecord } from './api-key.js';
import { MOST_ACTIVE } from './api-key.js';

export const KEYS_FILE = 'producer-keys.json';

export const CLIENT = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/;
export const TASK_PATH = /^\/[A-Za-z0-9/._~!$&'()*+,;=:@-]{0,499}$/;
export const MOST_RATE = 100_000;

type Fields = Readonly<Record<string, unknown>>;

/** What each field must be; `hash` is never shown. */
const RULES: Readonly<Record<keyof KeyRecord, (value: unknown) => boolean>> = {
  id: matches(/^[a-z0-9]{12}$/),
  client: matches(CLIENT),
  hash: matches(/^[A-Za-z0-9_-]{43}$/),
  created: isInstant,
  revoked: (value) => value === undefined || isInstant(value),
  queues: isListOf(QUEUE_ID),
  tasks: isListOf(TASK_PATH),
  external: (value) => typeof value === 'boolean',
  rate: (value) =>
    Number.isInteger(value) && (value as number) > 0 && (value as number) <= MOST_RATE,
};

/** @throws CloudTasksError naming the file, the key and the field; the system's error */
export function readKeyFile(file: string): Map<string, KeyRecord> {
  const refuse = (what: string): never => {
    throw invalidArgument(`${printable(file)}: ${what}`);
  };
  let content: unknown;
  const text = readFileSync(file, 'utf8');
  try {
    content = JSON.parse(text);
  } catch {
    return refuse('expected JSON as `nest-cloud-tasks keys create` writes it.');
  }
  const listed: unknown = (content as Fields | null)?.['keys'];
  if (!Array.isArray(listed)) return refuse("expected an object with a list 'keys'.");
  const records = new Map<string, KeyRecord>();
  (listed as unknown[]).forEach((value, index) => {
    if (typeof value !== 'object' || value === null) return refuse(`keys[${index}]: no object.`);
    const record = value as Fields;
    const wrong =
      Object.keys(RULES).find((name) => !RULES[name as keyof KeyRecord](record[name])) ??
      Object.keys(record).find((name) => !Object.hasOwn(RULES, name));
    if (wrong !== undefined)
      return refuse(`keys[${index}].${printable(wrong)}: not what it must be.`);
    const key = value as KeyRecord;
    if (records.has(key.id)) return refuse(`keys[${index}].id: ${key.id} comes twice.`);
    records.set(key.id, key);
  });
  for (const client of new Set([...records.values()].map((key) => key.client))) {
    const count = activeKeys(records, client).length;
    if (count > MOST_ACTIVE) {
      refuse(`${client} has ${count} active keys; at most ${MOST_ACTIVE} are allowed.`);
    }
  }
  return records;
}

export function activeKeys(records: ReadonlyMap<string, KeyRecord>, client: string): KeyRecord[] {
  return [...records.values()].filter((key) => key.client === client && key.revoked === undefined);
}

/** Whole or not at all: an app may be reading it. */
export function writeKeyFile(file: string, records: ReadonlyMap<string, KeyRecord>): void {
  const next = `${file}.${process.pid}.tmp`;
  writeFileSync(next, `${JSON.stringify({ keys: [...records.values()] }, null, 2)}\n`);
  renameSync(next, file);
}

function matches(pattern: RegExp): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && pattern.test(value);
}

function isListOf(pattern: RegExp): (value: unknown) => boolean {
  return (value) =>
    value === undefined ||
    (Array.isArray(value) && value.length > 0 && value.every(matches(pattern)));
}

function isInstant(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) && !isNaN(Date.parse(value));
}
