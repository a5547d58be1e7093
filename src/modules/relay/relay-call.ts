/** What is asked of the relay: one HTTP call, read strictly from its JSON, byte for byte. */
import { parseDuration } from '../../foundation/duration.js';
import type { Duration } from '../../engine/time.js';
import { DAY, SECOND } from '../../engine/time.js';
import { invalidArgument } from '../../engine/errors.js';
import type { OutboundMethod } from '../../outbound/outbound-client.js';
import { printable } from '../../foundation/printable.js';
import type { Fields } from '../producer/fields.js';
import { unexpected } from '../producer/fields.js';
import { describeJson } from '../producer/json-object.js';
import { contentOf } from './relay-content.js';

/** `abort`: ends the call when nobody waits for it any more. `finish`: it goes on, and is recorded. */
export type OnCallerGone = 'abort' | 'finish';

/**
 * What becomes of a call that was cut off after the target may have seen it. `at-least-once`: it is
 * made again, under the same `Idempotency-Key`. `never-after-sent`: it is given up as `unknown`.
 */
export type RelayRetry = 'at-least-once' | 'never-after-sent';

/** A call as it was asked for, checked as far as it can be without the outbound rules. */
export interface RelayCall {
  readonly url: string;
  readonly method: OutboundMethod;
  /** The caller's, and the type of the content. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** From the start of the attempt to the last byte of the answer. */
  readonly timeout: Duration | undefined;
  readonly callbackUrl: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly onCallerGone: OnCallerGone | undefined;
  readonly retry: RelayRetry;
}

/** What a callback is made of. */
export type CalledBack = Pick<RelayCall, 'url' | 'method' | 'callbackUrl'>;

export const RELAY_FIELDS = [
  'url',
  'method',
  'headers',
  'payload',
  'payloadBase64',
  'contentType',
  'timeout',
  'callbackUrl',
  'idempotencyKey',
  'onCallerGone',
  'retry',
] as const;

export const LONGEST_CALL: Duration = DAY;
const SHORTEST_CALL: Duration = SECOND;

const METHODS: readonly OutboundMethod[] = [
  ...(['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const),
];
const WITH_BODY: readonly OutboundMethod[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

const HEADERS_EXPECTED = "an object of strings such as {'X-Request-Id': '42'}";
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** @throws CloudTasksError INVALID_ARGUMENT naming the field */
export function readRelayCall(fields: Fields): RelayCall {
  const url = fields.required('url', "a URL such as 'https://api.example.com/jobs'");
  const method = oneOf(fields, 'method', METHODS) ?? 'POST';
  const content = contentOf(fields);
  if (content.body && !WITH_BODY.includes(method)) {
    throw invalidArgument(
      `payload: only ${WITH_BODY.join(', ')} can carry one, got method ${method}.`,
      'payload',
    );
  }
  const headers = readHeaders(fields);
  const named = Object.keys(headers).find((name) => name.toLowerCase() === 'content-type');
  if (named !== undefined && fields.json('contentType') !== undefined) {
    throw invalidArgument(`contentType: '${named}' is among the headers too.`, 'contentType');
  }
  const { type } = content;
  return {
    url,
    method,
    headers:
      named !== undefined || type === undefined ? headers : { ...headers, 'Content-Type': type },
    body: content.body,
    timeout: readTimeout(fields),
    callbackUrl: fields.string('callbackUrl', "a URL such as 'https://example.com/relayed'"),
    idempotencyKey: fields.matching(
      'idempotencyKey',
      KEY,
      'one key of 1 to 255 visible ASCII characters',
    ),
    onCallerGone: oneOf(fields, 'onCallerGone', ['abort', 'finish']),
    retry: oneOf(fields, 'retry', ['at-least-once', 'never-after-sent']) ?? 'at-least-once',
  };
}

/** A header that the caller names `__proto__` stays one of its own, for the policy to refuse. */
function readHeaders(fields: Fields): Record<string, string> {
  const entries = [...(fields.object('headers', HEADERS_EXPECTED) ?? [])].map(([name, json]) => {
    if (!json.startsWith('"')) unexpected('headers', HEADERS_EXPECTED, describeJson(json));
    return [name, JSON.parse(json) as string] as const;
  });
  return Object.fromEntries(entries);
}

function readTimeout(fields: Fields): Duration | undefined {
  const json = fields.json('timeout');
  if (json === undefined) return undefined;
  const timeout = parseDuration(JSON.parse(json), 'timeout');
  if (timeout < SHORTEST_CALL || timeout > LONGEST_CALL) {
    unexpected('timeout', "'1s' to '24h'", printable(json));
  }
  return timeout;
}

function oneOf<Value extends string>(
  fields: Fields,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const expected = `one of ${values.join(', ')}`;
  const text = fields.string(name, expected);
  if (text === undefined) return undefined;
  return (
    values.find((value) => value === text) ?? unexpected(name, expected, `'${printable(text)}'`)
  );
}
