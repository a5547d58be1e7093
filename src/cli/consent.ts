/** Asks a person before something is changed that others see. */
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline/promises';

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
}

/**
 * Resolves when the answer is yes. Where nobody could answer, nobody is asked.
 *
 * @throws Error with one line: nobody can be asked, or the answer is another
 */
export async function askForConsent(
  question: string,
  { input, output }: Terminal = { input: process.stdin, output: process.stdout },
): Promise<void> {
  if (!input.isTTY || !output.isTTY) {
    throw new Error(`${question} Nothing was changed, since nobody can be asked here: say --yes`);
  }
  const terminal = createInterface({ input, output });
  // Who ends the input has not said yes.
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  const answer = await Promise.race([terminal.question(`${question} [yes/no] `), ended]);
  terminal.close();
  if (answer.trim().toLowerCase() !== 'yes') throw new Error('nothing was changed');
}
