/** Which path runs which verb: google.api.http's rules, compiled and matched. */

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

export interface Match<Target> {
  readonly target: Target;
  readonly body: string | undefined;
  /** By the path of the field in the request: `{ 'queue.name': 'projects/…' }`. */
  readonly variables: ReadonlyMap<string, string>;
}

interface Route<Target> {
  readonly target: Target;
  readonly body: string | undefined;
  readonly method: string;
  readonly pattern: RegExp;
  readonly fields: readonly string[];
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

export class RestRoutes<Target> {
  private readonly routes: Route<Target>[] = [];

  /** Adds a rule and its additional bindings. */
  add(rule: HttpRule, target: Target): void {
    for (const method of METHODS) {
      const template = rule[method];
      if (template === undefined) continue;
      const compiled = compile(template);
      this.routes.push({ target, body: rule.body, method: method.toUpperCase(), ...compiled });
    }
    for (const binding of [rule.additional_bindings ?? []].flat()) this.add(binding, target);
  }

  /** Whether anything is served at a path, by whatever method. */
  knows(path: string): boolean {
    return this.routes.some(({ pattern }) => pattern.test(path));
  }

  /** @param path as it was sent, percent-encoded. */
  match(method: string, path: string): Match<Target> | undefined {
    for (const route of this.routes) {
      const found = route.method === method ? route.pattern.exec(path) : null;
      if (!found) continue;
      const { target, body, fields } = route;
      const values = found.slice(1).map(decodeSegments);
      return { target, body, variables: new Map(fields.map((key, i) => [key, values[i] ?? ''])) };
    }
    return undefined;
  }
}

/** `/v2/{name=projects/*}/queues:verb`, by the grammar in google/api/http.proto. */
function compile(template: string): { pattern: RegExp; fields: string[] } {
  const fields: string[] = [];
  const pattern = template
    .split(/(\{[^}]+\})/)
    .map((part) => {
      if (!part.startsWith('{')) return wildcards(part);
      const [field = '', segments = '*'] = part.slice(1, -1).split('=');
      fields.push(field);
      return `(${wildcards(segments)})`;
    })
    .join('');
  return { pattern: new RegExp(`^${pattern}$`), fields };
}

/**
 * A colon in the last segment begins a custom verb, so no `*` at the end takes it; project ids may
 * have one.
 */
function wildcards(segments: string): string {
  return segments
    .replace(/[.+?^$()|[\]\\]/g, '\\$&')
    .replace(/\*\*|\*(\/?)/g, (all, slash: string | undefined) => {
      if (all === '**') return '.+';
      return slash ? '[^/]+/' : '[^/:]+';
    });
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
