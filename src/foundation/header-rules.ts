/** Which headers are well formed, and the one list of those that others may not set, with the reason for each. */

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** HTTP takes blanks at either end away, and what isn't ASCII arrives as each hop likes it. */
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/;

export function isHeaderName(name: string): boolean {
  return NAME.test(name);
}

export function isHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/** Those for one hop only (RFC 9110, 7.6.1). */
const OF_THE_CONNECTION = 'connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*';

/** Whoever sends the request sets these, or they are for one hop only. */
const OF_THE_SENDER = ['host|content-length|expect|date|set-cookie', OF_THE_CONNECTION];

/** What a caller proves to whom it calls. */
const CREDENTIAL = 'authorization';

/** Receivers, platforms and metadata servers take these as proof of who calls, and whence. */
const PROOF = [
  'x-serverless-.*',
  'forwarded|via|x-forwarded-.*|x-real-ip',
  'x-appengine-.*|x-cloudtasks-.*|x-cloudscheduler.*|x-google-.*|x-goog-.*',
  'metadata|metadata-flavor|x-aws-.*',
];

/** This library's own, on the way to the engine and to handlers; and no headers at all. */
const OURS = ['x-engine-.*|x-tasks-.*', '--proto--'];

/** The app's own code names the arguments, so these follow from them or from the target. */
const IN_CODE = ['content-type|user-agent'];

/** Callers of the endpoints may be others than the app: no session of a user's, no near-misses. */
const OF_CALLERS = ['cookie', 'x-task-.*', 'constructor|prototype'];

/** Our own process reads the answer, and doesn't decompress it; cookies are of somebody's session. */
const OUTBOUND = ['accept-encoding|cookie|http2-settings'];

const ALL = [...OF_THE_SENDER, ...PROOF, ...OURS];

const RESERVED = {
  code: pattern([...ALL, CREDENTIAL, ...IN_CODE]),
  caller: pattern([...ALL, CREDENTIAL, ...OF_CALLERS]),
  outbound: pattern([...ALL, ...OUTBOUND]),
};

const HOP_BY_HOP = pattern([OF_THE_CONNECTION]);

/** Whether it is about one connection, not about the request or the answer that goes over it. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.test(name);
}

/**
 * @param by who names it: the app's own code or a caller of the enqueuing endpoints for a task;
 *   whoever asks for a call that this process makes itself (whether it may carry `Authorization`
 *   is for the rule of its target to say)
 */
export function isReserved(name: string, by: keyof typeof RESERVED = 'code'): boolean {
  // Gateways of other languages take `_` and `-` for the same.
  return RESERVED[by].test(name.replaceAll('_', '-'));
}

function pattern(names: readonly string[]): RegExp {
  return new RegExp(`^(?:${names.join('|')})$`, 'i');
}
