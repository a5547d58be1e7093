/** Reads what a queue replaces in its HTTP tasks, by the API's JSON names. */
import type { HttpMethod, HttpTarget, UriOverride } from '../engine/cloud-tasks-api.js';
import type { YamlPlace } from '../foundation/yaml-place.js';

const METHODS: readonly HttpMethod[] = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const ANY = /^/;
const NOT_EMPTY = /./;

/** What the values mean is checked with the queue as a whole, by the rules of the API. */
export function readHttpTarget(place: YamlPlace): HttpTarget {
  const fields = place.fields([
    ...['uriOverride', 'httpMethod', 'headerOverrides', 'oidcToken', 'oauthToken'],
  ]);
  const uriOverride = fields.get('uriOverride');
  const httpMethod = fields.get('httpMethod')?.oneOf(METHODS);
  const headers = fields.get('headerOverrides')?.items();
  const oidc = token(fields.get('oidcToken'), 'audience');
  const oauth = token(fields.get('oauthToken'), 'scope');
  return {
    ...(uriOverride ? { uriOverride: readUriOverride(uriOverride) } : {}),
    ...(httpMethod ? { httpMethod } : {}),
    ...(headers ? { headerOverrides: headers.map(readHeader) } : {}),
    ...(oidc ? { oidcToken: oidc } : {}),
    ...(oauth ? { oauthToken: oauth } : {}),
  };
}

function readUriOverride(place: YamlPlace): UriOverride {
  const fields = place.fields([
    ...['scheme', 'host', 'port', 'pathOverride', 'queryOverride', 'uriOverrideEnforceMode'],
  ]);
  const scheme = fields.get('scheme')?.oneOf(['HTTP', 'HTTPS'] as const);
  const host = fields.get('host')?.text(NOT_EMPTY, "a host such as 'api.example.com'");
  const port = fields
    .get('port')
    ?.number((value) => Number.isInteger(value) && value >= 0 && value <= 65_535, 'a port');
  const path = fields.get('pathOverride')?.fields(['path']).get('path');
  const query = fields.get('queryOverride')?.fields(['queryParams']).get('queryParams');
  const mode = fields.get('uriOverrideEnforceMode')?.oneOf(['ALWAYS', 'IF_NOT_EXISTS'] as const);
  return {
    ...(scheme ? { scheme } : {}),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path ? { pathOverride: { path: path.text(ANY, "a path such as '/tasks'") } } : {}),
    ...(query ? { queryOverride: { queryParams: query.text(ANY, "a query such as 'a=b'") } } : {}),
    ...(mode ? { uriOverrideEnforceMode: mode } : {}),
  };
}

function readHeader(place: YamlPlace): { header: { key: string; value: string } } {
  const header = place.fields(['header']).get('header') ?? place.refuse('header: { key, value }');
  const fields = header.fields(['key', 'value']);
  return {
    header: {
      key: required(header, fields, 'key', NOT_EMPTY),
      value: required(header, fields, 'value', ANY),
    },
  };
}

function token<Part extends 'audience' | 'scope'>(
  place: YamlPlace | undefined,
  part: Part,
): ({ serviceAccountEmail: string } & Record<Part, string>) | undefined {
  if (!place) return undefined;
  const fields = place.fields(['serviceAccountEmail', part]);
  return {
    serviceAccountEmail: required(place, fields, 'serviceAccountEmail', NOT_EMPTY),
    [part]: required(place, fields, part, NOT_EMPTY),
  } as { serviceAccountEmail: string } & Record<Part, string>;
}

function required(
  whole: YamlPlace,
  fields: ReadonlyMap<string, YamlPlace>,
  name: string,
  form: RegExp,
): string {
  return (fields.get(name) ?? whole.refuse(`${name}:`)).text(form, 'a text');
}
