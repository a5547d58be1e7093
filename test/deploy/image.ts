/**
 * Carries out the Dockerfile without Docker, line by line: copies what .dockerignore lets through,
 * runs each RUN, starts CMD as somebody who isn't root, asks its HEALTHCHECK, and prints the size.
 *
 *   npm run test:image
 *
 * What it can't show is what comes with the base image.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BuildRoom, megabytes, ROOT, sizeOf, StartedApp } from './build-room.js';

/** As whom `node` runs in the base image. */
const USER = 1000;

interface Stage {
  readonly root: string;
  workdir: string;
}

const room = new BuildRoom();
try {
  await buildAndStart();
} finally {
  room.close();
}

async function buildAndStart(): Promise<void> {
  const stages = new Map<string, Stage>();
  const context = join(room.folder, 'context');
  copyContext(context);
  const env: Record<string, string> = {};
  let stage: Stage = { root: room.folder, workdir: '/' };
  let user: string | undefined;
  let health: readonly string[] = [];
  let command: readonly string[] = [];
  for (const [keyword, text] of instructions(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))) {
    const cwd = join(stage.root, stage.workdir);
    switch (keyword) {
      case 'FROM': {
        const [, name] = / AS (\S+)$/.exec(text) ?? [];
        stage = { root: join(room.folder, `stage-${stages.size}`), workdir: '/' };
        stages.set(name ?? 'last', stage);
        break;
      }
      case 'WORKDIR':
        stage.workdir = text;
        mkdirSync(join(stage.root, text), { recursive: true });
        break;
      case 'COPY': {
        const [, from, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? [];
        const source = from === undefined ? undefined : stages.get(from);
        if (from !== undefined && !source) throw new Error(`COPY: there is no stage ${from}.`);
        copy(paths.split(' '), source?.root ?? context, cwd);
        break;
      }
      case 'RUN':
        // There may be no user `node` on this machine.
        room.run(text.replaceAll('node:node', `${USER}:${USER}`), cwd, env);
        break;
      case 'ENV': {
        const [name = '', value = ''] = text.split('=');
        env[name] = value;
        break;
      }
      case 'USER':
        user = text;
        break;
      case 'HEALTHCHECK':
        health = JSON.parse(/CMD (\[.*\])$/.exec(text)?.[1] ?? '[]') as string[];
        break;
      case 'CMD':
        command = JSON.parse(text) as string[];
        break;
      case 'EXPOSE':
      case 'STOPSIGNAL':
        break;
      default:
        throw new Error(`${keyword}: this script doesn't know it.`);
    }
  }
  if (user !== 'node') throw new Error(`It runs as ${user ?? 'root'}.`);
  const home = join(stage.root, stage.workdir);
  const tools = ['typescript', 'jest', '@nestjs/cli'];
  const left = tools.filter((tool) => existsSync(join(home, 'node_modules', tool)));
  if (left.length > 0) throw new Error(`Development dependencies are in it: ${left.join(', ')}.`);
  // Only root can become somebody else; whoever isn't root needn't.
  const isRoot = process.getuid?.() === 0;
  if (isRoot && statSync(join(home, 'dist')).uid !== 0)
    throw new Error('The app can change itself.');
  const app = await StartedApp.start(
    command,
    home,
    { ...env, ENGINE_PORT: '0' },
    isRoot ? USER : undefined,
  );
  execFileSync(process.execPath, health.slice(1), { env: { PORT: app.port } });
  console.log('ok  HEALTHCHECK: exit code 0');
  await app.stop();
  console.log(
    `The app and what it needs: ${megabytes(sizeOf(stage.root))}, of that node_modules ${megabytes(sizeOf(join(home, 'node_modules')))}; the base image comes to it.`,
  );
}

/** What follows a `\` is part of the line before. */
function instructions(text: string): [keyword: string, text: string][] {
  return text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [keyword = ''] = line.split(' ', 1);
      return [keyword, line.slice(keyword.length + 1)];
    });
}

/** Our .dockerignore leaves out everything, and then names what is let through. */
function copyContext(to: string): void {
  const [all, ...names] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (all !== '*' || !names.every((name) => name.startsWith('!'))) {
    throw new Error('.dockerignore: expected * and then names that begin with !');
  }
  for (const name of names.map((line) => line.slice(1))) {
    cpSync(join(ROOT, name), join(to, name), { recursive: true });
  }
}

/** As COPY: of a folder what is in it, of files themselves. */
function copy(paths: readonly string[], source: string, cwd: string): void {
  const to = paths.at(-1) ?? '.';
  for (const path of paths.slice(0, -1)) {
    const from = join(source, path);
    const target = statSync(from).isDirectory() ? join(cwd, to) : join(cwd, to, basename(path));
    cpSync(from, target, { recursive: true, verbatimSymlinks: true });
  }
  console.log(`ok  COPY ${paths.join(' ')}`);
}
