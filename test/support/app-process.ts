/** The built app, or another of our servers, as a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Of a server that listens on every address too. */
const LISTENING = /http:\/\/(?:127\.0\.0\.1|0\.0\.0\.0)(:\d+)/;

export interface AppProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it has written to stdout so far, by lines. */
  readonly lines: readonly string[];
  readonly stdout: Output;
  readonly stderr: Output;
  /** Ends it and waits for that. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/** What a process writes, by lines. */
export class Output {
  readonly lines: string[] = [];
  private readonly reader: Interface;

  constructor(stream: Readable) {
    this.reader = createInterface(stream).on('line', (line) => this.lines.push(line));
  }

  /** Resolves with the first line, past ones included, that holds the text or fits the pattern. */
  line(wanted: string | RegExp): Promise<string> {
    const fits = (line: string) =>
      typeof wanted === 'string' ? line.includes(wanted) : wanted.test(line);
    const past = this.lines.find(fits);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => {
      const check = (line: string) => {
        if (!fits(line)) return;
        this.reader.off('line', check);
        resolve(line);
      };
      this.reader.on('line', check);
    });
  }
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
  const stdout = new Output(child.stdout);
  const stderr = new Output(child.stderr);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const ended = exited.then(() => {
    throw new Error(`It ended before it listened: ${stderr.lines.join('\n')}`);
  });
  const listening = await Promise.race([stdout.line(LISTENING), ended]);
  return {
    url: `http://127.0.0.1${LISTENING.exec(listening)?.[1] ?? ''}`,
    child,
    lines: stdout.lines,
    stdout,
    stderr,
    kill: async (signal) => {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}
