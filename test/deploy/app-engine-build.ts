/**
 * Builds the app as App Engine does, and starts it with app.yaml: what .gcloudignore lets through,
 * `npm ci`, the script `gcp-build`, no `node_modules` any more, `npm ci --omit=dev`, the entrypoint.
 *
 *   npm run test:app-engine
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startEngine } from '../../src/host/start-engine.js';
import { makeKey } from '../../src/modules/producer/api-key.js';
import { writeKeyFile } from '../../src/modules/producer/key-file.js';
import { BuildRoom, megabytes, ROOT, sizeOf, StartedApp } from './build-room.js';
import type { Variables } from './build-room.js';

const room = new BuildRoom();
const engine = await startEngine({ dataDir: ':memory:', port: 0 });
try {
  const home = join(room.folder, 'workspace');
  for (const file of uploaded()) cpSync(join(ROOT, file), join(home, file));
  console.log(`ok  what is uploaded: ${megabytes(sizeOf(home))}`);
  room.run('npm ci --no-audit --no-fund', home, { NODE_ENV: 'development' });
  room.run('npm run gcp-build', home, { NODE_ENV: 'development' });
  rmSync(join(home, 'node_modules'), { recursive: true });
  room.run('npm ci --omit=dev --no-audit --no-fund', home, { NODE_ENV: 'production' });
  if (existsSync(join(home, 'node_modules/typescript'))) throw new Error('Tools are still there.');

  const { record } = makeKey({ client: 'me', external: false, rate: 600 }, new Date());
  writeKeyFile(join(home, 'producer-keys.json'), new Map([[record.id, record]]));
  for (const file of ['app.yaml', 'relay.app.yaml']) {
    const { entrypoint, env_variables: settings } = parse(
      readFileSync(join(home, file), 'utf8'),
    ) as { entrypoint: string; env_variables: Variables };
    const filled = Object.entries(settings).map(([name, value]) => [
      name,
      value.replaceAll(/YOUR_PROJECT/g, 'my-project').replaceAll('REGION_ID', 'uc'),
    ]);
    const app = await StartedApp.start(entrypoint.split(' '), home, {
      ...(Object.fromEntries(filled) as Variables),
      GAE_ENV: 'standard',
      GAE_SERVICE: 'default',
      GOOGLE_CLOUD_PROJECT: 'my-project',
      NODE_ENV: 'production',
      CLOUD_TASKS_EMULATOR_HOST: new URL(engine.url).host,
    });
    console.log(`ok  ${file}: ${entrypoint}`);
    await app.answers('/_ah/warmup');
    await app.stop();
  }
  console.log(`What runs: ${megabytes(sizeOf(home))}`);
} finally {
  await engine.close();
  room.close();
}

/** Of what is committed, what .gcloudignore doesn't leave out; it is written as .gitignore is. */
function uploaded(): string[] {
  const list = (...args: readonly string[]) =>
    execFileSync('git', ['ls-files', ...args], { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const left = new Set(list('-ci', '--exclude-from=.gcloudignore'));
  return list().filter((file) => file !== '' && !left.has(file) && existsSync(join(ROOT, file)));
}
