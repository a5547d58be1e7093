/** Where a task goes: an HTTP or an App Engine request, checked, with what production fills in. */
import type {
  AppEngineHttpRequest,
  AppEngineRouting,
  HttpMethod,
  HttpRequest,
  TaskInput,
} from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';

export const MAX_URL_LENGTH = 2083;
const MAX_HEADERS_SIZE = 80 * 1024;
const METHODS: readonly string[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
/** The methods that may have a body, by kind of target. */
export const WITH_BODY = {
  httpRequest: ['POST', 'PUT', 'PATCH'],
  appEngineHttpRequest: ['POST', 'PUT'],
} as const satisfies Record<string, readonly HttpMethod[]>;

const HTTP_USER_AGENT = 'Google-Cloud-Tasks';
export const APP_ENGINE_USER_AGENT = 'AppEngine-Google; (+http://code.google.com/appengine)';

export interface TargetRules {
  /** Whether a token may be sent to this http:// URL; production allows none. */
  readonly trustsHttp: (url: URL) => boolean;
}

/** The one request that a task has. */
export function target(
  task: TaskInput,
  project: string,
  rules: TargetRules,
): { httpRequest: HttpRequest } | { appEngineHttpRequest: AppEngineHttpRequest } {
  if (task.httpRequest && task.appEngineHttpRequest) {
    throw refusal('TWO_PAYLOADS', { field: 'task' });
  }
  if (task.httpRequest) return { httpRequest: httpRequest(task.httpRequest, rules) };
  if (!task.appEngineHttpRequest) throw refusal('NO_PAYLOAD', { field: 'task' });
  return { appEngineHttpRequest: appEngineRequest(task.appEngineHttpRequest, project) };
}

function httpRequest(
  input: NonNullable<TaskInput['httpRequest']>,
  rules: TargetRules,
): HttpRequest {
  const field = 'task.httpRequest';
  const { oidcToken, oauthToken } = input;
  if (!input.url) throw refusal('URL_MISSING', { field: `${field}.url` });
  const url = readUrl(input.url, `${field}.url`);
  if (oidcToken && oauthToken) {
    throw refusal('TWO_TOKENS', { field });
  }
  const token = oidcToken ?? oauthToken;
  if (token) {
    const which = `${field}.${oidcToken ? 'oidcToken' : 'oauthToken'}.serviceAccountEmail`;
    if (!token.serviceAccountEmail) throw refusal('TOKEN_ACCOUNT', { part: which, field: which });
    if (url.protocol !== 'https:' && !rules.trustsHttp(url)) {
      throw refusal('URL_TOKEN', { field: `${field}.url` });
    }
  }
  return {
    url: input.url,
    httpMethod: method(input, 'httpRequest'),
    headers: { ...headers(input, field, 'user-agent'), 'User-Agent': HTTP_USER_AGENT },
    ...body(input),
    ...(oidcToken ? { oidcToken } : {}),
    ...(oauthToken ? { oauthToken } : {}),
  };
}

function readUrl(text: string, field: string): URL {
  if (!/^https?:\/\//i.test(text)) {
    throw refusal('URL_SCHEME', { field });
  }
  const url = URL.parse(text);
  if (!url) throw refusal('URL_INVALID', { url: text, field });
  if (url.href.length > MAX_URL_LENGTH) {
    throw refusal('URL_LENGTH', { most: MAX_URL_LENGTH, length: url.href.length, field });
  }
  return url;
}

function appEngineRequest(
  input: NonNullable<TaskInput['appEngineHttpRequest']>,
  project: string,
): AppEngineHttpRequest {
  const field = 'task.appEngineHttpRequest';
  const relativeUri = input.relativeUri || '/';
  if (!/^\/[^\s]*$/.test(relativeUri) || relativeUri.length > MAX_URL_LENGTH) {
    throw refusal('RELATIVE_URI', {
      most: MAX_URL_LENGTH,
      uri: relativeUri.slice(0, 100),
      field: `${field}.relativeUri`,
    });
  }
  const given = headers(input, field, 'content-length');
  const names = new Map(Object.keys(given).map((name) => [name.toLowerCase(), name]));
  const agent = names.get('user-agent');
  const agents = [agent ? given[agent] : undefined, APP_ENGINE_USER_AGENT];
  const content = body(input);
  return {
    httpMethod: method(input, 'appEngineHttpRequest'),
    appEngineRouting: routed(input.appEngineRouting ?? {}, project),
    relativeUri,
    headers: {
      ...given,
      [agent ?? 'User-Agent']: agents.filter((part) => part).join(' '),
      'Content-Length': String(content.body?.length ?? 0),
      ...(content.body && !names.has('content-type')
        ? { 'Content-Type': 'application/octet-stream' }
        : {}),
    },
    ...content,
  };
}

/** The routing with its host filled in, as App Engine names it. */
export function routed(routing: AppEngineRouting, project: string): AppEngineRouting {
  const { service, version, instance } = routing;
  const parts = [instance, version, service, `${project}.appspot.com`];
  return {
    ...(service ? { service } : {}),
    ...(version ? { version } : {}),
    ...(instance ? { instance } : {}),
    host: parts.filter((part) => part).join('.'),
  };
}

function method(
  input: { httpMethod?: HttpMethod | undefined; body?: Uint8Array | undefined },
  target: keyof typeof WITH_BODY,
): HttpMethod {
  const { httpMethod = 'POST' } = input;
  checkMethod(httpMethod, `task.${target}.httpMethod`);
  const withBody: readonly string[] = WITH_BODY[target];
  if (input.body?.length && !withBody.includes(httpMethod)) {
    throw refusal('BODY_METHOD', {
      methods: withBody.join(', '),
      got: httpMethod,
      field: `task.${target}.body`,
    });
  }
  return httpMethod;
}

export function checkMethod(method: string, field: string): void {
  if (METHODS.includes(method)) return;
  throw refusal('METHOD', { methods: METHODS.join(', '), got: method, field });
}

function body(input: { body?: Uint8Array | undefined }): { body?: Uint8Array } {
  return input.body?.length ? { body: input.body } : {};
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\u{10ffff}]*$/u;

/** The headers as they came, without one that the service sets itself. */
function headers(
  input: { headers?: Record<string, string> | undefined },
  field: string,
  own: string,
): Record<string, string> {
  const given = Object.entries(input.headers ?? {});
  checkHeaders(given, `${field}.headers`);
  return Object.fromEntries(given.filter(([name]) => name.toLowerCase() !== own));
}

export function checkHeaders(headers: readonly [name: string, value: string][], field: string) {
  let size = 0;
  for (const [name, value] of headers) {
    size += name.length + value.length;
    if (!TOKEN.test(name) || !VALUE.test(value)) {
      throw refusal('HEADER', { name: name.slice(0, 100), field });
    }
  }
  if (size > MAX_HEADERS_SIZE) {
    throw refusal('HEADERS_SIZE', { most: MAX_HEADERS_SIZE, size, field });
  }
}
