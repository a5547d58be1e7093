/** A queue's routing of HTTP tasks on the wire. v2's proto doesn't have it. */
import type { google } from '@google-cloud/tasks/build/protos';
import type { HttpMethod, HttpTarget, UriOverride } from '../engine/cloud-tasks-api.js';
import { HTTP_METHODS, oauthTokenFromWire, oidcTokenFromWire } from './wire-request.js';
import { fromText, present, WireEnum } from './wire.js';

type Wire = google.cloud.tasks.v2beta3.IHttpTarget;
type WireUriOverride = google.cloud.tasks.v2beta3.IUriOverride;

const FIELD = 'queue.httpTarget';

const METHODS = new WireEnum<HttpMethod, google.cloud.tasks.v2beta3.HttpMethod>(HTTP_METHODS);
const SCHEMES = new WireEnum<
  NonNullable<UriOverride['scheme']>,
  google.cloud.tasks.v2beta3.UriOverride.Scheme
>(['HTTP', 'HTTPS']);
const MODES = new WireEnum<
  NonNullable<UriOverride['uriOverrideEnforceMode']>,
  google.cloud.tasks.v2beta3.UriOverride.UriOverrideEnforceMode
>(['IF_NOT_EXISTS', 'ALWAYS']);

export function httpTargetToWire(target: HttpTarget): Wire {
  const { uriOverride, httpMethod, headerOverrides, oauthToken, oidcToken } = target;
  return {
    uriOverride: uriOverride ? uriOverrideToWire(uriOverride) : null,
    httpMethod: METHODS.to(httpMethod, `${FIELD}.httpMethod`),
    headerOverrides: headerOverrides ?? [],
    ...(oauthToken ? { oauthToken } : {}),
    ...(oidcToken ? { oidcToken } : {}),
  };
}

export function httpTargetFromWire(wire: Wire): HttpTarget {
  const { uriOverride, headerOverrides, oauthToken, oidcToken } = wire;
  return present<HttpTarget>({
    uriOverride: uriOverride ? uriOverrideFromWire(uriOverride) : undefined,
    httpMethod: METHODS.from(wire.httpMethod, `${FIELD}.httpMethod`),
    headerOverrides: headerOverrides?.length
      ? headerOverrides.map(({ header }) => ({
          header: { key: header?.key ?? '', value: header?.value ?? '' },
        }))
      : undefined,
    oauthToken: oauthToken ? oauthTokenFromWire(oauthToken) : undefined,
    oidcToken: oidcToken ? oidcTokenFromWire(oidcToken) : undefined,
  });
}

function uriOverrideToWire(override: UriOverride): WireUriOverride {
  const { scheme, host, port, pathOverride, queryOverride, uriOverrideEnforceMode } = override;
  const field = `${FIELD}.uriOverride`;
  return {
    // These three are `optional`: a value that is there is given, also zero.
    ...(scheme ? { scheme: SCHEMES.to(scheme, `${field}.scheme`) } : {}),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    pathOverride: pathOverride ? { path: pathOverride.path ?? '' } : null,
    queryOverride: queryOverride ? { queryParams: queryOverride.queryParams ?? '' } : null,
    uriOverrideEnforceMode: MODES.to(uriOverrideEnforceMode, `${field}.uriOverrideEnforceMode`),
  };
}

/** gcloud sends both of path and query with nothing in them when neither was asked for. */
function uriOverrideFromWire(wire: WireUriOverride): UriOverride {
  const { scheme, port, pathOverride, queryOverride } = wire;
  const field = `${FIELD}.uriOverride`;
  return present<UriOverride>({
    // Given, but unspecified, means HTTPS.
    scheme: isGiven(scheme) ? (SCHEMES.from(scheme, `${field}.scheme`) ?? 'HTTPS') : undefined,
    host: wire.host ?? undefined,
    port: isGiven(port) ? Number(port) : undefined,
    pathOverride: pathOverride
      ? present<{ path?: string }>({ path: fromText(pathOverride.path) })
      : undefined,
    queryOverride: queryOverride
      ? present<{ queryParams?: string }>({ queryParams: fromText(queryOverride.queryParams) })
      : undefined,
    uriOverrideEnforceMode: MODES.from(
      wire.uriOverrideEnforceMode,
      `${field}.uriOverrideEnforceMode`,
    ),
  });
}

function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}
