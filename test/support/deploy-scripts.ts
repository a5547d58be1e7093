/** The scripts of deploy/ in a folder of their own, with a gcloud that only pretends. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The commands that it says it has run. */
  readonly shown: readonly string[];
}

export type Script = 'setup-env' | 'deploy' | 'teardown';
export type Platform = 'app-engine' | 'cloud-run';

export class DeployScripts {
  private readonly folder = mkdtempSync(join(tmpdir(), 'deploy-'));
  /** A checkout, as far as the scripts look. */
  readonly root = join(this.folder, 'checkout');
  private readonly state = join(this.folder, 'google');

  /**
   * @param config tasks.config.yaml; absent, the real one
   * @param before what there is on Google already
   */
  constructor(config?: string, before?: DeployScripts) {
    mkdirSync(this.state);
    if (before) cpSync(before.state, this.state, { recursive: true });
    mkdirSync(join(this.folder, 'bin'), { recursive: true });
    symlinkSync(join(ROOT, 'test/support/fake-gcloud.sh'), join(this.folder, 'bin/gcloud'));
    for (const path of ['deploy', 'app.yaml', 'relay.app.yaml', 'cron.yaml', 'tasks.config.yaml']) {
      if (existsSync(join(ROOT, path))) {
        cpSync(join(ROOT, path), join(this.root, path), { recursive: true });
      }
    }
    if (config !== undefined) writeFileSync(join(this.root, 'tasks.config.yaml'), config);
    for (const path of ['dist', 'node_modules', 'Dockerfile', 'package.json']) {
      symlinkSync(join(ROOT, path), join(this.root, path));
    }
  }

  run(
    script: Script,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ran> {
    return this.execute('bash', [join(this.root, 'deploy', `${script}.sh`), ...args], env);
  }

  /** As somebody who does it by hand. */
  gcloud(...args: readonly string[]): Promise<Ran> {
    return this.execute('gcloud', args, { CLOUDSDK_CORE_PROJECT: 'my-project' });
  }

  private execute(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Ran> {
    const path = [join(this.folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
    return new Promise((resolve) => {
      const child = execFile(
        program,
        args,
        { env: { PATH: path, FAKE_GCLOUD: this.state, RETRY_SECONDS: '0', TAG: 'v1', ...env } },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          const shown = stdout.split('\n').filter((line) => line.startsWith('+ '));
          resolve({ code, stdout, stderr, shown });
        },
      );
      child.stdin?.end('a value');
    });
  }

  /** All that there is on Google by now; of secrets, whether they have a value. */
  made(): Record<string, string> {
    const files = globSync('**/*', { cwd: this.state, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.state.length + 1))
      .filter((file) => !/^(?:calls$|values\/|known\/)/.test(file));
    return Object.fromEntries(
      files.sort().map((file) => [file, readFileSync(join(this.state, file), 'utf8')]),
    );
  }

  /** How often gcloud was called so far. */
  get calls(): number {
    const file = join(this.state, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  }

  /** What is in a secret. */
  value(secret: string): string {
    return readFileSync(join(this.state, 'values', secret), 'utf8');
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}
