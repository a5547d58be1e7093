/** Says why the app didn't start: one line with what is wrong and how to mend it. */
import { CloudTasksError } from '../engine/errors.js';
import { printable } from '../foundation/printable.js';
import { SettingsError } from '../settings/names.js';

/** With a stack only for what nobody foresaw, since then there is a mistake of ours to find. */
export function startProblem(error: unknown): string {
  if (error instanceof SettingsError || error instanceof CloudTasksError) {
    return printable(error.message, Infinity);
  }
  const {
    code,
    syscall,
    hostname = '',
    address = hostname,
    port = 0,
  } = (error ?? {}) as ListenError;
  // Only of listening: a file can be refused with the same codes.
  switch (syscall === 'listen' || syscall === 'getaddrinfo' ? code : undefined) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is in use: stop what listens there, or choose another by PORT`;
    case 'EACCES':
      return `port ${port} on ${address} is not this user's to take: choose one above 1023 by PORT`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${address} is not an address of this machine: choose another by HOST`;
    default:
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

interface ListenError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
  /** In place of an address, of a name that has none. */
  readonly hostname?: string;
}
