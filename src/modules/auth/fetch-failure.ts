/** Says in a few words for the log why a fetch didn't work. */
import { printable } from '../../foundation/printable.js';

/** Fetch itself says no more than that it failed; why is in its cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: unknown; cause?: { code?: unknown } };
  return printable(String(cause?.code ?? message ?? error), 200);
}
