/** Sends a real task, and asks with a real token: what no setting tells, and nobody from outside. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Settings } from '../../config.js';
import type { Task, TaskInput } from '../../engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../engine/errors.js';
import { SystemClock } from '../../host/system-clock.js';
import { reachable } from '../../foundation/loopback.js';
import { Envelope, ENVELOPE_HEADER } from '../../modules/auth/envelope.js';
import type { OpenBackend } from '../backend.js';
import { call } from './check-front.js';
import { mintToken } from './check-identity.js';
import type { Examined, Section } from './examined.js';
import { onGoogle } from './examined.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

/** Cloud Tasks dispatches within seconds; a service that is scaled to none takes longer. */
const LONGEST_WAIT_MS = 60_000;
const LOOK_EVERY_MS = 250;
const BODY = new TextEncoder().encode('{}');

export const canary: Section = {
  title: 'Canary',
  needs: ['PROJECT_ID', 'LOCATION', 'QUEUE_NAME', 'SERVICE_URL', 'SERVICE_ACCOUNT', 'AUTH_MODE'],
  applies: ({ canary: wanted }) => wanted,
  async *findings(examined) {
    yield await realTask(examined);
    const { mode, envelope } = examined.settings.auth;
    // Without a signature of ours a token alone opens nothing.
    if (onGoogle(examined) && mode !== 'appengine' && !envelope) {
      yield await realToken(examined);
    }
  },
};

async function realTask(examined: Examined): Promise<Finding> {
  const about = 'a task';
  const { settings, path } = examined;
  let name: string | undefined;
  let backend: OpenBackend | undefined;
  try {
    backend = await examined.backend();
    const parent = `${backend.location}/queues/${settings.queueName}`;
    const task = await backend.api.createTask({ parent, task: canaryTask(examined, parent) });
    ({ name } = task);
    const ended = await outcome(backend, name);
    if (ended === 'done') {
      name = undefined;
      return ok(about, `made in ${settings.queueName}, let in at ${path}, and done`);
    }
    return ended === undefined
      ? fail(about, `made in ${settings.queueName}, and not sent within 60 s: is the queue paused?`)
      : fail(
          about,
          `made in ${settings.queueName}, and refused at ${path}: ${answerOf(ended)}`,
          'The log of the app says why; of a front end that refused it, its own',
        );
  } catch (error) {
    return fail(about, `none can be made: ${reasonOf(error)}`);
  } finally {
    // Or it would be tried again for weeks.
    if (name !== undefined) await backend?.api.deleteTask({ name }).catch(() => undefined);
  }
}

/** As the app would make it, signed where its handlers ask for that. */
function canaryTask({ settings, url, path }: Examined, parent: string): TaskInput {
  const { auth, serviceUrl, serviceAccount, host, port } = settings;
  const name = `${parent}/tasks/doctor-${randomUUID()}`;
  const base = serviceUrl ?? url ?? `http://${reachable(host)}:${port}`;
  const isAppEngine = auth.mode === 'appengine' || (auth.mode === 'local' && !serviceUrl);
  const onWire = isAppEngine ? path : new URL(base + path).pathname;
  const headers = { 'Content-Type': 'application/json' };
  const request = { headers: { ...headers, ...seal(settings, name, onWire) }, body: BODY };
  if (isAppEngine) return { name, appEngineHttpRequest: { relativeUri: path, ...request } };
  const oidcToken = { serviceAccountEmail: serviceAccount, audience: auth.audience ?? base };
  return { name, httpRequest: { url: base + path, oidcToken, ...request } };
}

function seal({ auth }: Settings, name: string, path: string): Record<string, string> {
  if (!auth.envelope) return {};
  const [queue = '', , taskId = ''] = name.split('/').slice(-3);
  const task = { queue, taskId, method: 'POST', path, headers: [] };
  const now = new SystemClock().now();
  return { [ENVELOPE_HEADER]: new Envelope(auth.envelope).seal(task, BODY, now) };
}

/** `done`, the task after its first answer, or undefined when none came. */
async function outcome({ api }: OpenBackend, name: string): Promise<Task | 'done' | undefined> {
  for (let waited = 0; waited < LONGEST_WAIT_MS; waited += LOOK_EVERY_MS) {
    await pause(LOOK_EVERY_MS);
    try {
      const task = await api.getTask({ name });
      if (task.lastAttempt?.responseTime !== undefined) return task;
    } catch (error) {
      if (error instanceof CloudTasksError && error.code === 'NOT_FOUND') return 'done';
      throw error;
    }
  }
  return undefined;
}

function answerOf({ lastAttempt }: Task): string {
  const { code, message } = lastAttempt?.responseStatus ?? {};
  return message ?? `code ${String(code)}`;
}

/** In mode `oidc` only a token that has kept its signature is let in. */
export async function realToken(examined: Examined): Promise<Finding> {
  const about = 'a token';
  const { settings, path } = examined;
  const { auth, serviceUrl = '' } = settings;
  let token: string;
  try {
    token = await mintToken(examined, auth.audience ?? serviceUrl);
  } catch (error) {
    return warn(
      about,
      `none can be made (${reasonOf(error)})`,
      `gcloud iam service-accounts add-iam-policy-binding ${settings.serviceAccount} --member=${await examined.google.member()} --role=roles/iam.serviceAccountOpenIdTokenCreator`,
    );
  }
  try {
    const { status, byGuard } = await call(
      serviceUrl + path,
      { authorization: `Bearer ${token}` },
      '{}',
    );
    if (status >= 200 && status < 300) {
      return ok(
        about,
        auth.mode === 'oidc'
          ? 'let in, so it comes with its signature'
          : 'let in, by its signature or without',
      );
    }
    const who = byGuard ? 'the app: its log says why' : 'the front end';
    return fail(about, `of ${settings.serviceAccount}, refused (${status}) by ${who}`);
  } catch (error) {
    return fail(about, `no answer: ${reasonOf(error)}`);
  }
}
