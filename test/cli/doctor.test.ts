/** What the doctor finds: of a laptop, of settings that are wrong, of Google as a server on loopback plays it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DoctorOptions } from '../../src/cli/doctor/diagnose.js';
import { diagnose } from '../../src/cli/doctor/diagnose.js';
import { realToken } from '../../src/cli/doctor/check-canary.js';
import { queues } from '../../src/cli/doctor/check-queues.js';
import { GOOGLE, Google } from '../../src/cli/doctor/google.js';
import { findingLines, summary } from '../../src/cli/doctor/report.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { readAllSettings, variablesOf } from '../../src/cli/doctor/all-settings.js';
import { GUARD_HEADER } from '../../src/modules/auth/public-probe.js';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { runCli } from '../support/engine-process.js';
import { ACCESS_TOKEN, GoogleServer, METADATA_VARIABLES } from '../support/google-server.js';
import { Loopback } from '../support/loopback.js';
import { TestApp } from '../support/test-app.js';

const LOCATION = 'projects/my-project/locations/us-central1';
const SERVICE_ACCOUNT = 'tasks@my-project.iam.gserviceaccount.com';

let folder: string;
let ends: (() => Promise<unknown>)[];
let own: { readonly QUEUES_FILE: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-doctor-'));
  // In place of the app's own, which are many.
  own = { QUEUES_FILE: join(folder, 'queues.yaml') };
  writeFileSync(own.QUEUES_FILE, 'queues: { default: }\n');
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true });
});

type Found = Finding & { readonly section: string };

async function doctor(
  variables: DoctorOptions['variables'],
  more: Partial<DoctorOptions> = {},
): Promise<Found[]> {
  const found: Found[] = [];
  const options = {
    path: '/tasks/example',
    canary: false,
    ...more,
    variables: { ...own, ...variables },
  };
  for await (const { title: section, findings } of diagnose(options)) {
    found.push(...findings.map((finding) => ({ section, ...finding })));
  }
  // A line each, whatever it is of.
  for (const { text, mend } of found) expect([text, ...mend].join()).not.toContain(ACCESS_TOKEN);
  return found;
}

/** `ok DATA_DIR: it can be written` */
function lines(found: readonly Found[], about?: string | RegExp): string[] {
  return found
    .filter(
      (each) =>
        about === undefined ||
        (typeof about === 'string' ? each.about === about : about.test(each.about)),
    )
    .map(({ level, about, text }) => `${level} ${about}: ${text}`);
}

function bad(found: readonly Found[]): string[] {
  return lines(found.filter(({ level }) => level !== 'ok'));
}

function mends(found: readonly Found[], about: string): readonly string[] {
  return found.filter((each) => each.about === about).flatMap(({ mend }) => mend);
}

/** Ports that nobody takes: what is looked at is not what this test is about. */
const NO_PORTS = { PORT: '0', ENGINE_PORT: '0' };

describe('a laptop', () => {
  test('all is well before the first start, and nothing is made by looking', async () => {
    const DATA_DIR = join(folder, 'data');
    const found = await doctor({ DATA_DIR, ...NO_PORTS });
    expect(bad(found)).toEqual([]);
    expect(lines(found, 'DATA_DIR')).toEqual([
      `ok DATA_DIR: ${DATA_DIR} will be made by the first start`,
    ]);
    expect(lines(found, 'default')[0]).toMatch(/^ok default: made when the app starts/);
    expect(existsSync(DATA_DIR)).toBe(false);
  });

  test('all is well while the app runs, to a stranger at its door too, and a task gets in', async () => {
    const app = await TestApp.start();
    ends.push(() => app.close());
    const variables = {
      DATA_DIR: folder,
      PORT: new URL(app.url).port,
      ENGINE_PORT: new URL(app.engineUrl).port,
    };
    const found = await doctor(variables, { url: app.url, canary: true });
    expect(bad(found)).toEqual([]);
    expect(lines(found, /PORT|^keys|queue/)).toEqual([
      `ok ENGINE_PORT: an engine answers at 127.0.0.1:${variables.ENGINE_PORT}`,
      `ok keys: the keys of ${app.engineUrl}/jwks can be had`,
      `ok PORT: an app answers at 127.0.0.1:${variables.PORT}`,
      'ok queue default: it runs',
      'ok queue default-dead-letter: it is paused, so it keeps what failed for good',
    ]);
    expect(lines(found, /token|headers|Cloud Run/)).toEqual([
      'ok no token: refused by the app (401)',
      'ok an empty token: refused by the app (401)',
      'ok a forged token: refused by the app (401)',
      'ok a forged token, "signature removed": refused by the app (401)',
      'ok the same for Cloud Run: refused by the app (401)',
      'ok forged App Engine headers: refused by the app (401)',
      'ok forged Cloud Tasks headers: refused by the app (401)',
    ]);
    expect(lines(found, 'enqueuing without a credential')).toEqual([
      'ok enqueuing without a credential: let in, from this machine alone',
    ]);
    expect(lines(found, 'a task')).toEqual([
      'ok a task: made in default, let in at /tasks/example, and done',
    ]);
    const { tasks } = await app.api.listTasks({ parent: app.queueName() });
    expect(tasks).toEqual([]);
  });

  test('a canary is signed where handlers take only what is', async () => {
    const ENVELOPE_SECRET = 'a-secret-of-this-test-that-is-long-enough';
    const app = await TestApp.start({ ENVELOPE_SECRET });
    ends.push(() => app.close());
    const ports = { PORT: new URL(app.url).port, ENGINE_PORT: new URL(app.engineUrl).port };
    const found = await doctor(
      { DATA_DIR: folder, ENVELOPE_SECRET, ...ports },
      { url: app.url, canary: true },
    );
    expect(bad(found)).toEqual([]);
    expect(lines(found, 'a task')).toHaveLength(1);
    expect(JSON.stringify(found)).not.toContain(ENVELOPE_SECRET);
  });

  test('a canary that fails is told of, and taken away', async () => {
    const app = await TestApp.start();
    ends.push(() => app.close());
    const ports = { PORT: new URL(app.url).port, ENGINE_PORT: new URL(app.engineUrl).port };
    const found = await doctor(
      { DATA_DIR: folder, ...ports },
      { url: app.url, canary: true, path: '/nothing-here' },
    );
    expect(lines(found, 'a task')[0]).toMatch(
      /^fail a task: made in default, and refused at \/nothing-here: /,
    );
    expect(lines(found, 'no token')[0]).toMatch(/^warn no token: answered 404/);
    const { tasks } = await app.api.listTasks({ parent: app.queueName() });
    expect(tasks).toEqual([]);
  });

  test('secrets that others can read, a folder that nobody can write, and ports that are taken', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'engine-secret'), 'x', { mode: 0o644 });
    chmodSync(join(data, 'engine-secret'), 0o644);
    writeFileSync(join(folder, 'file'), '');
    const loopback = new Loopback();
    ends.push(() => loopback.close());
    const other = new URL(await loopback.http((_, response) => response.end('hello'))).port;
    const silent = new URL(await loopback.bytes((_, socket) => socket.end('220 mail ready'))).port;
    const found = await doctor({ DATA_DIR: data, ENGINE_PORT: other, PORT: silent });
    expect(bad(found)).toEqual([
      "fail engine-secret: other users can read it (mode 0644), so the engine doesn't start",
      `fail ENGINE_PORT: something else answers at 127.0.0.1:${other}`,
      `fail PORT: ${silent} on 127.0.0.1 can't be taken (EADDRINUSE)`,
    ]);
    expect(mends(found, 'engine-secret')).toEqual([`chmod 600 ${join(data, 'engine-secret')}`]);
    const inFile = await doctor({ DATA_DIR: join(folder, 'file', 'data'), ...NO_PORTS });
    expect(bad(inFile)[0]).toMatch(/^fail DATA_DIR: .*file can't be written/);
  });

  test('an engine that is open to others, and one that keeps nothing', async () => {
    const found = await doctor({ DATA_DIR: ':memory:', ENGINE_HOST: '0.0.0.0', ...NO_PORTS });
    expect(found.filter(({ level }) => level === 'warn').map(({ about }) => about)).toEqual([
      'DATA_DIR',
      'ENGINE_HOST',
    ]);
  });

  test('stores that cannot be reached', async () => {
    const found = await doctor({
      ...NO_PORTS,
      DATA_DIR: folder,
      STORE_URL: 'redis://user:hunter2@127.0.0.1:1/0',
      PAYLOAD_STORE: join(folder, 'payloads'),
    });
    expect(bad(found)).toHaveLength(1);
    expect(bad(found)[0]).toMatch(/^fail STORE_URL: /);
    expect(JSON.stringify(found)).not.toContain('hunter2');
    expect(existsSync(join(folder, 'payloads'))).toBe(false);
  });
});

describe('settings that are wrong', () => {
  test('all of them at once, without their secrets; what follows from them is left out', async () => {
    const found = await doctor({
      TASKS_BACKEND: 'google',
      PORT: '99999',
      QUEU_NAME: 'mail',
      EXTERNAL_ORIGINS: 'http://x.org',
      ENGINE_SECRET: 'hunter2-hunter2',
      OIDC_ACCOUNTS: 'nobody',
    });
    const wrong = found.filter(({ level }) => level === 'fail').map(({ about }) => about);
    expect(new Set(wrong)).toEqual(
      new Set([
        ...['PORT', 'QUEU_NAME', 'EXTERNAL_ORIGINS', 'ENGINE_SECRET', 'OIDC_ACCOUNTS'],
        ...['PRODUCER_AUTH', 'SERVICE_URL', 'SERVICE_ACCOUNT', 'PROJECT_ID'],
      ]),
    );
    expect(lines(found, 'QUEU_NAME')).toEqual([
      'fail QUEU_NAME: QUEU_NAME is not a setting, did you mean QUEUE_NAME?',
    ]);
    const left = found.filter(({ about }) => about === 'not checked').map(({ section }) => section);
    expect(left).toContain('Identity on Google Cloud');
    expect(JSON.stringify(found)).not.toMatch(/hunter2|doctor\.invalid/);
  });

  test.each([
    [{ HOST: '0.0.0.0' }, 'PRODUCER_AUTH'],
    [{ HOST: '0.0.0.0', PRODUCER_KEYS_FILE: 'package.json' }, 'PRODUCER_AUTH'],
    [{ PRODUCER_AUTH: 'oidc' }, 'PRODUCER_AUDIENCE PRODUCER_ACCOUNTS'],
    [{ AUTH_MODE: 'appengine' }, 'AUTH_MODE'],
    [{ PRODUCER_AUTH: 'api-key', PRODUCER_KEYS_FILE: '/none.json' }, 'PRODUCER_KEYS_FILE'],
    [{ PORT: '8123', ENGINE_PORT: '' }, 'ENGINE_PORT'],
    [{ STORE_URL: 'mysql://x' }, 'STORE_URL'],
  ])('%j: %s alone', async (variables, expected) => {
    const found = await doctor({ DATA_DIR: folder, ...NO_PORTS, ...variables });
    const wrong = found.filter(({ section }) => section === 'Settings');
    expect(wrong.map(({ about }) => about).join(' ')).toBe(expected);
    // All else is looked at nevertheless.
    expect(found.map(({ section }) => section)).toContain('Queues');
  });

  test('of a file, under those of the shell', () => {
    const file = join(folder, 'prod.env');
    writeFileSync(file, 'PORT=1\nQUEUE_NAME="mail" # the one\n');
    expect(variablesOf({ PORT: '2' }, file)).toEqual({ PORT: '2', QUEUE_NAME: 'mail' });
  });
});

describe('on Google', () => {
  let google: GoogleServer;
  let engine: RunningEngine;
  const before = { ...process.env };
  beforeEach(async () => {
    google = await GoogleServer.start();
    ends.push(() => google.close());
    google.accounts.set(SERVICE_ACCOUNT, {});
    // Plays Cloud Tasks.
    engine = await startEngine({ dataDir: ':memory:', port: 0 });
    ends.push(() => engine.close());
    Object.assign(process.env, METADATA_VARIABLES(google.url));
  });
  afterEach(() => {
    for (const name of Object.keys(METADATA_VARIABLES('http://a'))) {
      // Empty is as if it weren't there.
      process.env[name] = before[name] ?? '';
    }
  });

  const SETTINGS = {
    TASKS_BACKEND: 'google',
    PROJECT_ID: 'my-project',
    SERVICE_URL: 'https://app.example.com',
    SERVICE_ACCOUNT,
    PRODUCER_AUTH: 'oidc',
    PRODUCER_AUDIENCE: 'callers',
    PRODUCER_ACCOUNTS: 'caller@my-project.iam.gserviceaccount.com',
  };

  async function on(variables: Record<string, string> = {}, more: Partial<DoctorOptions> = {}) {
    const cloudTasks = new URL(engine.url).host;
    return doctor(
      { ...SETTINGS, ...variables },
      { addresses: { ...google.addresses, cloudTasks }, ...more },
    );
  }

  async function create(id: string, maxAttempts = -1) {
    const name = `${LOCATION}/queues/${id}`;
    await engine.api.createQueue({
      parent: LOCATION,
      queue: { name, retryConfig: { maxAttempts } },
    });
    return name;
  }

  async function createBoth(id = 'default') {
    await create(id);
    await engine.api.pauseQueue({ name: await create(`${id}-dead-letter`) });
  }

  test('a deployment that is well', async () => {
    await createBoth();
    const found = await on();
    expect(bad(found)).toEqual([
      'warn STORE_URL: none: no idempotent handlers, no Idempotency-Key, no status of tasks that ended',
    ]);
    expect(lines(found, /credentials|@|tokens/)).toEqual([
      `ok handlers' tokens: the keys of ${google.url}/certs can be had`,
      `ok callers' tokens: the keys of ${google.url}/certs can be had`,
      `ok credentials: ${google.self}: what follows is what they may do`,
      `ok ${SERVICE_ACCOUNT}: it exists`,
      `ok ${SERVICE_ACCOUNT}: tasks that carry its token may be made (actAs)`,
      `ok ${SERVICE_ACCOUNT}: it can be impersonated (getOpenIdToken)`,
    ]);
    expect(lines(found, /^queue/)).toEqual([
      'ok queue default: it runs',
      'ok queue default: it may be used as it must be',
      'ok queue default-dead-letter: it is paused, so it keeps what failed for good',
      'ok queue default-dead-letter: it may be used as it must be',
    ]);
  });

  test('queues that are missing, paused, running or end tasks by themselves', async () => {
    await create('mail', 5);
    await create('mail-dead-letter');
    await engine.api.pauseQueue({ name: await create('sync') });
    const found = await on({ ALLOWED_QUEUES: 'default,mail,sync' });
    expect(bad(found).filter((line) => line.includes(' queue '))).toEqual([
      'fail queue default: it is missing, so no task can be made in it',
      'fail queue default-dead-letter: it is missing, so what fails for good is tried again and again',
      "warn queue mail: it runs, and drops a task after 5 attempts, which a handler's maxAttempts would park",
      'fail queue mail-dead-letter: it is not paused, so it sends what failed for good once more',
      'warn queue sync: it is paused, so its tasks wait',
      'fail queue sync-dead-letter: it is missing, so what fails for good is tried again and again',
    ]);
    const args = '--project=my-project --location=us-central1';
    expect(mends(found, 'queue default-dead-letter')).toEqual([
      `gcloud tasks queues create default-dead-letter ${args} --max-attempts=-1`,
      `gcloud tasks queues pause default-dead-letter ${args}`,
    ]);
    expect(mends(found, 'queue sync')).toEqual([`gcloud tasks queues resume sync ${args}`]);
  });

  test('queues that whoever asks may not use', async () => {
    await createBoth();
    const api = Object.assign(Object.create(engine.api) as typeof engine.api, {
      testIamPermissions: () => Promise.resolve({ permissions: ['cloudtasks.tasks.get'] }),
      close: () => Promise.resolve(),
    });
    const { settings } = readAllSettings({ ...SETTINGS, ...own });
    if (!settings) throw new Error('They are right.');
    const found: Found[] = [];
    for await (const finding of queues.findings({
      settings,
      variables: SETTINGS,
      google: new Google({ ...GOOGLE, ...google.addresses }, 'my-project'),
      path: '/',
      canary: false,
      backend: () =>
        Promise.resolve({ api, location: LOCATION, where: 'Google Cloud Tasks', isGoogle: true }),
    })) {
      found.push({ section: queues.title, ...finding });
    }
    const who = `serviceAccount:${google.self}`;
    expect(bad(found)).toEqual([
      `fail queue default: ${who} may not make tasks in it (no cloudtasks.tasks.create)`,
      `warn queue default: ${who} has not tasks.delete: cancelling tasks won't work`,
      `fail queue default-dead-letter: ${who} may not make tasks in it (no cloudtasks.tasks.create)`,
      `warn queue default-dead-letter: ${who} has not tasks.list, tasks.fullView, tasks.delete: listing dead letters, redriving dead letters, redriving and discarding dead letters won't work`,
    ]);
    const binding = (id: string, role: string) =>
      `gcloud tasks queues add-iam-policy-binding ${id} --project=my-project --location=us-central1 --member=${who} --role=roles/cloudtasks.${role}`;
    expect(mends(found, 'queue default')).toEqual([
      binding('default', 'enqueuer'),
      binding('default', 'taskDeleter'),
    ]);
    expect(mends(found, 'queue default-dead-letter')).toEqual(
      ['enqueuer', 'viewer', 'taskDeleter'].map((role) => binding('default-dead-letter', role)),
    );
  });

  test('a canary: a task that is sent, and a token that the handler takes, or somebody refuses', async () => {
    await createBoth();
    const loopback = new Loopback();
    ends.push(() => loopback.close());
    let status = 200;
    const came: string[] = [];
    const url = await loopback.http(({ headers }, response) => {
      came.push(String(headers.authorization));
      response.writeHead(status).end();
    });
    // Of an address on loopback, as an emulator allows it.
    const variables = { SERVICE_URL: url, CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host };
    await engine.dispatch({ default: url });
    const found = await on(variables, { canary: true });
    expect(lines(found, 'a task')).toEqual([
      'ok a task: made in default, let in at /tasks/example, and done',
    ]);
    const token = async () => {
      const { settings } = readAllSettings({ ...SETTINGS, ...variables });
      if (settings?.backend.kind !== 'google') throw new Error('They are right.');
      const finding = await realToken({
        settings,
        variables: {},
        google: new Google({ ...GOOGLE, ...google.addresses }, 'my-project'),
        path: '/tasks/example',
        canary: true,
        backend: () => Promise.reject(new Error('not asked for')),
      });
      return `${finding.level} ${finding.text}`;
    };
    expect(await token()).toBe('ok let in, so it comes with its signature');
    expect(came.at(-1)).toBe(`Bearer ${google.minted.get(url) ?? ''}`);
    status = 401;
    expect(await token()).toBe(`fail of ${SERVICE_ACCOUNT}, refused (401) by the front end`);
    google.accountPermissions = [];
    expect(await token()).toBe('warn none can be made (403: getOpenIdToken denied)');
  });

  test('a service account that is missing, disabled, hidden, of another project, or not to be used', async () => {
    await createBoth();
    google.accounts.clear();
    expect(lines(await on(), SERVICE_ACCOUNT)).toEqual([
      `fail ${SERVICE_ACCOUNT}: there is no such service account, so no task can be made that carries its token`,
    ]);
    google.accounts.set(SERVICE_ACCOUNT, { disabled: true });
    google.accountPermissions = [];
    const disabled = await on();
    expect(bad(disabled).filter((line) => line.includes(SERVICE_ACCOUNT))).toEqual([
      `fail ${SERVICE_ACCOUNT}: it is disabled, so tasks that carry its token fail`,
      `fail ${SERVICE_ACCOUNT}: serviceAccount:${google.self} may not make tasks that carry its token (no iam.serviceAccounts.actAs)`,
    ]);
    expect(mends(disabled, SERVICE_ACCOUNT)).toContain(
      `gcloud iam service-accounts add-iam-policy-binding ${SERVICE_ACCOUNT} --member=serviceAccount:${google.self} --role=roles/iam.serviceAccountUser`,
    );
    google.accounts.set(SERVICE_ACCOUNT, 'hidden');
    expect(bad(await on()).filter((line) => line.includes(SERVICE_ACCOUNT))).toEqual([
      `warn ${SERVICE_ACCOUNT}: it can't be seen (403: Permission iam.serviceAccounts.get denied)`,
      `warn ${SERVICE_ACCOUNT}: nobody can tell what may be done with it (403: Permission iam.serviceAccounts.get denied)`,
    ]);
    google.accountPermissions = ['iam.serviceAccounts.actAs'];
    google.accounts.set('t@elsewhere.iam.gserviceaccount.com', {});
    const elsewhere = await on({ SERVICE_ACCOUNT: 't@elsewhere.iam.gserviceaccount.com' });
    expect(bad(elsewhere).join()).toContain('it is of the project elsewhere');
  });

  test('the account of tasks for other servers, and the audiences that they share', async () => {
    await createBoth();
    const found = await on({
      EXTERNAL_ORIGINS: 'https://a.example.com;audience=x,https://b.example.com;audience=x',
    });
    expect(bad(found).filter((line) => /EXTERNAL|audience/.test(line))).toEqual([
      'warn audience: two origins get tokens for x, so each could use them at the other',
      expect.stringMatching(/^warn EXTERNAL_SERVICE_ACCOUNT: /),
    ]);
  });

  test('the account that relayed calls are made as', async () => {
    await createBoth();
    const relay = 'relay@my-project.iam.gserviceaccount.com';
    google.accounts.set(relay, {});
    google.accountPermissions = ['iam.serviceAccounts.actAs'];
    const found = await on({ RELAY_SERVICE_ACCOUNT: relay });
    expect(bad(found).filter((line) => line.includes(relay))).toEqual([
      `fail ${relay}: serviceAccount:${google.self} may not make its tokens, which relayed calls carry (no iam.serviceAccounts.getOpenIdToken)`,
    ]);
    google.accountPermissions = ['iam.serviceAccounts.getOpenIdToken'];
    const minting = await on({ RELAY_SERVICE_ACCOUNT: relay });
    expect(bad(minting).filter((line) => line.includes(relay))).toEqual([]);
  });

  test('a bucket that is missing, and one that may not be written', async () => {
    await createBoth();
    const variables = { PAYLOAD_STORE: 'gs://my-payloads' };
    expect(lines(await on(variables), 'PAYLOAD_STORE')).toEqual([
      'fail PAYLOAD_STORE: there is no bucket my-payloads',
    ]);
    google.buckets.set('my-payloads', ['storage.objects.get', 'storage.objects.list']);
    expect(lines(await on(variables), 'PAYLOAD_STORE')[0]).toContain(
      'has not storage.objects.create, storage.objects.delete on gs://my-payloads',
    );
    google.buckets.set(
      'my-payloads',
      ['create', 'get', 'list', 'delete'].map((verb) => `storage.objects.${verb}`),
    );
    expect(lines(await on(variables), 'PAYLOAD_STORE')).toEqual([
      'ok PAYLOAD_STORE: gs://my-payloads can be written and read',
    ]);
  });

  test('keys that cannot be had, and no credentials', async () => {
    await createBoth();
    const found = await on(
      {},
      {
        addresses: {
          ...google.addresses,
          cloudTasks: new URL(engine.url).host,
          keys: `${google.url}/none`,
        },
      },
    );
    expect(lines(found, "handlers' tokens")[0]).toMatch(/^fail handlers' tokens: .* answered 401/);
    process.env['GCE_METADATA_HOST'] = '127.0.0.1:1';
    expect(bad(await on()).join('\n')).toMatch(/fail credentials: there are none that work/);
  });

  test('accounts and queues that shut out our own tasks', async () => {
    await createBoth();
    await createBoth('mail');
    const found = await on({
      OIDC_ACCOUNTS: 'other@my-project.iam.gserviceaccount.com',
      ALLOWED_QUEUES: 'mail',
    });
    expect(bad(found).filter((line) => /OIDC_ACCOUNTS|ALLOWED/.test(line))).toEqual([
      `warn OIDC_ACCOUNTS: ${SERVICE_ACCOUNT} is not among them, so handlers refuse the tasks that this app makes`,
      'warn ALLOWED_QUEUES: default is not among them, so handlers refuse tasks that name no queue',
    ]);
  });

  test('the guard against the platform', async () => {
    await createBoth();
    const modeOn = async (variables: Record<string, string>) =>
      lines(await on(variables), 'AUTH_MODE')[0];
    expect(await modeOn({ K_SERVICE: 'app' })).toMatch(/^ok AUTH_MODE: oidc on Cloud Run/);
    expect(await modeOn({ K_SERVICE: 'app', AUTH_MODE: 'cloud-run-iam' })).toMatch(
      /^warn .* requires authentication/,
    );
    expect(await modeOn({ GAE_ENV: 'standard' })).toMatch(
      /^ok AUTH_MODE: appengine on App Engine standard/,
    );
    expect(await modeOn({ GAE_ENV: 'standard', AUTH_MODE: 'oidc' })).toMatch(
      /^warn .* carry no token/,
    );
    expect(await modeOn({ GAE_ENV: 'flex' })).toMatch(/^ok AUTH_MODE: oidc on App Engine flexible/);
    expect(await modeOn({})).toMatch(/^ok AUTH_MODE: oidc: .*K_SERVICE or GAE_ENV/);
  });

  describe('strangers at the door', () => {
    type Answer = (
      headers: Readonly<Record<string, unknown>>,
    ) => readonly [number, Record<string, string>?];
    /** A front end, or an app, that answers so. */
    async function deployed(answer: Answer): Promise<string> {
      const loopback = new Loopback();
      ends.push(() => loopback.close());
      return loopback.http(({ headers, url }, response) => {
        const [status, more = {}] =
          url === '/add_task_app_engine' ? ([401] as const) : answer(headers);
        response.writeHead(status, more).end();
      });
    }
    const IAM = { K_SERVICE: 'app', AUTH_MODE: 'cloud-run-iam' };
    const APP = { [GUARD_HEADER]: 'refused' };
    const atDoor = (found: readonly Found[]) =>
      bad(found.filter(({ section }) => section === 'Strangers at the door'));

    test('a front end that lets nobody through is right for cloud-run-iam, and a warning in oidc', async () => {
      await createBoth();
      const url = await deployed(() => [403]);
      const found = await on(IAM, { url });
      expect(atDoor(found)).toEqual([]);
      expect(lines(found, 'no token')).toEqual(['ok no token: refused by the front end (403)']);
      expect(lines(found, 'front end')).toEqual([
        'ok front end: it lets no stranger through, as cloud-run-iam needs it',
      ]);
      expect(atDoor(await on({ K_SERVICE: 'app' }, { url }))).toEqual([
        'warn front end: it lets no stranger through: tokens may come without their signature, which oidc refuses',
      ]);
    });

    test('a front end that lets strangers to some page is none, whoever refuses them at handlers', async () => {
      await createBoth();
      const loopback = new Loopback();
      ends.push(() => loopback.close());
      const url = await loopback.http(({ url: path }, response) => {
        response.writeHead(path === '/' ? 200 : 403).end();
      });
      expect(lines(await on(IAM, { url }), 'front end')[0]).toMatch(
        /^fail front end: strangers get/,
      );
    });

    test('an app that strangers reach is right in oidc, and fails in cloud-run-iam', async () => {
      await createBoth();
      const url = await deployed(() => [401, APP]);
      expect(atDoor(await on({ K_SERVICE: 'app' }, { url }))).toEqual([]);
      expect(atDoor(await on(IAM, { url }))).toEqual([
        'fail front end: strangers get to the app, so the service is public, and handlers are not served',
      ]);
    });

    test.each<[string, string, (headers: Readonly<Record<string, unknown>>) => boolean]>([
      ['no token', 'no token', ({ authorization }) => authorization === undefined],
      [
        'a marker',
        'a forged token, "signature removed"',
        ({ authorization }) => String(authorization).endsWith('.SIGNATURE_REMOVED_BY_GOOGLE'),
      ],
      [
        'a marker for Cloud Run',
        'the same for Cloud Run',
        (headers) => headers['x-serverless-authorization'] !== undefined,
      ],
      [
        'App Engine headers',
        'forged App Engine headers',
        (headers) => headers['x-appengine-taskname'] !== undefined,
      ],
      [
        'Cloud Tasks headers',
        'forged Cloud Tasks headers',
        (headers) => headers['x-cloudtasks-taskname'] !== undefined,
      ],
    ])('one that lets in %s fails', async (_, about, isLetIn) => {
      await createBoth();
      const url = await deployed((headers) => (isLetIn(headers) ? [200] : [401, APP]));
      expect(lines(await on({}, { url }), about)).toEqual([
        `fail ${about}: LET IN (200): anybody can run this handler`,
      ]);
    });

    test('a login of Identity-Aware Proxy, a failing app, one that can verify nobody, none at all', async () => {
      await createBoth();
      const login = await deployed(() => [
        302,
        { location: 'https://accounts.google.com/o/oauth2' },
      ]);
      expect(lines(await on({}, { url: login }), 'no token')).toEqual([
        'ok no token: sent to a login by the front end (302)',
      ]);
      const failing = await deployed(() => [500]);
      expect(lines(await on({}, { url: failing }), 'no token')[0]).toMatch(/^warn .* answered 500/);
      const unable = await deployed(() => [503, APP]);
      expect(lines(await on({}, { url: unable }), 'no token')[0]).toMatch(
        /^warn .* 503 by the app/,
      );
      const closed = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => closed.once('listening', resolve));
      const { port } = closed.address() as { port: number };
      await new Promise((resolve) => closed.close(resolve));
      expect(lines(await on({}, { url: `http://127.0.0.1:${port}` }), 'no token')[0]).toMatch(
        /^fail no token: no answer: ECONNREFUSED/,
      );
    });

    test('whoever may enqueue without a credential', async () => {
      await createBoth();
      const loopback = new Loopback();
      ends.push(() => loopback.close());
      const url = await loopback.http(({ url: path }, response) => {
        response.writeHead(path === '/add_task_app_engine' ? 400 : 401).end();
      });
      expect(lines(await on({}, { url }), 'enqueuing without a credential')).toEqual([
        'fail enqueuing without a credential: LET IN (400): anybody can run any handler with any payload',
      ]);
    });
  });
});

describe('on a screen', () => {
  const finding: Finding = {
    level: 'warn',
    about: 'queue a\u001b[31m',
    text: 'it is paused, so its tasks wait until somebody resumes it, which may be long',
    mend: ['gcloud tasks queues resume a --project=my-project --location=us-central1'],
  };

  test('text goes on under itself, a command stays whole to be copied, and nothing acts', () => {
    expect(findingLines(finding, 18, { columns: 60, colours: false })).toEqual([
      '  warn  queue a\\u001b[31m   it is paused, so its tasks wait',
      '                            until somebody resumes it, which',
      '                            may be long',
      '        -> gcloud tasks queues resume a --project=my-project --location=us-central1',
    ]);
  });

  test('a file gets a line each, and a sum', () => {
    const screen = { columns: Infinity, colours: false };
    expect(findingLines(finding, 18, screen)).toHaveLength(2);
    expect(summary([finding], screen)).toBe('0 ok, 1 warning, 0 failures.');
    expect(summary([finding], { ...screen, colours: true })).toContain('\u001b[33m');
  });
});

test('as a command: exit code 1 where something fails, and JSON for programs', async () => {
  const env = { ...NO_PORTS, ...own, DATA_DIR: folder };
  const well = await runCli(['doctor'], env);
  expect(well).toMatchObject({ code: 0, stderr: '' });
  expect(well.stdout).toMatch(/^Settings\n {2}ok {4}settings {2}they are[^]*0 failures\.\n$/);
  const ill = await runCli(['doctor', '--json'], { ...env, PORT: 'x' });
  expect(ill.code).toBe(1);
  const { ok, findings } = JSON.parse(ill.stdout) as { ok: boolean; findings: Found[] };
  expect(ok).toBe(false);
  expect(findings[0]).toMatchObject({
    section: 'Settings',
    level: 'fail',
    about: 'PORT',
    mend: [],
  });
  const wrong = await runCli(['doctor', '--url', 'ftp://x']);
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("Expected an address such as 'https://app.example.com'.");
});
