/** Starts somebody else's server on a free loopback port, in a folder that goes with it. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.js';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** @returns the program's path; Debian keeps some out of `PATH`, by version */
export function findProgram(name: string, debianPackage: string): string {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...globSync('/usr/lib/postgresql/*/bin').sort().reverse(),
  ];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `This test needs ${name}. On Debian or Ubuntu: apt-get install ${debianPackage}; on macOS: brew install ${debianPackage.replace('-server', '')}.`,
  );
}

export class ServerProcess {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /**
   * @param prepare given the folder, what to run to its end before
   * @param command given the port and the folder, the server's program and arguments
   * @param ready what it prints once it answers
   * @param user whom it must run as
   */
  static async start(
    command: (port: number, folder: string) => readonly [string, ...string[]],
    ready: RegExp,
    {
      prepare,
      user,
    }: { prepare?: (folder: string) => readonly [string, ...string[]]; user?: User } = {},
  ): Promise<ServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'nest-cloud-tasks-server-'));
    if (user) chownSync(folder, user.uid, user.gid);
    if (prepare) {
      const { child, output } = run(prepare(folder), folder, user);
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`${child.spawnfile} ended with ${String(code)}: ${output()}`);
    }
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      const { child, output, printed } = run(command(port, folder), folder, user);
      if (await printed(ready)) return new ServerProcess(port, child, folder);
      // Somebody may have taken the port in between.
      if (tries === 3) throw new Error(`${child.spawnfile} doesn't start: ${output()}`);
    }
  }

  /** As a crash of its machine, as far as others can tell. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, 'close');
    this.child.kill(signal);
    await closed;
  }

  async close(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.kill(signal);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function run([program, ...args]: readonly [string, ...string[]], cwd: string, user?: User) {
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    ...user,
  });
  // A test run that is broken off leaves no server behind.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('close', () => process.removeListener('exit', end));
  let text = '';
  let look = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      look();
    });
  }
  const printed = (pattern: RegExp) =>
    new Promise<boolean>((resolve) => {
      look = () => {
        if (pattern.test(text)) resolve(true);
      };
      child.once('close', () => resolve(false));
    });
  return { child, output: () => text, printed };
}
