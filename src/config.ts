/** Reads the environment: the one place that knows its names, defaults and rules. */
import { registerAs } from '@nestjs/config';
import { existsSync } from 'node:fs';
import { Environment } from './settings/environment.js';
import { platformOf } from './foundation/platform.js';
import type { AuthSettings } from './settings/auth.js';
import { readAuth } from './settings/auth.js';
import type { SettingName, Variables } from './settings/names.js';
import { refuseUnknownNames } from './settings/names.js';
import type { ExternalOrigins } from './settings/origins.js';
import { readAppEngineHosts, readExternalOrigins } from './settings/origins.js';
import type { JobsSettings } from './settings/jobs.js';
import { readJobs } from './settings/jobs.js';
import type { PayloadStoreSetting } from './settings/payloads.js';
import { readPayloadStore } from './settings/payloads.js';
import type { ProducerSettings } from './settings/producer.js';
import { readProducer } from './settings/producer.js';
import type { RelaySettings } from './settings/relay.js';
import { readRelay } from './settings/relay.js';
import type { NoProducers, Role } from './settings/role.js';
import { ROLES, servesProducers } from './settings/role.js';
import { readStoreUrl, STORE_URL_EXPECTED } from './foundation/store-url.js';

/** What the app runs with. Of a kind's own settings nothing is there when it isn't used. */
export interface Settings {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly backend: EmbeddedSettings | GoogleSettings;
  /** Queues to create and update at the start, on Google to compare with; absent, the default. */
  readonly queuesFile?: string;
  readonly role: Role;
  readonly projectId: string;
  readonly location: string;
  /** Who may enqueue. */
  readonly producer: ProducerSettings | NoProducers;
  /** The queue of tasks that name none. */
  readonly queueName: string;
  /** Base address of the handlers; absent, the address that the app listens on. */
  readonly serviceUrl?: string;
  /** As whom handlers are called. */
  readonly serviceAccount: string;
  readonly auth: AuthSettings;
  /** Where the journal is kept; absent, in `dataDir`, or on Google nowhere. */
  readonly store?: string;
  /** Where bodies go that are too large for a task; absent, they are refused. */
  readonly payloadStore?: PayloadStoreSetting;
  readonly external: ExternalSettings;
  readonly relay: RelaySettings;
  readonly jobs: JobsSettings;
  /** Rules for outbound calls besides those origins. */
  readonly outboundFile?: string;
}

export interface EmbeddedSettings {
  readonly kind: 'embedded';
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly dataDir: string;
  /** Absent, one is made and kept in `dataDir`. */
  readonly secret?: string;
  /** Base address by App Engine service; without `default` that is the app's own. */
  readonly appEngineHosts: Readonly<Record<string, string>>;
  /** No variable sets it: the app's engine has a thread of its own. */
  readonly thread?: 'same';
}

export interface GoogleSettings {
  readonly kind: 'google';
  /** `host:port` of a Cloud Tasks-compatible server; absent, Google's. */
  readonly emulatorHost?: string;
}

export interface ExternalSettings {
  readonly origins: ExternalOrigins;
  readonly serviceAccount: string;
}

/**
 * The settings, checked as a whole. A value that is empty counts as not set.
 *
 * @throws SettingsError naming the variable, what was expected and what came; never a secret
 */
export function readSettings(variables: Variables): Settings {
  refuseUnknownNames(variables);
  const env: Environment = new Environment(variables);
  const onGoogle =
    env.isSet('CLOUD_TASKS_EMULATOR_HOST') || !!variables['K_SERVICE'] || !!variables['GAE_ENV'];
  const kind = env.oneOf('TASKS_BACKEND', ['embedded', 'google'], onGoogle ? 'google' : 'embedded');
  const embedded = kind === 'embedded';
  const host =
    env.matching('HOST', HOST_NAME, "an address such as '127.0.0.1'") ??
    (embedded ? '127.0.0.1' : '0.0.0.0');
  const role = env.oneOf('ROLE', ROLES, 'all');
  const producer: Settings['producer'] =
    servesProducers(role) || env.isSet('PRODUCER_AUTH')
      ? readProducer(env, embedded, host, platformOf(variables))
      : { kind: 'nobody' };
  const backend = embedded ? embeddedSettings(env) : googleSettings(env);
  const port = env.port('PORT', 8080);
  if (backend.kind === 'embedded' && port !== 0 && port === backend.port) {
    env.refuse('ENGINE_PORT', 'another port than PORT', String(port));
  }
  const serviceUrl = readServiceUrl(env, backend);
  const serviceAccount = env.account('SERVICE_ACCOUNT') ?? (embedded ? 'tasks@local' : undefined);
  if (serviceAccount === undefined) {
    env.refuse(
      'SERVICE_ACCOUNT',
      'the e-mail address of the service account that calls the handlers',
    );
  }
  const emulated = backend.kind === 'google' && backend.emulatorHost !== undefined;
  const auth = readAuth(env, serviceAccount, {
    embedded,
    emulated,
    platform: platformOf(variables),
  });
  checkAudiences(env, [serviceUrl, auth.audience]);
  const payloadStore = readPayloadStore(env, isShared(backend, variables));
  const projectId = readProject(env, embedded);
  return {
    host,
    port,
    backend,
    producer,
    role,
    projectId,
    location:
      env.matching('LOCATION', /^[a-z0-9-]{1,63}$/, "a region such as 'us-central1'") ??
      'us-central1',
    queueName:
      env.matching(
        'QUEUE_NAME',
        /^[A-Za-z0-9-]{1,88}$/,
        'a queue id of 1 to 88 letters, digits and hyphens',
      ) ?? 'default',
    ...existingFile(env, 'QUEUES_FILE', 'queuesFile'),
    ...(serviceUrl === undefined ? {} : { serviceUrl }),
    serviceAccount,
    auth,
    ...readStore(env, backend, variables),
    ...(payloadStore === undefined ? {} : { payloadStore }),
    external: {
      origins: readExternalOrigins(env, embedded, [serviceUrl, auth.audience]),
      serviceAccount: env.account('EXTERNAL_SERVICE_ACCOUNT') ?? serviceAccount,
    },
    ...existingFile(env, 'OUTBOUND_FILE', 'outboundFile'),
    relay: readRelay(env, { projectId, platform: platformOf(variables), auth }),
    jobs: readJobs(env, {
      dataDir: backend.kind === 'embedded' ? backend.dataDir : undefined,
      host,
      platform: platformOf(variables),
      role,
    }),
  };
}

/** The settings of this process, for `ConfigModule` and for whoever injects `settings.KEY`. */
export const settings = registerAs('settings', () => readSettings(process.env));

/** A token that one of the two takes must not open the other. */
function checkAudiences(env: Environment, handlers: readonly (string | undefined)[]): void {
  const audience = env.text('PRODUCER_AUDIENCE');
  if (audience !== undefined && handlers.includes(audience)) {
    env.refuse('PRODUCER_AUDIENCE', "another audience than the handlers'");
  }
}

function embeddedSettings(env: Environment): EmbeddedSettings {
  if (env.isSet('CLOUD_TASKS_EMULATOR_HOST')) {
    env.refuse('CLOUD_TASKS_EMULATOR_HOST', 'nothing with TASKS_BACKEND=embedded');
  }
  const secret = env.matching(
    'ENGINE_SECRET',
    /^[\x21-\x7e]{32,512}$/,
    'at least 32 printable characters without spaces',
  );
  return {
    kind: 'embedded',
    host: env.matching('ENGINE_HOST', HOST_NAME, "an address such as '127.0.0.1'") ?? '127.0.0.1',
    port: env.port('ENGINE_PORT', 8123),
    dataDir: env.text('DATA_DIR') ?? './.data',
    ...(secret === undefined ? {} : { secret }),
    appEngineHosts: readAppEngineHosts(env),
  };
}

function googleSettings(env: Environment): GoogleSettings {
  for (const name of [
    'ENGINE_HOST',
    'ENGINE_PORT',
    'ENGINE_SECRET',
    'DATA_DIR',
    'APP_ENGINE_HOSTS',
  ] as const) {
    if (env.isSet(name))
      env.refuse(name, 'nothing with TASKS_BACKEND=google, which has no embedded engine');
  }
  const emulatorHost = env.matching(
    'CLOUD_TASKS_EMULATOR_HOST',
    /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/,
    "a host and port such as '127.0.0.1:8123'",
  );
  return { kind: 'google', ...(emulatorHost === undefined ? {} : { emulatorHost }) };
}

function existingFile<Key extends 'queuesFile' | 'outboundFile'>(
  env: Environment,
  name: SettingName,
  key: Key,
): Pick<Settings, Key> {
  const file = env.text(name);
  if (file !== undefined && !existsSync(file)) env.refuse(name, 'a file that exists');
  return (file === undefined ? {} : { [key]: file }) as Pick<Settings, Key>;
}

/** Of a store that isn't named, nothing. */
function readStore(
  env: Environment,
  backend: Settings['backend'],
  variables: Variables,
): Pick<Settings, 'store'> {
  const store = env.text('STORE_URL');
  if (store === undefined) return {};
  const place = readStoreUrl(store) ?? env.refuse('STORE_URL', STORE_URL_EXPECTED);
  const isLocal = place.kind === 'memory' || place.kind === 'sqlite';
  if (isLocal && isShared(backend, variables)) {
    const why = onPlatform(variables)
      ? 'on Cloud Run and App Engine, where a file vanishes'
      : 'on Google';
    env.refuse('STORE_URL', `a server that all instances share, redis:// or postgres://, ${why}`);
  }
  return { store };
}

/** Where files vanish with their instance. */
function onPlatform(variables: Variables): boolean {
  return !!variables['K_SERVICE'] || !!variables['GAE_ENV'];
}

/** Whether there may be instances that don't share this machine's files. */
function isShared(backend: Settings['backend'], variables: Variables): boolean {
  const onGoogle = backend.kind === 'google' && backend.emulatorHost === undefined;
  return onGoogle || onPlatform(variables);
}

function readProject(env: Environment, embedded: boolean): string {
  const expected = "a project id such as 'my-project'";
  const project =
    env.matching('PROJECT_ID', /^[A-Za-z0-9:.-]{1,100}$/, expected) ??
    env.matching('GOOGLE_CLOUD_PROJECT', /^[A-Za-z0-9:.-]{1,100}$/, expected) ??
    (embedded ? 'local' : undefined);
  return project ?? env.refuse('PROJECT_ID', expected);
}

function readServiceUrl(env: Environment, backend: Settings['backend']): string | undefined {
  const expected = "the handlers' base address such as 'https://app.example.com'";
  const url = env.url('SERVICE_URL', expected);
  if (backend.kind === 'google') {
    if (!url) env.refuse('SERVICE_URL', expected);
    if (url.protocol !== 'https:' && backend.emulatorHost === undefined) {
      env.refuse('SERVICE_URL', 'an https address, since Cloud Tasks sends tokens nowhere else');
    }
  }
  if (url?.search || url?.hash) env.refuse('SERVICE_URL', expected);
  return url?.href.replace(/\/+$/, '');
}

const HOST_NAME = /^[A-Za-z0-9.:-]{1,255}$/;
