/** Where a job goes: an HTTP or an App Engine request, checked, with what production fills in. */
import type { JobAppEngineTarget, JobHttpTarget, JobInput } from './cloud-scheduler-api.js';
import type { HttpMethod } from './cloud-tasks-api.js';
import { refusal } from './error-catalogue.js';
import type { TargetRules } from './task-target.js';
import { APP_ENGINE_USER_AGENT, checkHeaders, MAX_URL_LENGTH, routed } from './task-target.js';

const HTTP_METHODS: readonly HttpMethod[] = [
  ...(['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const),
];
/** App Engine takes no others from Cloud Scheduler. */
const APP_ENGINE_METHODS: readonly HttpMethod[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE'];
const WITH_BODY: readonly HttpMethod[] = ['POST', 'PUT', 'PATCH'];

const USER_AGENT = 'Google-Cloud-Scheduler';

export type JobTarget =
  { readonly httpTarget: JobHttpTarget } | { readonly appEngineHttpTarget: JobAppEngineTarget };

/** The one target that a job has. */
export function jobTarget(job: JobInput, project: string, rules: TargetRules): JobTarget {
  const { httpTarget, appEngineHttpTarget, pubsubTarget } = job;
  if (pubsubTarget) throw refusal('PUBSUB_TARGET', { field: 'job.pubsubTarget' });
  if (httpTarget && appEngineHttpTarget) throw refusal('JOB_TWO_TARGETS', { field: 'job' });
  if (httpTarget) return { httpTarget: toHttp(httpTarget, rules) };
  if (!appEngineHttpTarget) throw refusal('JOB_NO_TARGET', { field: 'job' });
  return { appEngineHttpTarget: toAppEngine(appEngineHttpTarget, project) };
}

function toHttp(input: Partial<JobHttpTarget>, rules: TargetRules): JobHttpTarget {
  const field = 'job.httpTarget';
  const { uri = '', oidcToken, oauthToken } = input;
  const url = /^https?:\/\//i.test(uri) ? URL.parse(uri) : null;
  if (!url || url.href.length > MAX_URL_LENGTH) {
    const shown = uri.slice(0, 100);
    throw refusal('JOB_URI', { uri: shown, most: MAX_URL_LENGTH, field: `${field}.uri` });
  }
  const tokens = [oidcToken, oauthToken].filter((token) => token !== undefined);
  if (tokens.length > 1 || tokens.some(({ serviceAccountEmail }) => !serviceAccountEmail)) {
    throw refusal('JOB_TOKENS', { field });
  }
  if (tokens.length > 0 && url.protocol !== 'https:' && !rules.trustsHttp(url)) {
    throw refusal('JOB_URI_TOKEN', { field: `${field}.uri` });
  }
  return {
    uri,
    httpMethod: method(input.httpMethod, HTTP_METHODS, `${field}.httpMethod`),
    ...content(input, field, USER_AGENT),
    ...(oidcToken ? { oidcToken } : {}),
    ...(oauthToken ? { oauthToken } : {}),
  };
}

function toAppEngine(input: Partial<JobAppEngineTarget>, project: string): JobAppEngineTarget {
  const field = 'job.appEngineHttpTarget';
  const relativeUri = input.relativeUri || '/';
  if (!/^\/[^\s]*$/.test(relativeUri) || relativeUri.length > MAX_URL_LENGTH) {
    const uri = relativeUri.slice(0, 100);
    throw refusal('RELATIVE_URI', { most: MAX_URL_LENGTH, uri, field: `${field}.relativeUri` });
  }
  return {
    httpMethod: method(input.httpMethod, APP_ENGINE_METHODS, `${field}.httpMethod`),
    appEngineRouting: routed(input.appEngineRouting ?? {}, project),
    relativeUri,
    ...content(input, field, APP_ENGINE_USER_AGENT),
  };
}

function method(
  given: HttpMethod | undefined,
  methods: readonly HttpMethod[],
  field: string,
): HttpMethod {
  const httpMethod = given ?? 'POST';
  if (methods.includes(httpMethod)) return httpMethod;
  throw refusal('JOB_METHOD', { methods: methods.join(', '), got: httpMethod, field });
}

function content(
  input: Partial<JobHttpTarget | JobAppEngineTarget>,
  field: string,
  userAgent: string,
): Pick<JobHttpTarget, 'headers' | 'body'> {
  const { httpMethod = 'POST', body, headers = {} } = input;
  const given = Object.entries(headers);
  checkHeaders(given, `${field}.headers`);
  if (body?.length && !WITH_BODY.includes(httpMethod)) {
    const methods = WITH_BODY.join(', ');
    throw refusal('BODY_METHOD', { methods, got: httpMethod, field: `${field}.body` });
  }
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  return {
    headers: {
      ...Object.fromEntries(given.filter(([name]) => name.toLowerCase() !== 'user-agent')),
      'User-Agent': userAgent,
      ...(body?.length && !names.has('content-type')
        ? { 'Content-Type': 'application/octet-stream' }
        : {}),
    },
    ...(body?.length ? { body } : {}),
  };
}
