/** The request of one attempt of a job: its target, and the headers that the service adds. */
import { allowed, withoutAuthorization } from './dispatch-headers.js';
import type { Prepared } from './dispatch-headers.js';
import type { JobConfig, Ticks } from './ports.js';
import { shortId } from './resource-name.js';
import type { Instant } from './time.js';
import { MILLISECOND } from './time.js';

/** RFC 3339, but for the `T` and the `Z`. */
const UTC = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'UTC',
  dateStyle: 'short',
  timeStyle: 'medium',
});

const RESERVED = /^x-cloudscheduler(-.*)?$/i;

/** The attempt as it is to be sent, but for its token. */
export function toJobDispatch(
  job: JobConfig,
  scheduleTime: Instant,
  form: Ticks['form'] | undefined,
): Prepared {
  const { httpTarget, appEngineHttpTarget, name } = job;
  const added = {
    'X-CloudScheduler': 'true',
    'X-CloudScheduler-JobName': shortId(name),
    // Production leaves it out for App Engine's form.
    ...(form === 'groc' ? {} : { 'X-CloudScheduler-ScheduleTime': instantText(scheduleTime) }),
  };
  if (httpTarget) {
    const { uri, httpMethod, oidcToken, oauthToken, body } = httpTarget;
    const own = given(httpTarget.headers);
    const dispatch = {
      task: name,
      target: { kind: 'http' as const, url: uri },
      method: httpMethod,
      headers: { ...(oidcToken || oauthToken ? withoutAuthorization(own) : own), ...added },
      ...(body ? { body } : {}),
    };
    if (!oidcToken) return { dispatch };
    const { serviceAccountEmail: email, audience } = oidcToken;
    return { dispatch, idToken: { email, audience: audience || uri } };
  }
  if (!appEngineHttpTarget) throw new Error(`Job ${name} has no target.`);
  const { appEngineRouting: routing, relativeUri, httpMethod, body } = appEngineHttpTarget;
  const { service = '', version = '', instance = '' } = routing;
  return {
    dispatch: {
      task: name,
      target: { kind: 'app-engine', service, version, instance, relativeUri },
      method: httpMethod,
      headers: { ...given(appEngineHttpTarget.headers), ...added },
      ...(body ? { body } : {}),
    },
  };
}

function given(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(allowed(headers)).filter(([name]) => !RESERVED.test(name)),
  );
}

/** `2026-03-08T10:30:00Z` */
function instantText(instant: Instant): string {
  return `${UTC.format(instant / MILLISECOND).replace(' ', 'T')}Z`;
}
