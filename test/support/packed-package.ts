/** The package as users get it: packed, and installed beside what this clone has installed. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes a folder whose `node_modules` has the package without its sources, and links to the rest, so
 * that no network is asked. It packs what was built last.
 */
export async function installPackedPackage(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const run = promisify(execFile);
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: ROOT });
  const own = join(folder, 'node_modules', 'nest-cloud-tasks');
  mkdirSync(own, { recursive: true });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', own, '--strip-components=1']);
  rmSync(join(folder, stdout.trim()));
  const installed = join(ROOT, 'node_modules');
  for (const name of readdirSync(installed)) {
    if (!name.startsWith('.'))
      symlinkSync(join(installed, name), join(folder, 'node_modules', name));
  }
  return folder;
}
