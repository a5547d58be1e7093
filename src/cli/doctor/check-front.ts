/** Calls a deployment as a stranger would: nobody may get to a handler, and what refuses them is told. */
import { randomBytes } from 'node:crypto';
import { isLoopback } from '../../foundation/loopback.js';
import { GUARD_HEADER } from '../../modules/auth/public-probe.js';
import { platformOf } from '../../foundation/platform.js';
import type { Examined, Section } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

const LIMIT_MS = 15_000;

type Headers = Readonly<Record<string, string>>;

export interface Met {
  readonly status: number;
  /** Our guard's own answer; else it is that of something in front of the app. */
  readonly byGuard: boolean;
  /** Where it sends a browser to. */
  readonly location: string | undefined;
}

export const front: Section = {
  title: 'Strangers at the door',
  needs: ['AUTH_MODE', 'SERVICE_URL', 'SERVICE_ACCOUNT'],
  applies: ({ url }) => url !== undefined,
  async *findings(examined) {
    const url = examined.url ?? '';
    const { hostname, protocol } = new URL(url);
    if (protocol !== 'https:' && !isLoopback(hostname)) {
      yield fail('TLS', `${url} isn't https: whoever is on the way reads tokens`, 'Use https');
    }
    let someGotThrough = false;
    for (const [about, headers] of forgeries(examined)) {
      try {
        const met = await call(url + examined.path, headers, '{}');
        someGotThrough ||= met.byGuard;
        yield judged(about, met, examined);
      } catch (error) {
        yield fail(about, `no answer: ${reasonOf(error)}`, `Is ${url} the address?`);
        return;
      }
    }
    yield* frontAgainstMode(someGotThrough || (await isOpen(url)), examined);
    yield await producer(url, examined);
  },
};

/** Each as good as a stranger can make it: only what they can't have is missing. */
function forgeries({ settings, url }: Examined): [string, Headers][] {
  const { auth, serviceAccount, serviceUrl, queueName } = settings;
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'RS256', kid: 'doctor', typ: 'JWT' },
    {
      iss: 'https://accounts.google.com',
      aud: auth.audience ?? serviceUrl ?? url,
      email: serviceAccount,
      email_verified: true,
      sub: '1',
      iat: now,
      exp: now + 3600,
    },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const forged = `Bearer ${parts.join('.')}.${randomBytes(256).toString('base64url')}`;
  const unsigned = `Bearer ${parts.join('.')}.SIGNATURE_REMOVED_BY_GOOGLE`;
  const [queue = queueName] = auth.queues ?? [];
  return [
    ['no token', {}],
    ['an empty token', { authorization: 'Bearer' }],
    ['a forged token', { authorization: forged }],
    ['a forged token, "signature removed"', { authorization: unsigned }],
    ['the same for Cloud Run', { 'x-serverless-authorization': unsigned }],
    [
      'forged App Engine headers',
      { 'x-appengine-queuename': queue, 'x-appengine-taskname': 'doctor' },
    ],
    [
      'forged Cloud Tasks headers',
      { 'x-cloudtasks-queuename': queue, 'x-cloudtasks-taskname': 'doctor' },
    ],
  ];
}

/** @param body absent, it is a GET */
export async function call(url: string, headers: Headers, body?: string): Promise<Met> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body }),
    redirect: 'manual',
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  await response.body?.cancel();
  return {
    status: response.status,
    byGuard: response.headers.has(GUARD_HEADER),
    location: response.headers.get('location') ?? undefined,
  };
}

/** Whether a page that is no handler's is served: what refused the others was behind the front end. */
async function isOpen(url: string): Promise<boolean> {
  const met = await call(`${url}/`, {});
  return met.status < 400 && !isRefusal(met);
}

function isRefusal({ status, location }: Met): boolean {
  return status === 401 || status === 403 || isLogin(location);
}

/** Where Identity-Aware Proxy sends a browser to. */
function isLogin(location = ''): boolean {
  return location.startsWith('https://accounts.google.com/');
}

function judged(about: string, met: Met, { path }: Examined): Finding {
  const { status, byGuard, location } = met;
  if (byGuard && status === 503) {
    return warn(
      about,
      'answered 503 by the app: it can tell nobody from anybody at the moment; its log says why',
    );
  }
  if (byGuard) return ok(about, `refused by the app (${status})`);
  if (isLogin(location)) return ok(about, `sent to a login by the front end (${status})`);
  if (isRefusal(met)) return ok(about, `refused by the front end (${status})`);
  if (status === 404) {
    return warn(
      about,
      `answered 404: there is no handler at ${path}, or no way in from here`,
      'Name a handler by --path',
    );
  }
  if (status >= 200 && status < 300) {
    return fail(
      about,
      `LET IN (${status}): anybody can run this handler`,
      'Guard it by @TaskController, @Task or @UseGuards(TaskGuard), and deploy the settings that this looked at',
    );
  }
  return warn(about, `answered ${status}, which is no refusal`, 'Look at the log of the app');
}

/** What stands in front has to be what the mode relies on. */
function* frontAgainstMode(someGotThrough: boolean, examined: Examined): Iterable<Finding> {
  const { settings, variables } = examined;
  const { mode } = settings.auth;
  const about = 'front end';
  if (mode === 'cloud-run-iam') {
    yield someGotThrough
      ? fail(
          about,
          'strangers get to the app, so the service is public, and handlers are not served',
          'gcloud run services remove-iam-policy-binding SERVICE --member=allUsers --role=roles/run.invoker',
          'or set AUTH_MODE=oidc',
        )
      : ok(about, 'it lets no stranger through, as cloud-run-iam needs it');
  } else if (mode === 'oidc' && platformOf(variables) === 'cloud-run' && !someGotThrough) {
    yield warn(
      about,
      'it lets no stranger through: tokens may come without their signature, which oidc refuses',
      'Set AUTH_MODE=cloud-run-iam',
    );
  } else if (mode === 'appengine' && !someGotThrough) {
    yield warn(
      about,
      'it lets no stranger through: whether it lets tasks through, only a task can tell',
      'nest-cloud-tasks doctor --canary',
    );
  }
}

/** With a body that nothing is enqueued for, should somebody be let in. */
async function producer(url: string, { settings }: Examined): Promise<Finding> {
  const about = 'enqueuing without a credential';
  const met = await call(`${url}/add_task_app_engine`, {}, '{"doctor":true}');
  const { status } = met;
  if (isRefusal(met)) return ok(about, `refused (${status})`);
  if (status === 404) return ok(about, 'not served there (404)');
  if (status !== 400) return warn(about, `answered ${status}, which is no refusal`);
  return isLoopback(new URL(url).hostname) && settings.producer.kind === 'none'
    ? ok(about, 'let in, from this machine alone')
    : fail(
        about,
        `LET IN (${status}): anybody can run any handler with any payload`,
        'Set PRODUCER_AUTH to api-key, oidc or iap',
      );
}
