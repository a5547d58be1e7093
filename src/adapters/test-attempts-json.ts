/** Recorded attempts as JSON, with nothing in them that would open a door. */
import type { KeptBody, RecordedAttempt } from './test-attempts.js';
import { durationText, timeText } from './test-json.js';

const SECRET_HEADERS = new Set([
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key'],
  'x-goog-iap-jwt-assertion',
]);

/** A JSON web token begins like this, in base64, wherever it is. */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g;

export function attemptJson(attempt: RecordedAttempt): object {
  const { dispatchTime, endTime, request, result, response } = attempt;
  const { headers, body, ...target } = request;
  return {
    dispatchTime: timeText(dispatchTime),
    ...(endTime === undefined ? {} : { duration: durationText(endTime - dispatchTime) }),
    request: { ...target, headers: headersJson(headers), ...bodyJson(body) },
    ...(result?.kind === 'response'
      ? {
          response: {
            status: result.status,
            ...(response
              ? { headers: headersJson(response.headers), ...bodyJson(response.body) }
              : {}),
          },
        }
      : {}),
    ...(result?.kind === 'no-response' ? { noResponse: result.reason } : {}),
  };
}

function headersJson(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const hide = SECRET_HEADERS.has(name.toLowerCase()) ? redacted : withoutTokens;
      return [[name, Array.isArray(value) ? value.map(hide) : hide(value)]];
    }),
  );
}

/** The scheme stays: a test may want to know that there was a token. */
function redacted(value: string): string {
  const [, scheme = ''] = /^(Bearer |Basic )/i.exec(value) ?? [];
  return `${scheme}(redacted)`;
}

function withoutTokens(text: string): string {
  return text.replace(TOKEN, '(token)');
}

/** As text where it is text, else in base64; what is cut off is said. */
function bodyJson({ bytes, isCut }: KeptBody): object {
  if (bytes.length === 0) return {};
  const text = textOf(bytes, isCut);
  return {
    ...(text === undefined
      ? { bodyBase64: Buffer.from(bytes).toString('base64') }
      : { body: withoutTokens(text) }),
    ...(isCut ? { bodyIsCut: true } : {}),
  };
}

function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    // Where it was cut, its last character may be half of one.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
  } catch {
    return undefined;
  }
}
