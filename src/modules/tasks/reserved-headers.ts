/** The one list of the headers that nobody may give a task, with the reason for each. */

/** Whoever sends the request sets these, or they are for one hop only. */
const OF_THE_SENDER = [
  'host|content-length|expect|date|set-cookie',
  'connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*',
];

/** Receivers, platforms and metadata servers take these as proof of who calls, and whence. */
const PROOF = [
  'authorization|x-serverless-.*',
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

const ALL = [...OF_THE_SENDER, ...PROOF, ...OURS];

const RESERVED = {
  code: pattern([...ALL, ...IN_CODE]),
  caller: pattern([...ALL, ...OF_CALLERS]),
};

/** @param by whether the app's own code names it, or a caller of the enqueuing endpoints */
export function isReserved(name: string, by: 'code' | 'caller' = 'code'): boolean {
  // Gateways of other languages take `_` and `-` for the same.
  return RESERVED[by].test(name.replaceAll('_', '-'));
}

function pattern(names: readonly string[]): RegExp {
  return new RegExp(`^(?:${names.join('|')})$`, 'i');
}
