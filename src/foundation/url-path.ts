/** Reads a URL's path as the most eager of the servers and gateways on its way would. */

/** Cloud Tasks' limit for a URL, counted after encoding; for a relative one too. */
export const MOST_URL_LENGTH = 2083;

/** Percent-escapes of ASCII taken out, over and over: a gateway and a server may each decode once. */
export function decodedFully(path: string): string {
  const next = path.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return next === path ? path : decodedFully(next);
}

/** Whether a decoded path has `.` or `..` segments, also with parameters as Tomcat ignores them. */
export function hasDotSegments(plain: string): boolean {
  return /(?:^|\/)\.{1,2}(?=[/;]|$)/.test(plain);
}
