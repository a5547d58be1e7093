/** Reads the settings that say who may enqueue. */
import { existsSync } from 'node:fs';
import type { Environment } from './environment.js';
import { isLoopback } from '../foundation/loopback.js';
import type { Platform } from '../foundation/platform.js';
import type { SettingName } from './names.js';

/** Read in mode `api-key` where no other is named. */
const KEYS_FILE = 'producer-keys.json';

/** How somebody shows that they may enqueue. */
export type ProducerSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'api-key'; readonly file: string }
  | (AccountSettings & {
      readonly kind: 'oidc';
      readonly audience: string;
      readonly issuer?: string;
    })
  | (AccountSettings & {
      readonly kind: 'iap';
      readonly audience: string;
      /** No variable sets it: assertions are Google's. */
      readonly keysUrl?: string;
    });

/** One of the two; with `iap` none lets in all that the proxy does. */
interface AccountSettings {
  readonly accounts?: readonly string[];
  /** YAML that says what each may enqueue. */
  readonly accountsFile?: string;
}

type Kind = ProducerSettings['kind'];
const KINDS: readonly Kind[] = ['none', 'api-key', 'oidc', 'iap'];

/** The settings of one kind or two; of the others they would be ignored without a word. */
const ONLY_WITH: readonly [SettingName, readonly Kind[]][] = [
  ['PRODUCER_KEYS_FILE', ['api-key']],
  ['PRODUCER_AUDIENCE', ['oidc', 'iap']],
  ['PRODUCER_ACCOUNTS', ['oidc', 'iap']],
  ['PRODUCER_ACCOUNTS_FILE', ['oidc', 'iap']],
  ['PRODUCER_ISSUER', ['oidc']],
];

/** Nobody is let in without a check but on this machine. */
export function readProducer(
  env: Environment,
  embedded: boolean,
  host: string,
  platform: Platform | undefined,
): ProducerSettings {
  // App Engine's own proxy calls the app on loopback, for everybody.
  const isLocal = isLoopback(host) && platform === undefined;
  const byDefault = embedded && isLocal ? 'none' : undefined;
  const given = env.text('PRODUCER_AUTH') ?? byDefault;
  if (given === undefined || (given === 'none' && !isLocal)) {
    return env.refuse(
      'PRODUCER_AUTH',
      `api-key, oidc or iap, since ${isLoopback(host) ? 'everybody' : `whoever reaches ${host}`} could enqueue`,
    );
  }
  const kind = env.oneOf('PRODUCER_AUTH', KINDS, 'none');
  const file = env.text('PRODUCER_KEYS_FILE');
  if (file !== undefined && !existsSync(file)) {
    env.refuse('PRODUCER_KEYS_FILE', 'a file that exists');
  }
  const audience = env.matching('PRODUCER_AUDIENCE', /^[\x21-\x7e]+$/, AUDIENCE_EXPECTED);
  const accounts = readAccounts(env);
  const issuer = readIssuer(env);
  for (const [name, kinds] of ONLY_WITH) {
    if (!kinds.includes(kind) && env.isSet(name)) {
      env.refuse(name, `nothing without PRODUCER_AUTH=${kinds.join(' or ')}`);
    }
  }
  switch (kind) {
    case 'none':
      return { kind };
    case 'api-key':
      if (file === undefined && !existsSync(KEYS_FILE)) {
        env.refuse('PRODUCER_KEYS_FILE', 'a file as `nest-cloud-tasks keys create` writes it');
      }
      return { kind, file: file ?? KEYS_FILE };
    case 'oidc':
      return {
        kind,
        audience: audience ?? env.refuse('PRODUCER_AUDIENCE', AUDIENCE_EXPECTED),
        ...(accounts ?? env.refuse('PRODUCER_ACCOUNTS', 'the accounts that may enqueue')),
        ...(issuer === undefined ? {} : { issuer }),
      };
    case 'iap':
      return {
        kind,
        audience:
          audience ??
          env.refuse('PRODUCER_AUDIENCE', "the audience that IAP's page in the console shows"),
        ...accounts,
      };
  }
}

function readAccounts(env: Environment): AccountSettings | undefined {
  const accounts = env.accounts('PRODUCER_ACCOUNTS');
  const accountsFile = env.text('PRODUCER_ACCOUNTS_FILE');
  if (accountsFile === undefined) return accounts && { accounts };
  if (accounts) env.refuse('PRODUCER_ACCOUNTS', 'nothing beside PRODUCER_ACCOUNTS_FILE');
  if (!existsSync(accountsFile)) env.refuse('PRODUCER_ACCOUNTS_FILE', 'a file that exists');
  return { accountsFile };
}

const AUDIENCE_EXPECTED = 'one audience without spaces';

function readIssuer(env: Environment): string | undefined {
  const expected = "an https issuer such as 'https://accounts.google.com'";
  const url = env.url('PRODUCER_ISSUER', expected);
  // Whoever can change the answers of a plain http issuer can sign tokens.
  if (url && url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    env.refuse('PRODUCER_ISSUER', expected);
  }
  return env.text('PRODUCER_ISSUER');
}
