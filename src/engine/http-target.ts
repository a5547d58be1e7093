/** What a queue replaces in its HTTP tasks: checked when it is set, applied when a task is sent. */
import type {
  HttpMethod,
  HttpRequest,
  HttpTarget,
  OAuthToken,
  OidcToken,
  UriOverride,
} from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';
import { checkHeaders, checkMethod, WITH_BODY } from './task-target.js';

const FIELD = 'queue.httpTarget';

/** As it is kept: without what says nothing. Undefined when nothing is left. */
export function httpTarget(input: HttpTarget): HttpTarget | undefined {
  const { uriOverride, httpMethod, headerOverrides = [], oauthToken, oidcToken } = input;
  if (httpMethod !== undefined) checkMethod(httpMethod, `${FIELD}.httpMethod`);
  checkHeaders(
    headerOverrides.map(({ header }) => [header.key, header.value]),
    `${FIELD}.headerOverrides`,
  );
  checkToken(oauthToken, oidcToken);
  const override = uriOverride && checkedUri(uriOverride);
  const target = {
    ...(override ? { uriOverride: override } : {}),
    ...(httpMethod ? { httpMethod } : {}),
    ...(headerOverrides.length > 0 ? { headerOverrides } : {}),
    ...(oauthToken ? { oauthToken } : {}),
    ...(oidcToken ? { oidcToken } : {}),
  };
  return Object.keys(target).length > 0 ? target : undefined;
}

/** The request that is sent instead of the task's own. */
export function overridden(request: HttpRequest, target: HttpTarget | undefined): HttpRequest {
  if (!target) return request;
  const { uriOverride, httpMethod, headerOverrides = [], oauthToken, oidcToken } = target;
  const overrides = new Map(
    headerOverrides.map(({ header }) => [header.key.toLowerCase(), header]),
  );
  const kept = Object.entries(request.headers).filter(
    ([name]) => !overrides.has(name.toLowerCase()),
  );
  const sent: HttpRequest = {
    ...request,
    url: uriOverride ? overriddenUrl(request.url, uriOverride) : request.url,
    httpMethod: httpMethod ?? request.httpMethod,
    headers: Object.fromEntries([
      ...kept,
      ...[...overrides.values()].map(({ key, value }) => [key, value]),
    ]) as Record<string, string>,
  };
  if (!allowsBody(sent.httpMethod)) delete sent.body;
  if (oauthToken || oidcToken) {
    delete sent.oauthToken;
    delete sent.oidcToken;
  }
  if (oauthToken) sent.oauthToken = oauthToken;
  if (oidcToken) sent.oidcToken = oidcToken;
  return sent;
}

/**
 * The request of a task that is only a body. It gets an address of its own, so that it still has one
 * when the queue's changes to fill in less; the method is the queue's each time it is sent.
 */
export function bufferedRequest(
  { body, headers = {} }: Pick<HttpRequest, 'body'> & { headers?: Record<string, string> },
  target: HttpTarget | undefined,
): Partial<HttpRequest> & { url: string } {
  const { uriOverride } = target ?? {};
  if (!uriOverride?.host) throw refusal('NO_HTTP_TARGET', { field: 'queue' });
  const { scheme = 'HTTPS', host } = uriOverride;
  const url = overriddenUrl(`${scheme.toLowerCase()}://${host}/`, {
    ...uriOverride,
    uriOverrideEnforceMode: 'ALWAYS',
  });
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return {
    url,
    headers: isTyped ? headers : { ...headers, 'Content-Type': 'application/json' },
    ...(body ? { body } : {}),
  };
}

function overriddenUrl(text: string, override: UriOverride): string {
  const url = URL.parse(text);
  if (!url) return text;
  const { scheme, host, port, pathOverride, queryOverride } = override;
  const always = override.uriOverrideEnforceMode !== 'IF_NOT_EXISTS';
  // A task's URL always has a scheme and a host, so these never lack.
  if (scheme && always) url.protocol = scheme.toLowerCase();
  if (host !== undefined && always) url.hostname = host;
  if (port !== undefined && (always || !url.port)) url.port = port === 0 ? '' : String(port);
  const path = pathOverride?.path;
  if (path !== undefined && (always || url.pathname === '/')) url.pathname = path;
  const query = queryOverride?.queryParams;
  if (query !== undefined && (always || !url.search)) url.search = query;
  return url.href;
}

function checkedUri(input: UriOverride): UriOverride | undefined {
  const { scheme, host, port, pathOverride, queryOverride, uriOverrideEnforceMode: mode } = input;
  const field = `${FIELD}.uriOverride`;
  oneOf(scheme, ['HTTP', 'HTTPS'], `${field}.scheme`);
  oneOf(mode, ['IF_NOT_EXISTS', 'ALWAYS'], `${field}.uriOverrideEnforceMode`);
  if (host !== undefined && !isHost(host)) {
    throw refusal('OVERRIDE_HOST', { host, field: `${field}.host` });
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw refusal('OVERRIDE_PORT', { port, field: `${field}.port` });
  }
  const { path } = pathOverride ?? {};
  const { queryParams } = queryOverride ?? {};
  const override = {
    ...(scheme ? { scheme } : {}),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { pathOverride: { path } }),
    ...(queryParams === undefined ? {} : { queryOverride: { queryParams } }),
  };
  // A mode alone says nothing.
  if (Object.keys(override).length === 0) return undefined;
  return { ...override, ...(mode ? { uriOverrideEnforceMode: mode } : {}) };
}

function isHost(host: string): boolean {
  const url = URL.parse(`http://${host}`);
  // Anything but a host would end up in another part of the URL.
  return url !== null && url.host === url.hostname && !/[/?#@\\\s]|:\d*$/.test(stripped(host));
}

/** An IPv6 address has colons of its own. */
function stripped(host: string): string {
  return host.replace(/^\[[\da-f:.]+\]/i, '');
}

function checkToken(oauth: OAuthToken | undefined, oidc: OidcToken | undefined): void {
  if (oauth && oidc) {
    throw refusal('OVERRIDE_TOKENS', { field: FIELD });
  }
  if (oauth) {
    required(oauth.serviceAccountEmail, 'oauthToken.serviceAccountEmail');
    required(oauth.scope, 'oauthToken.scope');
  }
  if (oidc) {
    required(oidc.serviceAccountEmail, 'oidcToken.serviceAccountEmail');
    required(oidc.audience, 'oidcToken.audience');
  }
}

function required(value: string | undefined, part: string): void {
  if (!value) throw refusal('OVERRIDE_TOKEN_PART', { part, field: `${FIELD}.${part}` });
}

function oneOf(value: string | undefined, names: readonly string[], field: string): void {
  if (value !== undefined && !names.includes(value)) {
    throw refusal('NOT_ONE_OF', { field, names: names.join(', '), got: value });
  }
}

function allowsBody(method: HttpMethod): boolean {
  const withBody: readonly string[] = WITH_BODY.httpRequest;
  return withBody.includes(method);
}
