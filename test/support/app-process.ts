/** The built app, or another of our servers, as a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const LISTENING = /(http:\/\/127\.0\.0\.1:\d+)/;

export interface AppProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it has written to stdout so far, by lines. */
  readonly lines: readonly string[];
  /** Ends it and waits for that. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts the app on free ports, as `npm start` does, and waits until it listens. */
export function startApp(env: Readonly<Record<string, string>>): Promise<AppProcess> {
  return startListening([MAIN], { PORT: '0', ENGINE_PORT: '0', ...env });
}

/**
 * Starts the engine alone on a free port, as `npx nest-cloud-tasks engine` does.
 *
 * @param nodeArguments for node itself, in front of the program.
 */
export function startEngineAlone(
  dataDir: string,
  nodeArguments: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<AppProcess> {
  return startListening([...nodeArguments, CLI, 'engine', '--port', '0', '--data', dataDir], env);
}

/** Starts node with these arguments and waits for a line with the address where it listens. */
async function startListening(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<AppProcess> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      const [, address] = LISTENING.exec(line) ?? [];
      if (address) resolve(address);
    });
    void exited.then(() => reject(new Error(`It ended before it listened: ${errors}`)));
  });
  return {
    url,
    child,
    lines,
    kill: async (signal) => {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}
