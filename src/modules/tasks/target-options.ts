/** The options that say where a task goes, and which token it brings along. */
import { invalidArgument } from '../../engine/errors.js';
import { ACCOUNT_ADDRESS } from '../../foundation/account-address.js';
import { refuseUnknown, shown } from './unknown-option.js';

/** `http`: POST to `serviceUrl` with an ID token. The others: through App Engine's routing. */
export type TaskTarget =
  | 'http'
  | 'app-engine'
  | { readonly service?: string | undefined; readonly version?: string | undefined };

/** The ID token that a task brings along. */
export interface OidcOptions {
  /** Default: the `serviceAccount` of `forRoot`. */
  readonly serviceAccountEmail?: string | undefined;
  /** Default: the audience of our handlers for those, else the origin of the URL. */
  readonly audience?: string | undefined;
}

/** The access token that a task brings along, for Google's own APIs only. */
export interface OAuthOptions {
  /** Default: the `serviceAccount` of `forRoot`. */
  readonly serviceAccountEmail?: string | undefined;
  /** Default `https://www.googleapis.com/auth/cloud-platform`. */
  readonly scope?: string | undefined;
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readTarget(target: unknown): TaskTarget {
  if (target === 'http' || target === 'app-engine') return target;
  if (typeof target !== 'object' || target === null) {
    throw invalidArgument(
      `target: expected 'http', 'app-engine' or { service, version }, got ${shown(target)}.`,
      'target',
    );
  }
  refuseUnknown(target, ['service', 'version'], 'a target');
  for (const [name, value] of Object.entries(target)) {
    if (value !== undefined && (typeof value !== 'string' || !/^[a-z0-9-]{1,63}$/.test(value))) {
      throw invalidArgument(
        `target.${name}: expected lower-case letters, digits and hyphens, got ${shown(value)}.`,
        `target.${name}`,
      );
    }
  }
  return target;
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readOidc(oidc: unknown): OidcOptions {
  return readToken('oidc', 'audience', oidc);
}

/** @throws CloudTasksError INVALID_ARGUMENT */
export function readOAuth(oauth: unknown): OAuthOptions {
  return readToken('oauth', 'scope', oauth);
}

function readToken(option: 'oidc' | 'oauth', purpose: 'audience' | 'scope', token: unknown) {
  refuseUnknown(token, ['serviceAccountEmail', purpose], option);
  const given = token as OidcOptions & OAuthOptions;
  const { serviceAccountEmail } = given;
  if (serviceAccountEmail !== undefined && !isAccount(serviceAccountEmail)) {
    throw invalidArgument(
      `${option}.serviceAccountEmail: expected a service account's e-mail address, got ${shown(serviceAccountEmail)}.`,
      `${option}.serviceAccountEmail`,
    );
  }
  const value: unknown = given[purpose];
  if (value !== undefined && (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))) {
    throw invalidArgument(
      `${option}.${purpose}: expected visible ASCII, got ${shown(value)}.`,
      `${option}.${purpose}`,
    );
  }
  return given;
}

export function isAccount(text: unknown): text is string {
  return typeof text === 'string' && ACCOUNT_ADDRESS.test(text);
}
