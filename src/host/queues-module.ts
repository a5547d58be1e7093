/** Reads the queues that a JavaScript module exports, as an app's options take them. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CloudTasksError, invalidArgument } from '../engine/errors.js';
import { printable } from '../foundation/printable.js';
import type { QueueSettings } from './queues-plan.js';

/** By this name, also in what a module of CommonJS exports. */
const NAME = 'queues';

/** @throws CloudTasksError INVALID_ARGUMENT with one line: it can't be loaded, or exports none. */
export async function queuesOfModule(
  path: string,
): Promise<Readonly<Record<string, QueueSettings>>> {
  const file = printable(path, 200);
  const exported = await load(path, file);
  const queues = named(exported) ?? named(named(exported, 'default'));
  // What is in it, the reader judges.
  if (typeof queues === 'object' && queues !== null) return queues as Record<string, QueueSettings>;
  throw invalidArgument(
    `${file}: expected an export ${NAME}, got ${Object.keys(exported).join(', ') || 'none'}`,
  );
}

async function load(path: string, file: string): Promise<object> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as object;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ERR_MODULE_NOT_FOUND' ? 'it, or what it imports, is not there' : message;
    throw new CloudTasksError('INVALID_ARGUMENT', `${file}: ${printable(why, 200)}`, { cause });
  }
}

function named(value: unknown, name = NAME): unknown {
  const isObject = typeof value === 'object' && value !== null;
  return isObject ? new Map<string, unknown>(Object.entries(value)).get(name) : undefined;
}
