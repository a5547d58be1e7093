/** Names the handler that takes a task, as its author knows it: `EmailTasks.send`. */
import type { HandlerRoute } from '../modules/tasks/rebuilt-request.js';

export interface NamedRequest {
  readonly method: string;
  /** As the app sees it, with its query; undefined where it goes elsewhere. */
  readonly path: string | undefined;
  /** The whole address, where it goes elsewhere. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @returns `EmailTasks.send`; `POST /path` of another route, `POST https://…` of another's */
export function handlerName(routes: Iterable<HandlerRoute>, request: NamedRequest): string {
  const { method, path, url } = request;
  if (path === undefined) return `${method} ${url}`;
  const [bare = ''] = path.split('?', 1);
  for (const { handler, route, versionHeader } of routes) {
    const isFor = route.handles(method) && route.match(bare) !== undefined;
    if (isFor && (!versionHeader || hasHeader(request, ...versionHeader))) return handler;
  }
  return `${method} ${bare}`;
}

function hasHeader({ headers }: NamedRequest, name: string, value: string): boolean {
  return Object.entries(headers).some(
    ([key, text]) => key.toLowerCase() === name && text === value,
  );
}
