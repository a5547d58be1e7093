/** Reads the routes that Nest has registered with Express, instead of assembling paths again. */
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { HttpMethod } from '../../../engine/cloud-tasks-api.js';

/** A registered route: what Express does with it, as far as we need it. */
export interface RegisteredRoute {
  /** As it was registered: `/v1/tasks/:id`. */
  readonly path: string;
  /** What Nest registered, with the metadata of the method that it calls. */
  readonly callback: object;
  /** The method that a task calls it by; undefined for one that no task may have. */
  readonly method: HttpMethod | undefined;
  /** Whether it answers this method. */
  handles(method: string): boolean;
  /** The path's parameters, decoded; undefined when the route isn't for this path. */
  match(path: string): Readonly<Record<string, string | undefined>> | undefined;
}

const METHODS: Readonly<Partial<Record<RequestMethod, HttpMethod>>> = {
  [RequestMethod.ALL]: 'POST',
  [RequestMethod.POST]: 'POST',
  [RequestMethod.GET]: 'GET',
  [RequestMethod.HEAD]: 'HEAD',
  [RequestMethod.PUT]: 'PUT',
  [RequestMethod.DELETE]: 'DELETE',
  [RequestMethod.PATCH]: 'PATCH',
  [RequestMethod.OPTIONS]: 'OPTIONS',
};

/** What Express calls a layer of its router. */
interface Layer {
  readonly name: string;
  readonly route?: {
    readonly path: unknown;
    readonly methods: Readonly<Record<string, boolean>>;
    readonly stack: readonly { readonly handle: object }[];
  };
  /** Older routers put the parameters here. */
  readonly params?: Record<string, string>;
  match(path: string): boolean | { readonly params: Record<string, string> };
}

export interface ExpressApp {
  readonly router: { readonly stack: Layer[] };
  use(middleware: RequestHandler | ErrorRequestHandler): unknown;
  get(setting: 'query parser fn'): ((query: string) => Record<string, unknown>) | false | undefined;
}

/**
 * The routes of controllers in the order in which Express asks them. Others are left out: a
 * middleware for certain routes looks like one of them, and only goes on to the next.
 */
export function registeredRoutes(app: ExpressApp): RegisteredRoute[] {
  return app.router.stack.flatMap((layer) => {
    const { route } = layer;
    const callback = route?.stack[0]?.handle;
    if (!route || typeof route.path !== 'string') return [];
    if (!callback || !Reflect.hasMetadata(METHOD_METADATA, callback)) return [];
    return [
      {
        path: route.path,
        callback,
        method: METHODS[Reflect.getMetadata(METHOD_METADATA, callback) as RequestMethod],
        handles: (method: string) =>
          route.methods['_all'] === true || route.methods[method.toLowerCase()] === true,
        match: (path: string) => match(layer, path),
      },
    ];
  });
}

function match(layer: Layer, path: string): Record<string, string> | undefined {
  try {
    const result = layer.match(path);
    return typeof result === 'object' ? result.params : result ? (layer.params ?? {}) : undefined;
  } catch {
    // A percent sign that begins no escape: Express answers 400.
    return undefined;
  }
}

/** Registers a middleware before those that read the body, wherever they are by now. */
export function useBeforeBodyParsers(app: ExpressApp, middleware: RequestHandler): void {
  app.use(middleware);
  const { stack } = app.router;
  const first = stack.findIndex(
    (layer) => layer.route !== undefined || /^(json|urlencoded|text|raw)Parser$/.test(layer.name),
  );
  const [ours] = stack.splice(-1, 1);
  if (ours) stack.splice(first === -1 ? stack.length : first, 0, ours);
}
