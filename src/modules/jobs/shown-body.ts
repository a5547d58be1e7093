/** Takes in a task's body, and shows the beginning of it on one line of the log. */
import type { IncomingMessage } from 'node:http';
import { printable } from '../../foundation/printable.js';
import { readBytes } from '../../foundation/request-bytes.js';

/** No task is larger. */
const MOST_BYTES = 1024 * 1024;
/** In UTF-16 units. */
const MOST_SHOWN = 4096;

export async function readShownBody(
  request: IncomingMessage,
): Promise<{ readonly bytes: Buffer; readonly shown: string }> {
  const bytes = await readBytes(request, MOST_BYTES);
  // No unit takes more than four bytes.
  const start = bytes.subarray(0, MOST_SHOWN * 4).toString('utf8');
  return { bytes, shown: printable(start, MOST_SHOWN) };
}
