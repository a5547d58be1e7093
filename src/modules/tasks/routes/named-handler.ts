/** Finds a handler by what people call it, and the arguments that a payload is for it. */
import { nearestName } from '../../../foundation/did-you-mean.js';
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import { printable } from '../../../foundation/printable.js';
import { kindOf } from '../calls/argument-text.js';
import type { HandlerRoute } from '../calls/rebuilt-request.js';
import type { HandlerMark } from './task-metadata.js';
import { shown } from '../unknown-option.js';

/** @throws CloudTasksError INVALID_ARGUMENT for a type that none or more than one has */
export function findHandler(
  routes: ReadonlyMap<HandlerMark, HandlerRoute>,
  type: unknown,
): HandlerRoute {
  if (typeof type !== 'string') {
    throw invalidArgument(`type: expected a handler's name, got ${shown(type)}.`, 'type');
  }
  if (routes.size === 0) {
    const message = 'This process has registered no handlers, so none can be found by its name.';
    throw new CloudTasksError('FAILED_PRECONDITION', message, { field: 'type' });
  }
  const wanted = plain(type);
  const named = [...routes].map(([mark, route]) => ({ route, names: namesOf(mark, route) }));
  const found = named.filter(({ names }) => names.includes(wanted)).map(({ route }) => route);
  const [first, ...others] = found;
  if (!first) {
    const names = named.flatMap((one) => one.names);
    const nearest = nearestName(wanted, names);
    const hint = nearest === undefined ? '.' : `; did you mean '${nearest}'?`;
    throw invalidArgument(`type: no handler is called '${printable(type)}'${hint}`, 'type');
  }
  if (others.length > 0) {
    const all = found.map(({ handler }) => handler).join(', ');
    throw invalidArgument(
      `type: '${printable(type)}' may be any of ${all}; name one of those.`,
      'type',
    );
  }
  return first;
}

/** @throws CloudTasksError INVALID_ARGUMENT for a handler that takes more than a body */
export function argumentsOf({ parameters }: HandlerRoute, payload: unknown): unknown[] {
  const args: unknown[] = [];
  const fields = new Set<string>();
  for (const { index, place, name } of parameters) {
    if (place === 'body') args[index] = payload;
    else if (place === 'body-field') {
      fields.add(name);
      args[index] = fieldOf(payload, name);
    } else {
      throw invalidArgument(
        'type: it takes more than a payload, so it can only be called by .delay.',
        'type',
      );
    }
  }
  if (parameters.some(({ place }) => place === 'body')) return args;
  const isFields = payload === undefined || kindOf(payload) === 'object';
  const unknown = isFields && Object.keys(payload ?? {}).find((name) => !fields.has(name));
  if (!isFields || unknown !== undefined) {
    const known = [...fields].join(', ') || 'nothing';
    const came = typeof unknown === 'string' ? `'${printable(unknown)}'` : kindOf(payload);
    throw invalidArgument(`payload: expected ${known}, got ${came}.`, 'payload');
  }
  return args;
}

function fieldOf(payload: unknown, name: string): unknown {
  return typeof payload === 'object' && payload !== null && Object.hasOwn(payload, name)
    ? (payload as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function namesOf({ path }: HandlerMark, { handler, route }: HandlerRoute): string[] {
  return [...new Set([...(path === undefined ? [] : [plain(path)]), plain(route.path), handler])];
}

/** Slashes at the ends say nothing. */
function plain(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}
