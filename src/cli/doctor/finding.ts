/** One thing that was looked at: how it is, and how to mend it. */

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  /** `warn`: works, or can't be known, and somebody should know that. `fail`: doesn't work, or isn't safe. */
  readonly level: Level;
  /** `queue default`. */
  readonly about: string;
  /** Never holds a secret. */
  readonly text: string;
  /** Commands to copy, or what else to do, a line each. */
  readonly mend: readonly string[];
}

export function ok(about: string, text: string): Finding {
  return { level: 'ok', about, text, mend: [] };
}

export function warn(about: string, text: string, ...mend: string[]): Finding {
  return { level: 'warn', about, text, mend };
}

export function fail(about: string, text: string, ...mend: string[]): Finding {
  return { level: 'fail', about, text, mend };
}

/** What went wrong, on one line. */
export function reasonOf(error: unknown): string {
  const { message, cause } = (error ?? {}) as { message?: unknown; cause?: unknown };
  // Of a fetch that fails only the cause says why.
  if (message === 'fetch failed' && cause !== undefined) return codeOf(cause);
  return typeof message === 'string' && message !== '' ? message : String(error);
}

/** `EACCES`, of what has such a code. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : reasonOf(error);
}
