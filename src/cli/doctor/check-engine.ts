/** Looks at the embedded engine: its folder and its secrets, its port, and who answers there. */
import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { EmbeddedSettings } from '../../config.js';
import { isLoopback, reachable } from '../../foundation/loopback.js';
import { keysOf } from './check-keys.js';
import type { Section } from './examined.js';
import type { Finding } from './finding.js';
import { codeOf, fail, ok, warn } from './finding.js';
import { folderFinding } from './folder.js';

const LIMIT_MS = 2_000;
const DISCOVERY = '/.well-known/openid-configuration';

export const engine: Section = {
  title: 'The engine',
  needs: ['TASKS_BACKEND', 'DATA_DIR', 'ENGINE_HOST', 'ENGINE_PORT', 'PORT', 'HOST'],
  applies: ({ settings: { backend } }) => backend.kind === 'embedded',
  async *findings({ settings: { backend, host, port } }) {
    if (backend.kind !== 'embedded') return;
    yield folder(backend.dataDir);
    if (backend.dataDir !== ':memory:') yield* privateFiles(backend.dataDir);
    yield* exposure(backend);
    if (backend.port !== 0) yield* enginePort(backend);
    if (port !== 0) yield await appPort(host, port);
  },
};

function folder(dataDir: string): Finding {
  if (dataDir !== ':memory:') return folderFinding('DATA_DIR', dataDir);
  return warn('DATA_DIR', ':memory: keeps no task when the app ends', 'Unset DATA_DIR');
}

/** As the engine refuses them. */
function* privateFiles(dataDir: string): Iterable<Finding> {
  // Windows has no such bits.
  if (process.platform === 'win32') return;
  for (const name of ['engine-secret', 'oidc-key.pem']) {
    const path = join(dataDir, name);
    if (!existsSync(path)) continue;
    const mode = statSync(path).mode & 0o777;
    const shown = mode.toString(8).padStart(4, '0');
    yield (mode & 0o077) === 0
      ? ok(name, `only this user can read it (mode ${shown})`)
      : fail(
          name,
          `other users can read it (mode ${shown}), so the engine doesn't start`,
          `chmod 600 ${path}`,
        );
  }
}

function* exposure({ host }: EmbeddedSettings): Iterable<Finding> {
  if (isLoopback(host)) return;
  yield warn(
    'ENGINE_HOST',
    `whoever reaches ${host} may make, change and delete any task and queue`,
    'Unset ENGINE_HOST, or let nobody but your own containers reach that port',
  );
}

async function* enginePort({ host, port }: EmbeddedSettings): AsyncIterable<Finding> {
  const address = `${reachable(host)}:${port}`;
  const about = 'ENGINE_PORT';
  const answer = await get(`http://${address}${DISCOVERY}`);
  if (isEngine(answer)) {
    yield ok(about, `an engine answers at ${address}`);
    yield await keysOf('keys', { jwksUrl: `http://${address}/jwks` });
  } else if (answer) {
    yield fail(about, `something else answers at ${address}`, 'Choose another by ENGINE_PORT');
  } else {
    yield await portToTake(about, host, port);
  }
}

/** Whether it is an engine that answers there; what else does may never answer gRPC. */
export async function engineAnswers({ host, port }: EmbeddedSettings): Promise<boolean> {
  return isEngine(await get(`http://${reachable(host)}:${port}${DISCOVERY}`));
}

function isEngine(answer: { readonly json: unknown } | undefined): boolean {
  const { jwks_uri: keys } = (answer?.json ?? {}) as { readonly jwks_uri?: unknown };
  return typeof keys === 'string';
}

async function appPort(host: string, port: number): Promise<Finding> {
  const address = `${reachable(host)}:${port}`;
  const answer = await get(`http://${address}/healthz`);
  if (!answer) return portToTake('PORT', host, port);
  return (answer.json as { status?: unknown } | undefined)?.status === 'ok'
    ? ok('PORT', `an app answers at ${address}`)
    : fail('PORT', `something else answers at ${address}`, 'Choose another by PORT');
}

/** What doesn't speak HTTP may listen there all the same. */
async function portToTake(about: string, host: string, port: number): Promise<Finding> {
  const server = createServer();
  const taken = Promise.withResolvers<unknown>();
  server.once('error', taken.resolve);
  server.listen(port, host, () => taken.resolve(undefined));
  const error = await taken.promise;
  server.close();
  return error === undefined
    ? ok(about, `${port} is free: nothing of ours runs here now`)
    : fail(
        about,
        `${port} on ${host} can't be taken (${codeOf(error)})`,
        `Choose another by ${about}`,
      );
}

async function get(url: string): Promise<{ readonly json: unknown } | undefined> {
  try {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const response = await fetch(url, { redirect: 'manual', signal });
    const text = await response.text();
    return { json: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined };
  } catch {
    return undefined;
  }
}
