/** Reads the settings of the relay: how many calls, as whom, and what callbacks are signed with. */
import type { Environment } from './environment.js';
import type { Platform } from '../foundation/platform.js';
import type { AuthSettings } from './auth.js';

export interface RelaySettings {
  /** Whose tasks are handled where a call may take 24 hours; calls go to the first by default. */
  readonly queues: readonly string[];
  /** Calls that one process has open at once. */
  readonly maxInflight: number;
  /** Whose ID tokens calls carry; absent, the credentials' own. */
  readonly serviceAccount?: string;
  /** Absent: Google's default, or the embedded engine's keys. */
  readonly credentials?:
    | { readonly kind: 'key'; readonly json: string }
    | { readonly kind: 'secret'; readonly name: string };
  /** The current one first; none, no callbacks. */
  readonly callbackSecrets: readonly string[];
}

interface Place {
  readonly projectId: string;
  readonly platform: Platform | undefined;
  readonly auth: Pick<AuthSettings, 'mode' | 'queues'>;
}

const DEFAULT_INFLIGHT = 500;
const MOST_INFLIGHT = 10_000;
/** A call takes two of the 4,096 connections that App Engine's proxy has. */
const MOST_ON_APP_ENGINE = 1800;

export function readRelay(env: Environment, { projectId, platform, auth }: Place): RelaySettings {
  const serviceAccount = env.account('RELAY_SERVICE_ACCOUNT');
  const credentials = readCredentials(env, projectId);
  return {
    queues: readQueues(env, auth),
    maxInflight: readInflight(env, platform),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(credentials === undefined ? {} : { credentials }),
    callbackSecrets: env.webhookSecrets('CALLBACK_SECRET'),
  };
}

/** On App Engine that of relay.app.yaml, unless its tasks would be turned away. */
function readQueues(env: Environment, { mode, queues: allowed }: Place['auth']): readonly string[] {
  const isAllowed = (id: string) => allowed?.includes(id) ?? true;
  const queues = env.queues('RELAY_QUEUES');
  if (queues?.every(isAllowed) === false) env.refuse('RELAY_QUEUES', 'queues of ALLOWED_QUEUES');
  const known = mode === 'appengine' ? ['relay'] : [];
  return queues ?? known.filter(isAllowed);
}

function readInflight(env: Environment, platform: Platform | undefined): number {
  const onAppEngine = platform?.startsWith('app-engine') ?? false;
  const most = onAppEngine ? MOST_ON_APP_ENGINE : MOST_INFLIGHT;
  const expected = `a whole number from 1 to ${most}`;
  const count = Number(
    env.matching('RELAY_MAX_INFLIGHT', /^\d{1,6}$/, expected) ?? DEFAULT_INFLIGHT,
  );
  return count >= 1 && count <= most ? count : env.refuse('RELAY_MAX_INFLIGHT', expected);
}

function readCredentials(env: Environment, project: string): RelaySettings['credentials'] {
  const json = env.text('SERVICE_CALLER_SECRET');
  const secret = env.matching(
    'SERVICE_CALLER_SECRET_NAME',
    /^(?:projects\/[A-Za-z0-9:.-]+\/secrets\/)?[A-Za-z0-9_-]{1,255}$/,
    "a secret's name such as 'service-caller', or 'projects/my-project/secrets/service-caller'",
  );
  if (json !== undefined && secret !== undefined) {
    env.refuse('SERVICE_CALLER_SECRET_NAME', 'nothing beside SERVICE_CALLER_SECRET');
  }
  if (json !== undefined) {
    if (!isKey(json)) env.refuse('SERVICE_CALLER_SECRET', "a service account's key, as its JSON");
    return { kind: 'key', json };
  }
  if (secret === undefined) return undefined;
  const name = secret.includes('/') ? secret : `projects/${project}/secrets/${secret}`;
  return { kind: 'secret', name };
}

function isKey(json: string): boolean {
  try {
    const key = JSON.parse(json) as Record<string, unknown> | null;
    return typeof key?.['client_email'] === 'string' && typeof key['private_key'] === 'string';
  } catch {
    return false;
  }
}
