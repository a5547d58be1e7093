/** Where the app is built as a platform builds it: steps in a folder that say what they do, and the process at their end. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, globSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { Output } from '../support/app-process.js';
import { freePort } from '../support/free-port.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Of this program: in an image it is the image's, on App Engine the runtime's. */
const NODE = dirname(process.execPath);

export type Variables = Readonly<Record<string, string>>;

export class BuildRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'build-'));

  constructor() {
    // Somebody else is to run what is built here.
    chmodSync(this.folder, 0o755);
  }

  /** One step; what it prints is shown where it fails. */
  run(command: string, cwd: string, env: Variables = {}): void {
    const start = process.hrtime.bigint();
    try {
      execFileSync('bash', ['-euo', 'pipefail', '-c', command], {
        cwd,
        env: { ...process.env, PATH: `${NODE}:${process.env['PATH'] ?? ''}`, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        encoding: 'utf8',
      });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${command}\n${stdout}${stderr}`, { cause: error });
    }
    const seconds = Number((process.hrtime.bigint() - start) / 1_000_000n) / 1000;
    console.log(`ok  ${command} (${seconds.toFixed(1)} s)`);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Bytes of all files in a folder. */
export function sizeOf(folder: string): number {
  return globSync('**', { cwd: folder })
    .map((path) => lstatSync(join(folder, path)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export class StartedApp {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly errors: Output,
  ) {}

  /** @param user whom it runs as, by number */
  static async start(
    [program = '', ...args]: readonly string[],
    cwd: string,
    env: Variables,
    user?: number,
  ): Promise<StartedApp> {
    const port = await freePort();
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd,
      env: { PATH: NODE, PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    const errors = new Output(child.stderr);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`It ended: ${errors.lines.join('\n')}`);
    });
    await Promise.race([new Output(child.stdout).line(`:${port}`), ended]);
    const app = new StartedApp(`http://127.0.0.1:${port}`, child, errors);
    await app.answers('/healthz');
    return app;
  }

  async answers(path: string): Promise<void> {
    const { statusCode, body } = await request(`${this.url}${path}`);
    await body.dump();
    if (statusCode !== 200) throw new Error(`${path} is answered with ${statusCode}.`);
    console.log(`ok  GET ${path}: 200`);
  }

  get port(): string {
    return new URL(this.url).port;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit') as Promise<[number | null]>;
    this.child.kill('SIGTERM');
    const [code] = await exited;
    if (code !== 0)
      throw new Error(`SIGTERM: exit code ${String(code)}: ${this.errors.lines.join()}`);
    console.log('ok  SIGTERM: exit code 0');
  }
}
