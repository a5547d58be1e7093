/** Whom the guard lets in. */
import type { EnvelopeSecrets } from './envelope.js';

/** Injects `AuthOptions`. */
export const AUTH_OPTIONS = Symbol('AUTH_OPTIONS');

export interface AuthOptions {
  /**
   * `local`: the embedded engine's own tokens and signatures. `oidc`: ID tokens of Google, or of
   * the issuer that is named. `appengine`: the headers that App Engine's front end keeps for
   * itself; only on App Engine standard. `cloud-run-iam`: ID tokens as in `oidc`, also those whose
   * signature Cloud Run has checked and removed; only on Cloud Run, where nobody else gets in.
   */
  readonly mode: AuthMode;
  /**
   * The one `aud` that is accepted, byte for byte. Asked for when the first token comes: it may be an
   * address that is known only once the app listens.
   */
  readonly audience: () => Promise<string>;
  /** Base address of the handlers, as strangers would call them. */
  readonly serviceUrl: () => Promise<string>;
  /** Whether a URL leads to our handlers. */
  readonly isOwn: (url: URL) => Promise<boolean>;
  /** With these, tasks are signed when they are created, and none is let in without a signature. */
  readonly envelope?: EnvelopeSecrets | undefined;
  /** The service accounts that may call, by their e-mail addresses, compared exactly. */
  readonly accounts: readonly AllowedAccount[];
  /** `iss` to accept instead of the backend's; its keys are found by OIDC discovery. */
  readonly issuer?: string | undefined;
  /**
   * Ids of the queues whose tasks are let in. Absent, those of the handlers in mode `appengine`,
   * where the queue's name is the proof, and any in the others.
   */
  readonly queues?: readonly string[] | undefined;
}

/** An e-mail address, or one together with the account's numeric id. */
export type AllowedAccount = string | PinnedAccount;

export interface PinnedAccount {
  readonly email: string;
  /** `sub` of its tokens: unlike the address, it is never given to another account. */
  readonly subject: string;
}

export function emailOf(account: AllowedAccount): string {
  return typeof account === 'string' ? account : account.email;
}

export const AUTH_MODES = ['local', 'oidc', 'appengine', 'cloud-run-iam'] as const;
export type AuthMode = (typeof AUTH_MODES)[number];
