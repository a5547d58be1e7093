/** Which path runs which verb: google.api.http's rules, compiled and matched. */
import type { IncomingMessage } from 'node:http';

/** google.api.HttpRule, as the protos' annotations have it. */
export interface HttpRule {
  readonly get?: string;
  readonly put?: string;
  readonly post?: string;
  readonly delete?: string;
  readonly patch?: string;
  /** The request's field that the body is; `'*'` for the request itself; absent: no body. */
  readonly body?: string;
  readonly additional_bindings?: HttpRule | readonly HttpRule[];
}

/** One request, and how it was found. */
export interface RestCall {
  readonly http: IncomingMessage;
  readonly query: URLSearchParams;
  readonly body: HttpRule['body'];
  /** By the path of the field in the request: `{ 'queue.name': 'projects/…' }`. */
  readonly variables: ReadonlyMap<string, string>;
}

/** Gives the answer's JSON. */
export type RestHandler = (call: RestCall) => unknown;

type Match = Pick<RestCall, 'body' | 'variables'> & { readonly handler: RestHandler };

interface Route {
  readonly handler: RestHandler;
  readonly body: HttpRule['body'];
  readonly method: string;
  readonly pattern: RegExp;
  readonly fields: readonly string[];
}

export const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

export class RestRoutes {
  private readonly routes: Route[] = [];

  /** Adds a rule and its additional bindings. */
  add(rule: HttpRule, handler: RestHandler): void {
    for (const method of METHODS) {
      const template = rule[method];
      if (template === undefined) continue;
      const compiled = compile(template);
      this.routes.push({ handler, body: rule.body, method: method.toUpperCase(), ...compiled });
    }
    for (const binding of [rule.additional_bindings ?? []].flat()) this.add(binding, handler);
  }

  /** @param path as it was sent, percent-encoded. */
  match(method: string, path: string): Match | undefined {
    for (const route of this.routes) {
      const found = route.method === method ? route.pattern.exec(path) : null;
      if (!found) continue;
      const { handler, body, fields } = route;
      const values = found.slice(1).map(decodeSegments);
      return { handler, body, variables: new Map(fields.map((key, i) => [key, values[i] ?? ''])) };
    }
    return undefined;
  }
}

/** `/v2/{name=projects/*}/queues:verb`, by the grammar in google/api/http.proto. */
function compile(template: string): { pattern: RegExp; fields: string[] } {
  const fields: string[] = [];
  const groups = template.replace(/\{([^=}]+)(=[^}]+)?\}/g, (_, field: string, segments = '=*') => {
    fields.push(field);
    return `(${String(segments).slice(1)})`;
  });
  // A colon in the last segment begins a custom verb; elsewhere it may be a project id's.
  const pattern = groups
    .replace(/[.]/g, '\\.')
    .replace(/\*\*/g, '.+')
    .replace(/\*(?=\)?\/)/g, '[^/]+')
    .replace(/\*/g, '[^/:]+');
  return { pattern: new RegExp(`^${pattern}$`), fields };
}

/** Decodes all but a slash, which would make two segments of one; what can't be decoded stays. */
function decodeSegments(path: string): string {
  return path.replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes.replace(/%2f/gi, '%252F'));
    } catch {
      return escapes;
    }
  });
}
