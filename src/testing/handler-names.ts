/** Names the handler that takes a task, as its author knows it: `EmailTasks.send`. */
import type { Task } from '../engine/cloud-tasks-api.js';
import type { Dispatch, DispatchTarget } from '../engine/ports.js';
import type { HandlerRoute } from '../modules/tasks/calls/rebuilt-request.js';

type NamedRequest = Pick<Dispatch, 'method' | 'target' | 'headers'>;

export class HandlerNames {
  /**
   * @param routes those of the app, once it is initialised
   * @param pathOf the path that the app sees; undefined where the target is elsewhere
   */
  constructor(
    private readonly routes: () => Iterable<HandlerRoute>,
    private readonly pathOf: (target: DispatchTarget) => string | undefined,
  ) {}

  /** @returns `EmailTasks.send`; `POST /path` of another route, `POST https://…` of another app */
  of(request: NamedRequest): string {
    const { method, target } = request;
    const path = this.pathOf(target)?.split('?', 1)[0];
    if (path === undefined) return `${method} ${target.kind === 'http' ? target.url : ''}`;
    for (const { handler, route, versionHeader } of this.routes()) {
      const isFor = route.handles(method) && route.match(path) !== undefined;
      if (isFor && (!versionHeader || hasHeader(request, ...versionHeader))) return handler;
    }
    return `${method} ${path}`;
  }

  ofTask({ httpRequest, appEngineHttpRequest }: Task): string {
    if (httpRequest) {
      const { url, httpMethod, headers } = httpRequest;
      return this.of({ method: httpMethod, target: { kind: 'http', url }, headers });
    }
    const {
      httpMethod: method = 'POST',
      relativeUri = '/',
      headers = {},
    } = appEngineHttpRequest ?? {};
    const place = { service: '', version: '', instance: '' };
    return this.of({ method, target: { kind: 'app-engine', ...place, relativeUri }, headers });
  }
}

function hasHeader({ headers }: NamedRequest, name: string, value: string): boolean {
  return Object.entries(headers).some(
    ([key, text]) => key.toLowerCase() === name && text === value,
  );
}
