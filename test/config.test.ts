import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../src/config.js';
import { DAY, HOUR, MINUTE } from '../src/engine/time.js';

const SECRETS = `whsec_${'a'.repeat(32)}, whsec_${'b'.repeat(32)}`;

type Variables = Readonly<Record<string, string>>;

const GOOGLE: Variables = {
  TASKS_BACKEND: 'google',
  HOST: '127.0.0.1',
  PRODUCER_AUTH: 'none',
  PROJECT_ID: 'my-project',
  SERVICE_URL: 'https://app.example.com',
  SERVICE_ACCOUNT: 'tasks@my-project.iam.gserviceaccount.com',
};

const BY_IAP: Variables = {
  PRODUCER_AUTH: 'iap',
  PRODUCER_AUDIENCE: '/projects/123/apps/my-project',
};

const BY_OIDC: Variables = {
  PRODUCER_AUTH: 'oidc',
  PRODUCER_AUDIENCE: 'https://producer.example.com',
  PRODUCER_ACCOUNTS: 'billing@my-project.iam.gserviceaccount.com',
};

function refusal(variables: Variables): string {
  try {
    readSettings(variables);
  } catch (error) {
    expect((error as Error).name).toBe('SettingsError');
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error(`accepted ${JSON.stringify(variables)}`);
}

test('needs nothing for the embedded engine', () => {
  expect(readSettings({ HOME: '/root', PATH: '/bin', HOSTNAME: 'x' })).toEqual({
    host: '127.0.0.1',
    port: 8080,
    backend: {
      kind: 'embedded',
      host: '127.0.0.1',
      port: 8123,
      dataDir: './.data',
      appEngineHosts: {},
    },
    role: 'all',
    projectId: 'local',
    location: 'us-central1',
    producer: { kind: 'none' },
    queueName: 'default',
    serviceAccount: 'tasks@local',
    auth: { mode: 'local', accounts: ['tasks@local'] },
    external: { origins: 'loopback', serviceAccount: 'tasks@local' },
    relay: { queues: [], maxInflight: 500, callbackSecrets: [] },
    jobs: {
      mail: { place: { folder: '.data/mailbox' }, from: 'app@localhost', shown: true },
      records: { file: '.data/app.sqlite' },
      webhookSecrets: [],
      ages: { mails: 30 * DAY, deliveries: 30 * DAY, gone: 30 * DAY },
    },
  });
});

test('reads every setting', () => {
  const settings = readSettings({
    PORT: '0',
    HOST: 'localhost',
    ENGINE_HOST: '0.0.0.0',
    ENGINE_PORT: '9123',
    DATA_DIR: '/data',
    ENGINE_SECRET: 's'.repeat(32),
    GOOGLE_CLOUD_PROJECT: 'other',
    LOCATION: 'europe-west1',
    QUEUE_NAME: 'mine',
    ROLE: 'api',
    SERVICE_URL: 'http://127.0.0.1:8080/base/',
    SERVICE_ACCOUNT: 'a@b',
    AUTH_MODE: 'oidc',
    OIDC_AUDIENCE: 'some-audience',
    OIDC_ACCOUNTS: 'c@d, e@f;sub=123',
    OIDC_ISSUER: 'https://issuer.example',
    ALLOWED_QUEUES: 'mail, sync',
    EXTERNAL_ORIGINS:
      'https://api.example.com, https://b.example.com;audience=https://b.example.com,http://127.0.0.1:9000',
    EXTERNAL_SERVICE_ACCOUNT: 'x@y',
    APP_ENGINE_HOSTS: 'default=http://127.0.0.1:8080,worker=http://127.0.0.1:8081/',
    QUEUES_FILE: 'package.json',
    OUTBOUND_FILE: 'package.json',
    PRODUCER_AUTH: 'none',
    SMTP_URL: 'smtps://user:secret@mail.example.com',
    MAIL_FROM: 'app@example.com',
    DATABASE_URL: 'postgres://user:secret@host/db',
    SYNC_SOURCE_URL: 'https://api.example.com/customers/',
    WEBHOOK_SECRET: SECRETS,
    CLEANUP_MAILS_AFTER: '90m',
    CLEANUP_DELIVERIES_AFTER: '12h',
    CLEANUP_GONE_AFTER: '7d',
  });
  expect(settings).toEqual({
    host: 'localhost',
    port: 0,
    backend: {
      kind: 'embedded',
      host: '0.0.0.0',
      port: 9123,
      dataDir: '/data',
      secret: 's'.repeat(32),
      appEngineHosts: { default: 'http://127.0.0.1:8080', worker: 'http://127.0.0.1:8081' },
    },
    queuesFile: 'package.json',
    outboundFile: 'package.json',
    role: 'api',
    projectId: 'other',
    location: 'europe-west1',
    producer: { kind: 'none' },
    queueName: 'mine',
    serviceUrl: 'http://127.0.0.1:8080/base',
    serviceAccount: 'a@b',
    auth: {
      mode: 'oidc',
      audience: 'some-audience',
      accounts: ['c@d', { email: 'e@f', subject: '123' }],
      issuer: 'https://issuer.example',
      queues: ['mail', 'sync'],
    },
    external: {
      origins: [
        { origin: 'https://api.example.com' },
        { origin: 'https://b.example.com', audience: 'https://b.example.com' },
        { origin: 'http://127.0.0.1:9000' },
      ],
      serviceAccount: 'x@y',
    },
    relay: { queues: [], maxInflight: 500, callbackSecrets: [] },
    jobs: {
      mail: {
        place: { smtp: 'smtps://user:secret@mail.example.com' },
        from: 'app@example.com',
        shown: true,
      },
      sync: { url: 'https://api.example.com/customers/', loopback: true },
      webhookSecrets: [SECRETS.split(', ')[0], SECRETS.split(', ')[1]],
      ages: { mails: 90 * MINUTE, deliveries: 12 * HOUR, gone: 7 * DAY },
    },
  });
});

test('opens the app’s database where jobs run', () => {
  const postgres = 'postgres://user:secret@host/db';
  const records = (ROLE: string) => readSettings({ ROLE, DATABASE_URL: postgres }).jobs.records;
  expect(records('all')).toEqual({ postgres });
  expect(records('worker')).toEqual({ postgres });
  expect(records('api')).toBeUndefined();
  expect(records('relay')).toBeUndefined();
});

test('believes App Engine’s headers where App Engine is', () => {
  const onStandard = { ...GOOGLE, ...BY_IAP, GAE_ENV: 'standard' };
  expect(readSettings(onStandard).auth.mode).toBe('appengine');
  expect(readSettings({ ...onStandard, AUTH_MODE: 'oidc' }).auth.mode).toBe('oidc');
  expect(readSettings({ ...GOOGLE, ...BY_IAP, GAE_ENV: 'flex' }).auth.mode).toBe('oidc');
  expect(readSettings({ ...GOOGLE, ...BY_IAP, K_SERVICE: 'app' }).auth.mode).toBe('oidc');
});

test('sends relayed calls to relay.app.yaml’s queue on App Engine, unless it may not', () => {
  const onStandard = { ...GOOGLE, ...BY_IAP, GAE_ENV: 'standard' };
  const queues = (given: Variables) => readSettings({ ...onStandard, ...given }).relay.queues;
  expect(queues({})).toEqual(['relay']);
  expect(queues({ ALLOWED_QUEUES: 'default,relay' })).toEqual(['relay']);
  expect(queues({ ALLOWED_QUEUES: 'default' })).toEqual([]);
  expect(queues({ RELAY_QUEUES: 'long, longer' })).toEqual(['long', 'longer']);
  expect(queues({ GAE_ENV: 'flex' })).toEqual([]);
  expect(queues({ AUTH_MODE: 'oidc' })).toEqual([]);
});

test('believes Cloud Run where it is asked to, on Cloud Run alone', () => {
  const given = { ...GOOGLE, ...BY_IAP, AUTH_MODE: 'cloud-run-iam' };
  expect(readSettings({ ...given, K_SERVICE: 'app' }).auth.mode).toBe('cloud-run-iam');
  for (const platform of [
    {},
    { GAE_ENV: 'standard' },
    { K_SERVICE: 'app', TASKS_BACKEND: 'embedded' },
  ]) {
    expect(refusal({ ...given, ...platform })).toMatch(
      "AUTH_MODE: expected 'cloud-run-iam' on Cloud Run alone",
    );
  }
});

test('reads how callers show that they may enqueue', () => {
  const producer = (variables: Variables) =>
    readSettings({ HOST: '0.0.0.0', ...variables }).producer;
  expect(producer({ PRODUCER_AUTH: 'api-key', PRODUCER_KEYS_FILE: 'package.json' })).toEqual({
    kind: 'api-key',
    file: 'package.json',
  });
  const { PRODUCER_AUDIENCE: audience } = BY_OIDC;
  const oidc = { kind: 'oidc', audience, accounts: ['billing@my-project.iam.gserviceaccount.com'] };
  expect(producer(BY_OIDC)).toEqual(oidc);
  const issuer = 'http://127.0.0.1:9000';
  expect(producer({ ...BY_OIDC, PRODUCER_ISSUER: issuer })).toEqual({ ...oidc, issuer });
  expect(producer(BY_IAP)).toEqual({ kind: 'iap', audience: BY_IAP['PRODUCER_AUDIENCE'] });
  expect(producer({ ...BY_IAP, PRODUCER_ACCOUNTS: 'a@b' })).toMatchObject({ accounts: ['a@b'] });
});

test('takes an empty value for none, and PROJECT_ID before the platform’s', () => {
  const settings = readSettings({
    PORT: '',
    TASKS_BACKEND: ' ',
    PROJECT_ID: 'a',
    GOOGLE_CLOUD_PROJECT: 'b',
  });
  expect(settings).toMatchObject({ port: 8080, projectId: 'a', backend: { kind: 'embedded' } });
});

test('uses Google on loopback, with its own defaults', () => {
  expect(readSettings(GOOGLE)).toMatchObject({
    backend: { kind: 'google' },
    auth: { mode: 'oidc', accounts: [GOOGLE['SERVICE_ACCOUNT']] },
    external: { origins: [] },
  });
  const emulated = { ...GOOGLE, SERVICE_URL: 'http://127.0.0.1:8080', TASKS_BACKEND: '' };
  expect(
    readSettings({ ...emulated, CLOUD_TASKS_EMULATOR_HOST: '127.0.0.1:8123' }).backend,
  ).toEqual({
    kind: 'google',
    emulatorHost: '127.0.0.1:8123',
  });
});

describe('names the variable, what was expected, and what came', () => {
  test.each<[Variables, string]>([
    [{ PORT: '80a' }, "PORT: expected a port from 0 to 65535, got '80a'"],
    [{ PORT: '65536' }, "PORT: expected a port from 0 to 65535, got '65536'"],
    [{ PORT: '8123' }, "ENGINE_PORT: expected another port than PORT, got '8123'"],
    [{ HOST: 'http://x' }, "HOST: expected an address such as '127.0.0.1', got 'http://x'"],
    [{ TASKS_BACKEND: 'redis' }, "TASKS_BACKEND: expected one of embedded, google, got 'redis'"],
    [
      { ENGINE_SECRET: 'short' },
      'ENGINE_SECRET: expected at least 32 printable characters without spaces, got another value (not shown)',
    ],
    [
      { QUEUE_NAME: 'a_b' },
      "QUEUE_NAME: expected a queue id of 1 to 88 letters, digits and hyphens, got 'a_b'",
    ],
    [{ LOCATION: 'a/b' }, "LOCATION: expected a region such as 'us-central1', got 'a/b'"],
    [
      { SERVICE_URL: 'app.example.com' },
      "SERVICE_URL: expected the handlers' base address such as 'https://app.example.com', got 'app.example.com'",
    ],
    [
      { SERVICE_URL: 'https://u:secret@x' },
      "SERVICE_URL: expected the handlers' base address such as 'https://app.example.com', got another value (not shown)",
    ],
    [
      { SERVICE_ACCOUNT: 'me' },
      "SERVICE_ACCOUNT: expected an address such as 'tasks@my-project.iam.gserviceaccount.com', got 'me'",
    ],
    [
      { OIDC_ACCOUNTS: 'a@b;sub=x' },
      "OIDC_ACCOUNTS: expected addresses such as 'tasks@my-project.iam.gserviceaccount.com', each with ';sub=' and its numeric id or without, got 'a@b;sub=x'",
    ],
    [{ OIDC_ACCOUNTS: 'a@b,,c@d' }, "OIDC_ACCOUNTS: expected no empty item, got 'a@b,,c@d'"],
    [
      { AUTH_MODE: 'off' },
      "AUTH_MODE: expected one of local, oidc, appengine, cloud-run-iam, got 'off'",
    ],
    [
      { ALLOWED_QUEUES: 'mail,a_b' },
      "ALLOWED_QUEUES: expected a queue id of 1 to 100 letters, digits and hyphens, got 'a_b'",
    ],
    [
      { APP_ENGINE_HOSTS: 'default' },
      "APP_ENGINE_HOSTS: expected pairs such as 'default=http://127.0.0.1:8080,worker=http://127.0.0.1:8081', got 'default'",
    ],
    [
      { APP_ENGINE_HOSTS: 'a=http://x,a=http://y' },
      "APP_ENGINE_HOSTS: expected each service once, got 'a twice'",
    ],
    [
      { CLOUD_TASKS_EMULATOR_HOST: 'x:1', TASKS_BACKEND: 'embedded' },
      "CLOUD_TASKS_EMULATOR_HOST: expected nothing with TASKS_BACKEND=embedded, got 'x:1'",
    ],
    [
      { ...GOOGLE, DATA_DIR: '/x' },
      "DATA_DIR: expected nothing with TASKS_BACKEND=google, which has no embedded engine, got '/x'",
    ],
    [
      { ...GOOGLE, PROJECT_ID: '' },
      "PROJECT_ID: expected a project id such as 'my-project', got nothing",
    ],
    [
      { ...GOOGLE, SERVICE_ACCOUNT: '' },
      'SERVICE_ACCOUNT: expected the e-mail address of the service account that calls the handlers, got nothing',
    ],
    [
      { ...GOOGLE, SERVICE_URL: 'http://app.example.com' },
      "SERVICE_URL: expected an https address, since Cloud Tasks sends tokens nowhere else, got 'http://app.example.com'",
    ],
    [
      { ...GOOGLE, AUTH_MODE: 'local' },
      "AUTH_MODE: expected 'oidc' with TASKS_BACKEND=google, since 'local' trusts the embedded engine, got 'local'",
    ],
    [
      { ...GOOGLE, OIDC_ISSUER: 'http://issuer.example' },
      "OIDC_ISSUER: expected an https issuer such as 'https://accounts.google.com', got 'http://issuer.example'",
    ],
    [
      { PRODUCER_KEYS_FILE: 'no.json' },
      "PRODUCER_KEYS_FILE: expected a file that exists, got 'no.json'",
    ],
    [
      { PRODUCER_KEYS_FILE: 'package.json' },
      "PRODUCER_KEYS_FILE: expected nothing without PRODUCER_AUTH=api-key, got 'package.json'",
    ],
    [
      { ...BY_OIDC, PRODUCER_ACCOUNTS: '' },
      'PRODUCER_ACCOUNTS: expected the accounts that may enqueue, got nothing',
    ],
    [
      { ...BY_OIDC, PRODUCER_ISSUER: 'http://issuer.example' },
      "PRODUCER_ISSUER: expected an https issuer such as 'https://accounts.google.com', got 'http://issuer.example'",
    ],
    [
      { ...BY_IAP, PRODUCER_ISSUER: 'https://issuer.example' },
      "PRODUCER_ISSUER: expected nothing without PRODUCER_AUTH=oidc, got 'https://issuer.example'",
    ],
    [
      { ...GOOGLE, ...BY_OIDC, PRODUCER_AUDIENCE: 'https://app.example.com' },
      "PRODUCER_AUDIENCE: expected another audience than the handlers', got 'https://app.example.com'",
    ],
    [{ QUEUES_FILE: 'no.yaml' }, "QUEUES_FILE: expected a file that exists, got 'no.yaml'"],
    [{ PORT: 'x\n\u001b[31m' }, "PORT: expected a port from 0 to 65535, got 'x\\n\\u001b[31m'"],
  ])('%j', (variables, message) => {
    expect(refusal(variables)).toBe(message);
  });
});

describe('never fails open', () => {
  const NO_CHECK = /^PRODUCER_AUTH: expected api-key, oidc or iap, since .* could enqueue, got /;

  test.each<[Variables]>([
    [{ HOST: '0.0.0.0' }],
    [{ HOST: '::' }],
    [{ HOST: '192.168.1.2', PRODUCER_AUTH: 'none' }],
    [{ ...GOOGLE, PRODUCER_AUTH: '' }],
    [{ ...GOOGLE, HOST: '' }],
    [{ K_SERVICE: 'app' }],
    [{ GAE_ENV: 'standard' }],
    [{ CLOUD_TASKS_EMULATOR_HOST: 'x:1' }],
    // App Engine's proxy is on loopback too.
    [{ ...GOOGLE, GAE_ENV: 'standard' }],
    [{ ...GOOGLE, K_SERVICE: 'app' }],
    [{ TASKS_BACKEND: 'embedded', K_SERVICE: 'app' }],
  ])('asks who may enqueue: %j', (variables) => {
    expect(refusal(variables)).toMatch(NO_CHECK);
  });

  test.each<[Variables]>([
    [{}],
    [GOOGLE],
    [{ ...GOOGLE, ...BY_IAP, GAE_ENV: 'flex' }],
    [{ ...GOOGLE, ...BY_IAP, K_SERVICE: 'app' }],
    // Set by hand, say, after reading what the mode asks for.
    [{ ...GOOGLE, ...BY_IAP, K_SERVICE: 'app', GAE_ENV: 'standard' }],
    [{ TASKS_BACKEND: 'embedded', GAE_ENV: 'standard', ...BY_IAP }],
  ])('8: believes App Engine’s headers on its standard environment alone: %j', (variables) => {
    expect(refusal({ ...variables, AUTH_MODE: 'appengine' })).toMatch(
      /^AUTH_MODE: expected 'appengine' on App Engine standard alone/,
    );
  });

  test.each([
    'http://api.example.com',
    'https://10.0.0.1',
    'https://[fd00::1]',
    'https://169.254.169.254',
    'https://metadata',
    'https://metadata.google.internal',
    'https://metadata.goog',
    'https://a.local',
    'https://x.localhost',
  ])('refuses the external origin %s', (origin) => {
    expect(refusal({ EXTERNAL_ORIGINS: origin })).toBe(
      `EXTERNAL_ORIGINS: expected public https origins, got '${origin}'`,
    );
    expect(refusal({ ...GOOGLE, EXTERNAL_ORIGINS: 'http://127.0.0.1:9000' })).toContain(
      'public https origins',
    );
  });

  test.each([
    'api.example.com',
    'https://2852039166',
    'https://*.example.com',
    'https://api.example.com/path',
    'https://*.example.com/',
    'https://api.example.com:443',
    'https://API.example.com',
    'https://api.example.com;aud=x',
    'https://api.example.com;audience=',
    'https://api.example.com;audience=a;audience=b',
    'https://u@api.example.com',
  ])('takes no origin that is not exact: %s', (origin) => {
    expect(refusal({ EXTERNAL_ORIGINS: origin })).toMatch(
      /^EXTERNAL_ORIGINS: expected origins such as/,
    );
  });

  test.each([
    ['http://localhost:8080', 'http://127.0.0.1:8080'],
    ['http://127.0.0.1:8080', 'http://localhost:8080'],
    ['http://127.0.0.1:8080', 'http://[::1]:8080'],
    ['https://app.example.com', 'https://app.example.com:8443'],
  ])('knows its own address %s as %s too', (own, origin) => {
    expect(refusal({ SERVICE_URL: own, EXTERNAL_ORIGINS: origin })).toBe(
      `EXTERNAL_ORIGINS: expected other origins than the handlers' own, got '${origin}'`,
    );
  });

  test('calls nothing but what is named, once something is', () => {
    const { external } = readSettings({ OUTBOUND_FILE: 'package.json' });
    expect(external.origins).toEqual([]);
  });

  test('sends no token for our own handlers out', () => {
    expect(refusal({ ...GOOGLE, EXTERNAL_ORIGINS: 'https://app.example.com' })).toBe(
      "EXTERNAL_ORIGINS: expected other origins than the handlers' own, got 'https://app.example.com'",
    );
    expect(
      refusal({
        ...GOOGLE,
        OIDC_AUDIENCE: 'mine',
        EXTERNAL_ORIGINS: 'https://api.example.com;audience=mine',
      }),
    ).toContain("other audiences than the handlers' own");
  });
});

describe('STORE_URL', () => {
  const expected =
    "STORE_URL: expected a store such as 'sqlite:./.data/journal.sqlite', 'redis://host:6379/0' or 'postgres://user@host:5432/database', got ";

  test.each(['sqlite:./j.sqlite', 'redis://h:1', 'postgres://u:p@h/db'])('takes %s', (store) => {
    expect(readSettings({ STORE_URL: store }).store).toBe(store);
  });

  test('is no address of another kind', () => {
    expect(refusal({ STORE_URL: 'mysql://h/db' })).toBe(`${expected}'mysql://h/db'`);
  });

  test('is never shown with a password', () => {
    expect(refusal({ STORE_URL: 'redis://:secret@' })).toBe(`${expected}another value (not shown)`);
  });

  test('is no file on Google, unless there is an emulator on this machine', () => {
    const store = { STORE_URL: 'sqlite:./j.sqlite' };
    const needed =
      'STORE_URL: expected a server that all instances share, redis:// or postgres://, ';
    expect(refusal({ ...GOOGLE, ...store })).toBe(`${needed}on Google, got 'sqlite:./j.sqlite'`);
    const emulator = { ...GOOGLE, ...store, CLOUD_TASKS_EMULATOR_HOST: '127.0.0.1:8123' };
    expect(readSettings(emulator).store).toBe('sqlite:./j.sqlite');
    expect(refusal({ ...emulator, ...BY_IAP, K_SERVICE: 'app' })).toContain(
      'where a file vanishes',
    );
    expect(readSettings({ ...GOOGLE, STORE_URL: 'redis://10.0.0.1' }).store).toBe(
      'redis://10.0.0.1',
    );
    expect(readSettings(GOOGLE).store).toBeUndefined();
  });
});

describe('unknown names', () => {
  test.each<[string, string]>([
    ['PROJECT', 'PROJECT is not a setting, did you mean PROJECT_ID?'],
    ['QUEUE', 'QUEUE is not a setting, did you mean QUEUE_NAME?'],
    ['TASKS_BACKND', 'TASKS_BACKND is not a setting, did you mean TASKS_BACKEND?'],
    ['TASK_BACKEND', 'TASK_BACKEND is not a setting, did you mean TASKS_BACKEND?'],
    ['SERVICE_URI', 'SERVICE_URI is not a setting, did you mean SERVICE_URL?'],
    ['tasks_backend', 'tasks_backend is not a setting, did you mean TASKS_BACKEND?'],
    ['PRODCUER_AUTH', 'PRODCUER_AUTH is not a setting, did you mean PRODUCER_AUTH?'],
    ['EXTERNAL_ORIGIN', 'EXTERNAL_ORIGIN is not a setting, did you mean EXTERNAL_ORIGINS?'],
    ['DATADIR', 'DATADIR is not a setting, did you mean DATA_DIR?'],
    ['OIDC_SUBJECTS', 'OIDC_SUBJECTS is not a setting: leave it out'],
    ['ENGINE_THREADS', 'ENGINE_THREADS is not a setting: leave it out'],
  ])('refuses %s', (name, message) => {
    expect(refusal({ [name]: 'x' })).toBe(message);
  });

  test.each([
    'HOME',
    'HOSTNAME',
    'LANG',
    'PATH',
    'PWD',
    'USER',
    'SHELL',
    'TERM',
    'NODE_ENV',
    'NODE_OPTIONS',
    'npm_config_engine_strict',
    'K_SERVICE_',
    'K_REVISION',
    'K_CONFIGURATION',
    'CLOUD_RUN_JOB',
    'CLOUD_RUN_TASK_INDEX',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'GCLOUD_PROJECT',
    'GAE_SERVICE',
    'KUBERNETES_SERVICE_HOST',
    'ENGINE_SERVICE_HOST',
    'ENGINE_SERVICE_PORT_GRPC',
    'TASKS_PORT_8080_TCP_ADDR',
    'PROJECT_DIR',
    'LOGNAME',
  ])('leaves %s alone', (name) => {
    expect(readSettings({ [name]: 'x' }).port).toBe(8080);
  });

  test('leaves the links of a container alone', () => {
    expect(readSettings({ TASKS_PORT: 'tcp://10.0.0.1:80', ENGINE_NAME: '' }).port).toBe(8080);
  });
});

describe('PAYLOAD_STORE', () => {
  test.each([
    ['./.data/payloads', { folder: './.data/payloads' }],
    ['/var/payloads', { folder: '/var/payloads' }],
    ['gs://my-payloads', { bucket: 'my-payloads' }],
    ['gs://my-payloads/tasks/v1/', { bucket: 'my-payloads', prefix: 'tasks/v1' }],
  ])('%s', (text, expected) => {
    expect(readSettings({ PAYLOAD_STORE: text }).payloadStore).toEqual(expected);
  });

  test.each(['payloads', 'gs://', 'gs://UPPER', 's3://my-payloads', 'gs://my-payloads/a//b'])(
    'is not %s',
    (text) => {
      expect(refusal({ PAYLOAD_STORE: text })).toBe(
        `PAYLOAD_STORE: expected a folder such as './.data/payloads' or a bucket such as 'gs://my-payloads', got '${text}'`,
      );
    },
  );

  test('is a bucket where instances share no files', () => {
    const expected =
      "PAYLOAD_STORE: expected a bucket such as 'gs://my-payloads', which all instances share, got './p'";
    expect(refusal({ ...GOOGLE, PAYLOAD_STORE: './p' })).toBe(expected);
    const emulator = { ...GOOGLE, CLOUD_TASKS_EMULATOR_HOST: '127.0.0.1:8123' };
    expect(readSettings({ ...emulator, PAYLOAD_STORE: './p' }).payloadStore).toEqual({
      folder: './p',
    });
  });
});
