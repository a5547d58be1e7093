/** Rebuilds, from the arguments of a handler, the request that makes its route call it with them. */
import type { HttpMethod } from '../../../engine/cloud-tasks-api.js';
import { CloudTasksError, invalidArgument } from '../../../engine/errors.js';
import { printable } from '../../../foundation/printable.js';
import { plainText } from './argument-text.js';
import { rebuildBody } from './body-forms.js';
import type { GivenArgument, RouteParameter } from './given-argument.js';
import { argumentName, fittingForm, givenArgument, inBody } from './given-argument.js';
import type { Place } from '../routes/handler-parameters.js';
import type { PathTemplate } from '../routes/path-template.js';
import { fillPath } from '../routes/path-template.js';
import type { ParseQuery } from './rebuilt-query.js';
import { rebuildQuery } from './rebuilt-query.js';
import { rebuildHeaders } from './rebuilt-headers.js';
import type { RegisteredRoute } from '../routes/registered-routes.js';
import type { VersionHeader } from '../routes/route-version.js';
import type { BaseOptions } from '../task-options.js';

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
  readonly parameters: readonly RouteParameter[];
  /** Where the version isn't in the path. */
  readonly versionHeader?: VersionHeader;
  /** The route that Express takes for a request of this method to this path. */
  readonly firstRoute: (path: string) => RegisteredRoute | undefined;
  readonly parseQuery: ParseQuery;
}

/**
 * @param validate whether the app's own pipes have to give the arguments back
 * @throws CloudTasksError INVALID_ARGUMENT naming the argument that HTTP can't carry
 */
export async function rebuildRequest(
  target: HandlerRoute,
  args: readonly unknown[],
  validate = true,
): Promise<RebuiltRequest> {
  const { handler, method, parameters } = target;
  if (args.length > parameters.length) {
    throw invalidArgument(
      `${handler} takes ${parameters.length} argument(s), got ${args.length}.`,
      `arguments[${parameters.length}]`,
    );
  }
  const given = parameters.map((parameter) => {
    const arrival = validate ? parameter.arrival : parameter.arrival.unchecked();
    return givenArgument(handler, { ...parameter, arrival }, args[parameter.index]);
  });
  const at = (...places: Place[]) => given.filter(({ place }) => places.includes(place));
  const path = await rebuildPath(target, at('path'));
  const query = await rebuildQuery(at('query', 'whole-query'), target.parseQuery);
  const headers = await rebuildHeaders(at('header', 'cookie', 'whole-cookies'));
  if (target.versionHeader) headers.set(...target.versionHeader);
  const json = await rebuildBody(at('body', 'body-field'));
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

function largest(given: readonly GivenArgument[], part: 'url' | 'body'): string {
  const [first] = given
    .filter((one) => one.value !== undefined && inBody(one) === (part === 'body'))
    .map((one) => ({ one, size: JSON.stringify(one.value).length }))
    .sort((one, other) => other.size - one.size);
  return first ? `; the largest is ${argumentName(first.one)}` : '';
}

async function rebuildPath(
  { handler, method, route, template, firstRoute }: HandlerRoute,
  given: readonly GivenArgument[],
): Promise<string> {
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
  for (const argument of given) {
    const { name, refuse } = argument;
    const text = texts.get(name) ?? '';
    // `.` and `..` are taken out of a path on its way; `a-b` in `:x-:y` may split elsewhere.
    if ((dots && /^\.+$/.test(text)) || (!dots && matched?.[name] !== text)) {
      refuse('a text that arrives the same in this path', `'${printable(text)}'`);
    }
    await fittingForm(argument, [text], (form) => form);
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
