/** One HTTP request as one message: its path, its query and its body, by the verb's rule. */
import type { IncomingMessage } from 'node:http';
import type { Type } from 'protobufjs';
import protobuf from 'protobufjs';
import { refusal } from '../engine/error-catalogue.js';
import { shortened } from './rest-error.js';
import { fieldOf, readMessage, unknownName } from './rest-json-read.js';
import type { RestCall } from './rest-routes.js';

/** As much as gRPC takes: a task of the most size in base64, with room for many small ones. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What every Google API takes beside the request's own fields. None of it matters here. */
const SYSTEM_PARAMETERS =
  /^(access_token|alt|apiVersion|bearer_token|callback|fields|key|oauth_token|pp|prettyPrint|quotaUser|trace|upload_protocol|uploadType|userIp|userProject|xgafv|\$.*)$/;

type Json = Record<string, unknown>;

/** The request's message, as protobuf.js encodes it. What the path says goes before the body. */
export function requestMessage(
  type: Type,
  { body, variables, query }: RestCall,
  sent: Buffer,
): Json {
  const json = bodyJson(sent);
  const [surplus] = body === undefined ? Object.keys(json) : [];
  if (surplus !== undefined) throw unknownName(surplus, '', 'Cannot find field.');
  const field = body === undefined || body === '*' ? undefined : fieldOf(type, body);
  const request = field ? { [field.name]: json } : json;
  for (const [name, values] of grouped(query)) bindQuery(type, request, name, values);
  for (const [path, value] of variables) bind(type, request, path.split('.'), value);
  return readMessage(type, request);
}

/** Whether enums shall be numbers: Google's own client asks so. */
export function wantsNumericEnums(query: URLSearchParams): boolean {
  return [...query.getAll('$alt'), ...query.getAll('alt')].some((value) =>
    value.split(';').includes('enum-encoding=int'),
  );
}

/** The whole body, which must be JSON unless it is empty: a page of another site can't send that. */
export async function readJsonBody(request: IncomingMessage): Promise<Buffer> {
  const bytes = await readBody(request);
  const type = request.headers['content-type'];
  if (bytes.length > 0 && type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) {
    throw refusal('CONTENT_TYPE', {});
  }
  return bytes;
}

/** @throws INVALID_ARGUMENT for one that is too large or encoded; CANCELLED when it breaks off. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw refusal('CONTENT_ENCODING', {});
  const tooLarge = refusal('PAYLOAD_SIZE', { most: MOST_BYTES });
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) throw tooLarge;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MOST_BYTES) chunks.push(chunk);
      // The rest is read on and dropped, so that the answer can be read.
      else reject(tooLarge);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', () => reject(refusal('BROKEN_OFF', {})));
  });
}

function bodyJson(sent: Buffer): Json {
  const text = sent.toString('utf8');
  if (/^\s*$/.test(text)) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refusal('NOT_JSON', {});
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  throw unknownName('', '', 'Root element must be a message.');
}

function grouped(query: URLSearchParams): Map<string, string[]> {
  const names = [...new Set(query.keys())].filter((name) => !SYSTEM_PARAMETERS.test(name));
  return new Map(names.map((name) => [name, query.getAll(name)]));
}

function bindQuery(type: Type, request: Json, name: string, values: string[]): void {
  const [value = '', ...more] = values;
  if (!bind(type, request, name.split('.'), more.length > 0 ? values : value)) {
    const problem = `Cannot bind query parameter. Field '${shortened(name)}' could not be found in request message.`;
    throw unknownName(name, '', problem);
  }
}

/** Sets a field deep inside; false when the request has none such. */
function bind(type: Type, json: Json, path: readonly string[], value: unknown): boolean {
  const [first = '', ...rest] = path;
  const field = fieldOf(type, first);
  if (!field) return false;
  if (rest.length === 0) {
    // It may be there by its other name too.
    const name = Object.keys(json).find((key) => fieldOf(type, key) === field) ?? field.name;
    json[name] = value;
    return true;
  }
  if (!(field.resolvedType instanceof protobuf.Type) || field.repeated || field.map) return false;
  const inner = json[field.name] ?? {};
  if (typeof inner !== 'object') return false;
  json[field.name] = inner;
  return bind(field.resolvedType, inner as Json, rest, value);
}
