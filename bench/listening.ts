/** Waits for a process that says where it listens. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The first address that its output names; what follows is let go. */
export async function listeningAt(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('The process has no output to read.');
  for await (const line of createInterface(child.stdout)) {
    const address = /http:\/\/[\w.:[\]]+/.exec(line)?.[0];
    if (address) {
      child.stdout.resume();
      return address;
    }
  }
  throw new Error('The process ended before it listened.');
}
