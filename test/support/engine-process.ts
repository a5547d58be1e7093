/** `nest-cloud-tasks engine` as a process of its own, from the built package. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface EngineProcess {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** What it has written to stdout so far, by lines. */
  readonly lines: readonly string[];
  /** Resolves to the first line that matches, also one that is there already. */
  line(pattern: RegExp): Promise<string>;
  /** Ends it by SIGTERM and resolves to its exit code. */
  end(): Promise<number | null>;
}

/** Starts an engine on a free port, and waits until it listens; without `--data` it keeps nothing. */
export async function startEngineProcess(...flags: string[]): Promise<EngineProcess> {
  const kept = flags.includes('--data') ? [] : ['--memory'];
  const child = spawn(process.execPath, [CLI, 'engine', '--port', '0', ...kept, ...flags], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, 'close') as Promise<[number | null]>;
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = lines.find((text) => pattern.test(text));
        if (found !== undefined) {
          waiting.delete(look);
          resolve(found);
        }
      };
      waiting.add(look);
      look();
      void exited.then(() =>
        reject(new Error(`It ended without a line ${String(pattern)}: ${errors}`)),
      );
    });
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await line(/Cloud Tasks engine on/)) ?? [];
  return {
    url,
    port: Number(new URL(url).port),
    child,
    lines,
    line,
    end: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

/** Runs the command line to its end. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
