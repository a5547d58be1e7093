/** Whom the guard lets in. */

/** Injects `AuthOptions`. */
export const AUTH_OPTIONS = Symbol('AUTH_OPTIONS');

export interface AuthOptions {
  /**
   * `local`: the embedded engine's own tokens and signatures. `oidc`: ID tokens of Google, or of
   * the issuer that is named.
   */
  readonly mode: AuthMode;
  /** The one `aud` that is accepted, byte for byte. Asked for with each request that is checked. */
  readonly audience: () => Promise<string>;
  /** E-mail addresses of the service accounts that may call, compared exactly. */
  readonly accounts: readonly string[];
  /** `iss` to accept instead of the backend's; its keys are found by OIDC discovery. */
  readonly issuer?: string | undefined;
}

export const AUTH_MODES = ['local', 'oidc'] as const;
export type AuthMode = (typeof AUTH_MODES)[number];
