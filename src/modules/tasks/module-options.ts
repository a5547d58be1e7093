/** The options of `TasksModule.forRoot`, checked, with what follows from them. */
import { invalidArgument } from '../../engine/errors.js';
import type { EnvelopeSecrets } from '../auth/envelope.js';
import type { AllowedAccount, AuthMode } from '../auth/auth-options.js';
import { AUTH_MODES } from '../auth/auth-options.js';
import { platformOf } from '../../foundation/platform.js';
import type { CloudTasksOptions } from '../cloud-tasks/cloud-tasks-options.js';
import { locationName } from '../cloud-tasks/cloud-tasks-options.js';
import type { JournalOptions } from '../journal/journal-options.js';
import type { PayloadSettings, PayloadStoreOptions } from '../payloads/payload-options.js';
import { BUCKET_OPTIONS, FOLDER_OPTIONS, readPayloadOptions } from '../payloads/payload-options.js';
import type { BaseOptions, TaskDefaults } from './task-options.js';
import { readTaskDefaults, TASK_DEFAULTS } from './task-options.js';
import { readStore } from './store-option.js';
import { isAccount } from './target-options.js';
import { refuseUnknown } from './unknown-option.js';

/**
 * Where tasks go, as whom handlers are called, and the defaults of every task (`queue`,
 * `countdown`, `dispatchDeadline`, `headers`, `target` and the others of `TaskDefaults`).
 */
export interface TasksModuleOptions extends CloudTasksOptions, TaskDefaults {
  /**
   * Base address of the handlers. Default but on Google: the loopback address that the app listens
   * on, so that a `.delay` before that waits for it.
   */
  readonly serviceUrl?: string | undefined;
  /** As whom handlers are called. Default when embedded: `tasks@local`. */
  readonly serviceAccount?: string | undefined;
  readonly auth?: TasksAuthOptions | undefined;
  /**
   * Where it is kept who runs a task and how it ended, which `idempotency` and `status` need:
   * `redis://…`, `postgres://…`, `sqlite:<file>` or `memory:`. Default when embedded: a file in the
   * engine's `dataDir`. With Google there is none: its instances share a server, or nothing.
   */
  readonly store?: string | undefined;
  /** Where bodies go that are too large for a task. Default: nowhere, so that they are refused. */
  readonly payloadStore?: PayloadStoreOptions | undefined;
}

export interface TasksAuthOptions {
  /** Default: `local` when embedded, `appengine` on App Engine standard, else `oidc`. */
  readonly mode?: AuthMode | undefined;
  /** `aud` of the tokens that tasks carry and handlers accept. Default `serviceUrl`. */
  readonly audience?: string | undefined;
  /**
   * Service accounts that may call handlers: e-mail addresses, or `{ email, subject }` with the
   * account's numeric id, which a deleted account's successor of that address doesn't have.
   * Default: `serviceAccount` alone.
   */
  readonly accounts?: readonly AllowedAccount[] | undefined;
  /** `iss` of the tokens, an address with OIDC discovery. Default: Google's, or the engine's own. */
  readonly issuer?: string | undefined;
  /**
   * Ids of the queues whose tasks are let in. Default: the handlers' in mode `appengine`, where
   * the queue's name is the proof; any in the others.
   */
  readonly queues?: readonly string[] | undefined;
  /**
   * Secrets, of at least 32 visible ASCII characters each, that every task for our handlers is
   * signed with when it is created; a task without a signature is then let in by no handler, so
   * that others who may enqueue can't call one. Default: none, nothing is signed.
   */
  readonly envelope?: EnvelopeSecrets | undefined;
}

/** What the library runs with. */
export class TasksSettings {
  readonly cloudTasks: CloudTasksOptions;
  /** The weakest level of every task's options, the queue included. */
  readonly defaults: BaseOptions;
  /** Without a slash at the end; absent, the address that the app listens on. */
  readonly serviceUrl: string | undefined;
  readonly serviceAccount: string;
  readonly auth: Omit<TasksAuthOptions, 'mode' | 'accounts'> & {
    readonly mode: AuthMode;
    readonly accounts: readonly AllowedAccount[];
  };

  readonly payloads: PayloadSettings | undefined;

  readonly journal: JournalOptions;

  /** @throws CloudTasksError INVALID_ARGUMENT naming the option */
  constructor(options: TasksModuleOptions) {
    refuseUnknown(options, KNOWN, 'TasksModule');
    const { backend, engine, auth = {}, ...rest } = options;
    if (!BACKENDS.includes(backend)) refuse('backend', "'embedded' or 'google'", backend);
    refuseUnknown(engine ?? {}, ENGINE, 'TasksModule, engine');
    refuseUnknown(auth, AUTH, 'TasksModule, auth');
    // The embedded engine signs as whom the guard expects.
    this.cloudTasks = { ...options, engine: { issuer: auth.issuer, ...engine } };
    this.serviceUrl = readServiceUrl(rest.serviceUrl);
    const embedded = backend === 'embedded';
    if (!embedded && rest.emulatorHost === undefined && this.serviceUrl === undefined) {
      // Google can't call the address that the app sees itself at; an emulator can.
      refuse('serviceUrl', "the handlers' base address with backend 'google'", undefined);
    }
    const account = rest.serviceAccount ?? (embedded ? 'tasks@local' : undefined);
    this.serviceAccount = readAccount('serviceAccount', account);
    this.payloads = readPayloads(options.payloadStore);
    this.auth = readAuth(auth, embedded, this.serviceAccount);
    const { queue = 'default', ...defaults } = readTaskDefaults(pick(rest, TASK_DEFAULTS));
    // What the guard lets in: on App Engine nobody sends it a token.
    const target = this.auth.mode === 'appengine' ? { target: 'app-engine' as const } : {};
    this.defaults = { queue, ...target, ...defaults };
    this.journal = { place: readStore(rest.store, options), location: locationName(options) };
  }
}

/** Google's have 21 digits. */
const SUBJECT = /^\d{1,40}$/;

const BACKENDS: readonly string[] = ['embedded', 'google'];
const ENGINE = ['dataDir', 'port', 'host', 'secret', 'issuer', 'thread', 'strict', 'onEvent'];
const AUTH = ['mode', 'audience', 'accounts', 'issuer', 'queues', 'envelope'];
const KNOWN = [
  ...TASK_DEFAULTS,
  'backend',
  'project',
  'location',
  'emulatorHost',
  'engine',
  'appEngineHosts',
  'queues',
  'queuesFile',
  'serviceUrl',
  'serviceAccount',
  'auth',
  'store',
  'payloadStore',
];

function readPayloads(options: PayloadStoreOptions | undefined): PayloadSettings | undefined {
  if (options === undefined) return undefined;
  const isBucket = typeof options === 'object' && 'bucket' in options;
  refuseUnknown(options, isBucket ? BUCKET_OPTIONS : FOLDER_OPTIONS, 'TasksModule, payloadStore');
  return readPayloadOptions(options);
}

function readAuth(
  { mode, accounts, ...rest }: TasksAuthOptions,
  embedded: boolean,
  serviceAccount: string,
): TasksSettings['auth'] {
  const onAppEngine = platformOf() === 'app-engine-standard';
  const wanted = mode ?? (embedded ? 'local' : onAppEngine ? 'appengine' : 'oidc');
  // Never open: what isn't a check doesn't start.
  if (!AUTH_MODES.includes(wanted)) {
    refuse('auth.mode', `one of ${AUTH_MODES.join(', ')}`, wanted);
  }
  if (wanted === 'local' && !embedded) {
    refuse('auth.mode', "'oidc' with backend 'google': only the embedded engine is local", wanted);
  }
  if (embedded && wanted !== 'local' && wanted !== 'oidc') {
    refuse('auth.mode', "'local' or 'oidc' with backend 'embedded'", wanted);
  }
  if (rest.queues?.length === 0) refuse('auth.queues', 'one queue id or more', 'none');
  if (rest.audience === '') refuse('auth.audience', 'an audience', rest.audience);
  if (rest.envelope !== undefined) checkSecrets(rest.envelope);
  const allowed = accounts ?? [serviceAccount];
  if (allowed.length === 0) refuse('auth.accounts', 'one service account or more', 'none');
  allowed.forEach((account, index) => checkAllowed(`auth.accounts[${index}]`, account));
  return { ...rest, mode: wanted, accounts: allowed };
}

function readServiceUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isBase = url && /^https?:$/.test(url.protocol) && !/[?#\s]/.test(text) && !url.username;
  if (!isBase) refuse('serviceUrl', 'an http(s) address without query or fragment', text);
  return text.replace(/\/+$/, '');
}

function readAccount(option: string, account: unknown): string {
  if (!isAccount(account)) {
    refuse(option, "a service account's e-mail address", account);
  }
  return account;
}

function checkSecrets(envelope: object): void {
  refuseUnknown(envelope, ['secret', 'previous'], 'TasksModule, auth.envelope');
  const { secret, previous = secret } = envelope as { secret?: unknown; previous?: unknown };
  for (const [name, value] of Object.entries({ secret, previous })) {
    if (typeof value === 'string' && /^[\x21-\x7e]{32,512}$/.test(value)) continue;
    const option = `auth.envelope.${name}`;
    // Not what came: it may be most of a secret.
    throw invalidArgument(
      `TasksModule: ${option}: expected 32 to 512 visible ASCII characters.`,
      option,
    );
  }
}

function checkAllowed(option: string, account: unknown): void {
  if (typeof account !== 'object' || account === null) {
    readAccount(option, account);
    return;
  }
  refuseUnknown(account, ['email', 'subject'], `TasksModule, ${option}`);
  const { email, subject } = account as { email?: unknown; subject?: unknown };
  readAccount(`${option}.email`, email);
  if (typeof subject !== 'string' || !SUBJECT.test(subject)) {
    refuse(`${option}.subject`, "the account's numeric id", subject);
  }
}

function pick(options: TaskDefaults, names: readonly string[]): TaskDefaults {
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)));
}

function refuse(option: string, expected: string, came: unknown): never {
  const shown =
    typeof came === 'string' ? `'${came}'` : came === undefined ? 'nothing' : typeof came;
  throw invalidArgument(`TasksModule: ${option}: expected ${expected}, got ${shown}.`, option);
}
