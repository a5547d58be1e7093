/** What a task's HTTP request and a queue's routing have in common on the wire: methods and tokens. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { HttpMethod, OAuthToken, OidcToken } from '../engine/cloud-tasks-api.js';
import { fromText, present } from './wire.js';

/** In the order of their numbers, in every version of the API. */
export const HTTP_METHODS: readonly HttpMethod[] = [
  'POST',
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
];

export function oidcTokenFromWire(wire: google.cloud.tasks.v2.IOidcToken): OidcToken {
  return present<OidcToken>({
    serviceAccountEmail: wire.serviceAccountEmail ?? '',
    audience: fromText(wire.audience),
  });
}

export function oauthTokenFromWire(wire: google.cloud.tasks.v2.IOAuthToken): OAuthToken {
  return present<OAuthToken>({
    serviceAccountEmail: wire.serviceAccountEmail ?? '',
    scope: fromText(wire.scope),
  });
}
