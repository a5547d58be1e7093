/** Rebuilds, from the arguments of a handler, the request that makes its route call it with them. */
import type { HttpMethod } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../engine/errors.js';
import { printable } from '../../printable.js';
import type { Refuse } from './argument-text.js';
import { headerText, kindOf, plainText, queryTexts } from './argument-text.js';
import type { HandlerParameter } from './handler-parameters.js';
import { jsonText } from './json-body.js';
import type { PathTemplate } from './path-template.js';
import { fillPath } from './path-template.js';
import type { RegisteredRoute } from './registered-routes.js';
import type { VersionHeader } from './route-version.js';
import type { BaseOptions } from './task-options.js';

export interface RebuiltRequest {
  readonly method: HttpMethod;
  /** What is called, without its arguments: `POST /v1/tasks/:id`. */
  readonly callee: string;
  /** With the query: `/v1/tasks/42?notify=true`. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body?: Uint8Array;
  /** Says which of several arguments is the largest, for an error about the size of all. */
  largest(part: 'url' | 'body'): string;
}

/** All that start-up has found out about one handler. */
export interface HandlerRoute {
  /** `EmailTasks.send` */
  readonly handler: string;
  readonly method: HttpMethod;
  /** Of its tasks, from `forRoot`, its controller and itself. */
  readonly options: BaseOptions;
  readonly route: RegisteredRoute;
  readonly template: PathTemplate;
  readonly parameters: readonly HandlerParameter[];
  /** Where the version isn't in the path. */
  readonly versionHeader?: VersionHeader;
  /** The route that Express takes for a request of this method to this path. */
  readonly firstRoute: (path: string) => RegisteredRoute | undefined;
  /** The app's own way to read a query. */
  readonly parseQuery: (query: string) => Readonly<Record<string, unknown>>;
}

/** @throws CloudTasksError INVALID_ARGUMENT naming the argument that HTTP can't carry */
export function rebuildRequest(target: HandlerRoute, args: readonly unknown[]): RebuiltRequest {
  const { handler, method, parameters } = target;
  if (args.length > parameters.length) {
    throw invalidArgument(
      `${handler} takes ${parameters.length} argument(s), got ${args.length}.`,
      `arguments[${parameters.length}]`,
    );
  }
  const given = parameters.map((parameter) => ({
    ...parameter,
    value: args[parameter.index],
    refuse: refusal(handler, parameter),
  }));
  const at = (...places: HandlerParameter['place'][]) =>
    given.filter(({ place }) => places.includes(place));
  const path = rebuildPath(target, at('path'));
  const query = rebuildQuery(target, at('query', 'whole-query'));
  const headers = new Map<string, string>();
  for (const { name, value, refuse } of at('header')) {
    if (value !== undefined) headers.set(name.toLowerCase(), headerText(value, refuse));
  }
  if (target.versionHeader) headers.set(...target.versionHeader);
  const json = rebuildBody(at('body', 'body-field'));
  if (json !== undefined) headers.set('content-type', 'application/json');
  return {
    method,
    callee: `${method} ${target.route.path}`,
    largest: (part) => largest(given, part),
    path: query === '' ? path : `${path}?${query}`,
    headers,
    // Not Buffer.from: its bytes may lie in a shared pool, which is copied whole between threads.
    ...(json === undefined ? {} : { body: new TextEncoder().encode(json) }),
  };
}

interface Given extends HandlerParameter {
  readonly value: unknown;
  readonly refuse: Refuse;
}

const DECORATOR: Readonly<Record<HandlerParameter['place'], string>> = {
  path: '@Param',
  query: '@Query',
  'whole-query': '@Query',
  header: '@Headers',
  body: '@Body',
  'body-field': '@Body',
};

function nameOf({ index, place, name }: HandlerParameter): string {
  return `argument ${index + 1}, ${DECORATOR[place]}(${name === '' ? '' : `'${name}'`})`;
}

function largest(given: readonly Given[], part: 'url' | 'body'): string {
  const inBody = ({ place }: Given) => place === 'body' || place === 'body-field';
  const [first] = given
    .filter((one) => one.value !== undefined && inBody(one) === (part === 'body'))
    .map((one) => ({ one, size: JSON.stringify(one.value).length }))
    .sort((one, other) => other.size - one.size);
  return first ? `; the largest is ${nameOf(first.one)}` : '';
}

function refusal(handler: string, parameter: HandlerParameter): Refuse {
  return (expected, came, path = '') => {
    const where = path === '' ? '' : ` at ${path}`;
    throw invalidArgument(
      `${handler}, ${nameOf(parameter)}: expected ${expected}, got ${came}${where}.`,
      `arguments[${parameter.index}]${path}`,
    );
  };
}

function rebuildPath(
  { handler, method, route, template, firstRoute }: HandlerRoute,
  given: Given[],
): string {
  const texts = new Map(
    given.map(({ name, value, refuse }) => {
      const text = plainText(value, refuse);
      if (text === '') refuse('one character or more, for a path', 'an empty text');
      return [name, text];
    }),
  );
  const path = fillPath(template, texts);
  const matched = route.match(path);
  const dots = hasDotSegment(path);
  for (const { name, refuse } of given) {
    const text = texts.get(name) ?? '';
    // `.` and `..` are taken out of a path on its way; `a-b` in `:x-:y` may split elsewhere.
    if ((dots && /^\.+$/.test(text)) || (!dots && matched?.[name] !== text)) {
      refuse('a text that arrives the same in this path', `'${printable(text)}'`);
    }
  }
  const first = firstRoute(path);
  if (first?.callback !== route.callback) {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      `${handler}: another route takes ${method} ${path}: ${first?.path ?? 'none'}.`,
    );
  }
  return path;
}

function hasDotSegment(path: string): boolean {
  return path.split('/').some((segment) => segment === '.' || segment === '..');
}

function rebuildQuery({ parseQuery }: HandlerRoute, given: Given[]): string {
  const fields = given.flatMap((parameter) => queryFields(parameter));
  const query = fields
    .flatMap(({ name, texts }) => texts.map((text) => `${encoded(name)}=${encoded(text)}`))
    .join('&');
  const parsed = query === '' ? {} : parseQuery(query);
  for (const { name, texts, refuse } of fields) {
    const expected = texts.length === 1 ? texts[0] : texts;
    if (!Object.hasOwn(parsed, name) || JSON.stringify(parsed[name]) !== JSON.stringify(expected)) {
      refuse("what this app's query parser gives back", 'something else', `.${name}`);
    }
  }
  return query;
}

function queryFields({ place, name, value, piped, refuse }: Given) {
  if (value === undefined) return [];
  if (place === 'query') return [{ name, texts: queryTexts(value, piped, refuse), refuse }];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('an object, for a whole query', kindOf(value));
  }
  return Object.entries(value).flatMap(([field, item]: [string, unknown]) => {
    const within: Refuse = (expected, came) => refuse(expected, came, `.${field}`);
    if (!field.isWellFormed()) within('a name without lone surrogates', 'one');
    return item === undefined
      ? []
      : [{ name: field, texts: queryTexts(item, piped, within), refuse: within }];
  });
}

const encoded = encodeURIComponent;

/** @returns JSON; undefined for a handler that reads no body */
function rebuildBody(given: Given[]): string | undefined {
  const [first] = given;
  if (!first) return undefined;
  if (first.place === 'body') {
    return first.value === undefined
      ? first.refuse('a value that JSON has', 'undefined')
      : jsonText(first.value, first.refuse);
  }
  const fields = given.flatMap(({ name, value, refuse }) =>
    value === undefined ? [] : [`${JSON.stringify(name)}:${jsonText(value, refuse)}`],
  );
  return `{${fields.join(',')}}`;
}
