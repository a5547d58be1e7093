/** Reads the settings that say what the guard of the handlers accepts. */
import type { Environment } from './environment.js';
import { ACCOUNT_ADDRESS } from '../foundation/account-address.js';
import type { Platform } from '../foundation/platform.js';

/** What is absent follows from the rest. */
export interface AuthSettings {
  readonly mode: 'local' | 'oidc' | 'appengine' | 'cloud-run-iam';
  readonly audience?: string;
  readonly accounts: readonly AccountSetting[];
  readonly issuer?: string;
  readonly queues?: readonly string[];
  readonly envelope?: EnvelopeSetting;
}

/** What tasks are signed with, and what they may have been signed with before. */
export interface EnvelopeSetting {
  readonly secret: string;
  readonly previous?: string;
}

/** An e-mail address, or one together with the account's numeric id. */
export type AccountSetting = string | { readonly email: string; readonly subject: string };

/** Where the app runs. */
interface Place {
  readonly embedded: boolean;
  /** Whether an emulator stands in for Google. */
  readonly emulated: boolean;
  readonly platform: Platform | undefined;
}

const AUTH_MODES = ['local', 'oidc', 'appengine', 'cloud-run-iam'] as const;

export function readAuth(env: Environment, serviceAccount: string, place: Place): AuthSettings {
  const mode = readMode(env, place);
  const queues = env.queues('ALLOWED_QUEUES');
  const audience = env.matching('OIDC_AUDIENCE', /^[\x21-\x7e]+$/, 'one audience without spaces');
  const issuer = readIssuer(env, place);
  const envelope = readEnvelope(env);
  return {
    mode,
    ...(audience === undefined ? {} : { audience }),
    accounts: env.list('OIDC_ACCOUNTS', (text) => readAccount(env, text)) ?? [serviceAccount],
    ...(issuer === undefined ? {} : { issuer }),
    ...(queues === undefined ? {} : { queues }),
    ...(envelope === undefined ? {} : { envelope }),
  };
}

/** `new,old` while tasks are left that were signed with the old one. */
export function readEnvelope(env: Environment): EnvelopeSetting | undefined {
  const expected =
    'a secret of 32 to 512 visible characters without commas, or two: the new one, a comma, the old one';
  const secrets = env.list('ENVELOPE_SECRET', (text) =>
    /^[\x21-\x7e]{32,512}$/.test(text) ? text : env.refuse('ENVELOPE_SECRET', expected),
  );
  if (!secrets) return undefined;
  const [secret = '', previous, ...more] = secrets;
  if (more.length > 0) env.refuse('ENVELOPE_SECRET', expected);
  return { secret, ...(previous === undefined ? {} : { previous }) };
}

/** Each mode only where it is a check; nobody is let in by a header that anybody can send. */
function readMode(env: Environment, { embedded, platform }: Place): AuthSettings['mode'] {
  const onAppEngine = !embedded && platform === 'app-engine-standard';
  const fallback = onAppEngine ? 'appengine' : embedded ? 'local' : 'oidc';
  const mode = env.oneOf('AUTH_MODE', AUTH_MODES, fallback);
  if (mode === 'local' && !embedded) {
    env.refuse(
      'AUTH_MODE',
      "'oidc' with TASKS_BACKEND=google, since 'local' trusts the embedded engine",
    );
  }
  if (mode === 'appengine' && !onAppEngine) {
    env.refuse(
      'AUTH_MODE',
      "'appengine' on App Engine standard alone, where GAE_ENV is 'standard' and TASKS_BACKEND 'google'",
    );
  }
  if (mode === 'cloud-run-iam' && (embedded || platform !== 'cloud-run')) {
    env.refuse(
      'AUTH_MODE',
      "'cloud-run-iam' on Cloud Run alone, where K_SERVICE is set and TASKS_BACKEND is 'google'",
    );
  }
  return mode;
}

function readIssuer(env: Environment, { embedded, emulated }: Place): string | undefined {
  const expected = "an https issuer such as 'https://accounts.google.com'";
  const isPlain = env.url('OIDC_ISSUER', expected)?.protocol === 'http:';
  // Whoever can change the answers of a plain http issuer can sign tokens.
  if (isPlain && !embedded && !emulated) env.refuse('OIDC_ISSUER', expected);
  return env.text('OIDC_ISSUER');
}

/** `tasks@my-project.iam.gserviceaccount.com;sub=112233445566778899000` */
function readAccount(env: Environment, text: string): AccountSetting {
  const [, email = '', subject] = /^([^;]+)(?:;sub=(\d{1,40}))?$/.exec(text) ?? [];
  if (!ACCOUNT_ADDRESS.test(email)) env.refuse('OIDC_ACCOUNTS', ACCOUNT_EXPECTED, text);
  return subject === undefined ? email : { email, subject };
}

const ACCOUNT_EXPECTED =
  "addresses such as 'tasks@my-project.iam.gserviceaccount.com', each with ';sub=' and its numeric id or without";
