/** A task: what a create must hold, the defaults it gets, and how it is shown. */
import type {
  AppEngineHttpRequest,
  AppEngineRouting,
  CreateTaskRequest,
  HttpMethod,
  HttpRequest,
  Task,
  TaskInput,
  View,
} from './cloud-tasks-api.js';
import { invalidArgument } from './errors.js';
import type { Random, StoredTask } from './ports.js';
import { parseQueueName, parseTaskName, taskName } from './resource-name.js';
import { MAX_TASK_SIZE, taskSize } from './task-size.js';
import type { Duration, Instant } from './time.js';
import { HOUR, MINUTE, SECOND } from './time.js';

const MAX_SCHEDULE_AHEAD: Duration = 720 * HOUR;
const DEFAULT_HTTP_DEADLINE: Duration = 10 * MINUTE;
const MAX_URL_LENGTH = 2083;
const MAX_HEADERS_SIZE = 80 * 1024;
const METHODS: readonly string[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

const HTTP_USER_AGENT = 'Google-Cloud-Tasks';
const APP_ENGINE_USER_AGENT = 'AppEngine-Google; (+http://code.google.com/appengine)';

export interface TaskRules {
  readonly now: Instant;
  readonly random: Random;
  /** Whether a token may be sent to this http:// URL; production allows none. */
  readonly trustsHttp: (url: URL) => boolean;
}

/** Checks a create and fills in what production fills in. */
export function newTask(request: CreateTaskRequest, rules: TaskRules): Omit<StoredTask, 'seq'> {
  const { parent, task } = request;
  const { now } = rules;
  const { project } = parseQueueName(parent, 'parent');
  const id = task.name === undefined ? generatedId(rules.random) : ownId(task.name, parent);
  if (task.httpRequest && task.appEngineHttpRequest) {
    throw invalidArgument('Task must have one of httpRequest and appEngineHttpRequest.', 'task');
  }
  const target = task.httpRequest
    ? { httpRequest: httpRequest(task.httpRequest, rules) }
    : { appEngineHttpRequest: appEngineRequest(task, project) };
  const stored = {
    queue: parent,
    id,
    request: { ...target, createTime: Math.floor(now / SECOND) * SECOND, ...deadline(task) },
    state: { scheduleTime: scheduleTime(task, now), ...NO_ATTEMPTS },
  };
  if (taskSize(shown({ ...stored, seq: 0 }, 'FULL')) > MAX_TASK_SIZE) {
    throw invalidArgument('Task size too large', 'task');
  }
  return stored;
}

const NO_ATTEMPTS = { dispatchCount: 0, responseCount: 0, executionCount: 0 };

/** The task as the API shows it. BASIC leaves only the body out. */
export function shown(task: StoredTask, view: View = 'BASIC'): Task {
  const { httpRequest, appEngineHttpRequest, createTime, dispatchDeadline } = task.request;
  const { scheduleTime, dispatchCount, responseCount, firstAttempt, lastAttempt } = task.state;
  return {
    name: taskName(task.queue, task.id),
    ...(httpRequest ? { httpRequest: inView(httpRequest, view) } : {}),
    ...(appEngineHttpRequest ? { appEngineHttpRequest: inView(appEngineHttpRequest, view) } : {}),
    scheduleTime,
    createTime,
    ...(dispatchDeadline === undefined ? {} : { dispatchDeadline }),
    dispatchCount,
    responseCount,
    ...(firstAttempt ? { firstAttempt } : {}),
    ...(lastAttempt ? { lastAttempt } : {}),
    view,
  };
}

function inView<Request extends { body?: Uint8Array }>(request: Request, view: View): Request {
  if (view === 'FULL') return request;
  const head = { ...request };
  delete head.body;
  return head;
}

/** How long an attempt may take. Without one App Engine's automatic scaling allows 10 minutes. */
export function dispatchDeadline(task: StoredTask): Duration {
  return task.request.dispatchDeadline ?? DEFAULT_HTTP_DEADLINE;
}

function ownId(name: string, parent: string): string {
  const { queue, id } = parseTaskName(name, 'task.name');
  if (queue !== parent) {
    throw invalidArgument(
      `The queue name from request ('${parent}') must be the same as the queue name in the named task ('${queue}').`,
      'task.name',
    );
  }
  return id;
}

/** Nineteen digits, spread evenly: sequential ids make hot spots. */
function generatedId(random: Random): string {
  const digits = (count: number) =>
    Math.floor(random() * 10 ** count)
      .toString()
      .padStart(count, '0');
  return digits(10) + digits(9);
}

function scheduleTime(task: TaskInput, now: Instant): Instant {
  const asked = task.scheduleTime;
  if (asked === undefined) return now;
  if (!Number.isSafeInteger(asked)) {
    throw invalidArgument(
      `Task.scheduleTime must be a whole number of microseconds, got ${asked}.`,
      'task.scheduleTime',
    );
  }
  if (asked > now + MAX_SCHEDULE_AHEAD) {
    throw invalidArgument(
      `The Task.scheduleTime, ${pacificTime(asked)}, is too far in the future. Schedule time must be no more than 720h in the future.`,
      'task.scheduleTime',
    );
  }
  return Math.max(asked, now);
}

/** Production writes this one time as the clocks in California show it. */
function pacificTime(instant: Instant): string {
  const parts = new Map(
    new Intl.DateTimeFormat('en-US', {
      timeZone: 'America/Los_Angeles',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    })
      .formatToParts(Math.floor(instant / 1000))
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? '';
  const offset = part('timeZoneName').replace('GMT', '');
  return `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}:${part('second')}${offset}`;
}

function deadline(task: TaskInput): { dispatchDeadline?: Duration } {
  const asked = task.dispatchDeadline;
  const [most, range] = task.httpRequest
    ? [30 * MINUTE, '[15s, 30m]']
    : [24 * HOUR + 15 * SECOND, '[15s, 24h15s]'];
  if (asked === undefined) {
    return task.httpRequest ? { dispatchDeadline: DEFAULT_HTTP_DEADLINE } : {};
  }
  // Written so that NaN fails too.
  if (!(asked >= 15 * SECOND && asked <= most)) {
    throw invalidArgument(
      `Task.dispatchDeadline must be between ${range}.`,
      'task.dispatchDeadline',
    );
  }
  return { dispatchDeadline: asked };
}

function httpRequest(input: NonNullable<TaskInput['httpRequest']>, rules: TaskRules): HttpRequest {
  const field = 'task.httpRequest';
  const { oidcToken, oauthToken } = input;
  if (!input.url) throw invalidArgument('HttpRequest.url is required.', `${field}.url`);
  const url = readUrl(input.url, `${field}.url`);
  if (oidcToken && oauthToken) {
    throw invalidArgument('HttpRequest must have at most one of oidcToken and oauthToken.', field);
  }
  const token = oidcToken ?? oauthToken;
  if (token) {
    const which = `${field}.${oidcToken ? 'oidcToken' : 'oauthToken'}.serviceAccountEmail`;
    if (!token.serviceAccountEmail) throw invalidArgument(`${which} is required.`, which);
    if (url.protocol !== 'https:' && !rules.trustsHttp(url)) {
      throw invalidArgument(
        "HttpRequest.url must start with 'https://' for request with HttpRequest.authorization_header",
        `${field}.url`,
      );
    }
  }
  return {
    url: input.url,
    httpMethod: method(input, field),
    headers: { ...headers(input, field, 'user-agent'), 'User-Agent': HTTP_USER_AGENT },
    ...body(input),
    ...(oidcToken ? { oidcToken } : {}),
    ...(oauthToken ? { oauthToken } : {}),
  };
}

function readUrl(text: string, field: string): URL {
  if (!/^https?:\/\//i.test(text)) {
    throw invalidArgument("HttpTarget.url must start with 'http://' or 'https://'.", field);
  }
  const url = URL.parse(text);
  if (!url) throw invalidArgument(`HttpRequest.url is not a valid URL, got '${text}'.`, field);
  if (url.href.length > MAX_URL_LENGTH) {
    throw invalidArgument(
      `HttpRequest.url must be at most ${MAX_URL_LENGTH} characters when encoded, got ${url.href.length}.`,
      field,
    );
  }
  return url;
}

function appEngineRequest(task: TaskInput, project: string): AppEngineHttpRequest {
  const input = task.appEngineHttpRequest;
  if (!input) throw invalidArgument('Task.payload_type is not set.', 'task');
  const field = 'task.appEngineHttpRequest';
  const relativeUri = input.relativeUri || '/';
  if (!/^\/[^\s]*$/.test(relativeUri) || relativeUri.length > MAX_URL_LENGTH) {
    throw invalidArgument(
      `AppEngineHttpRequest.relativeUri must start with '/', hold no spaces and be at most ${MAX_URL_LENGTH} characters, got '${relativeUri.slice(0, 100)}'.`,
      `${field}.relativeUri`,
    );
  }
  const given = headers(input, field, 'content-length');
  const names = new Map(Object.keys(given).map((name) => [name.toLowerCase(), name]));
  const agent = names.get('user-agent');
  const agents = [agent ? given[agent] : undefined, APP_ENGINE_USER_AGENT];
  const content = body(input);
  return {
    httpMethod: method(input, field),
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
  field: string,
): HttpMethod {
  const { httpMethod = 'POST' } = input;
  if (!METHODS.includes(httpMethod)) {
    throw invalidArgument(
      `httpMethod must be one of ${METHODS.join(', ')}, got '${httpMethod}'.`,
      `${field}.httpMethod`,
    );
  }
  if (input.body?.length && !WITH_BODY.includes(httpMethod)) {
    throw invalidArgument(
      `A body is allowed only with ${WITH_BODY.join(', ')}, got ${httpMethod}.`,
      `${field}.body`,
    );
  }
  return httpMethod;
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
  let size = 0;
  for (const [name, value] of given) {
    size += name.length + value.length;
    if (!TOKEN.test(name) || !VALUE.test(value)) {
      throw invalidArgument(
        `Header names are letters, digits and !#$%&'*+.^_\`|~-, values hold no control characters; got '${name.slice(0, 100)}'.`,
        `${field}.headers`,
      );
    }
  }
  if (size > MAX_HEADERS_SIZE) {
    throw invalidArgument(
      `Headers must be at most ${MAX_HEADERS_SIZE} bytes in total, got ${size}.`,
      `${field}.headers`,
    );
  }
  return Object.fromEntries(given.filter(([name]) => name.toLowerCase() !== own));
}
