/** Real Redis and PostgreSQL servers for tests, from the system's packages. */
import { execFileSync } from 'node:child_process';
import type { User } from './server-process.js';
import { findProgram, ServerProcess } from './server-process.js';

export interface StoreServer {
  /** For `STORE_URL`. */
  readonly url: string;
  kill(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedis(): Promise<StoreServer> {
  const program = findProgram('redis-server', 'redis-server');
  const server = await ServerProcess.start((port, folder) => {
    const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' };
    return [program, ...Object.entries(settings).flatMap(([k, v]) => [`--${k}`, String(v)])];
  }, /Ready to accept connections/);
  return {
    url: `redis://127.0.0.1:${server.port}`,
    kill: () => server.kill(),
    close: () => server.close(),
  };
}

export async function startPostgres(): Promise<StoreServer> {
  const initdb = findProgram('initdb', 'postgresql');
  const program = findProgram('postgres', 'postgresql');
  const user = otherThanRoot();
  const server = await ServerProcess.start(
    (port, folder) => [
      program,
      ...['-D', `${folder}/data`, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-F'],
    ],
    /database system is ready to accept connections/,
    {
      prepare: (folder) => [
        initdb,
        ...['-D', `${folder}/data`, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
      ],
      ...(user ? { user } : {}),
    },
  );
  return {
    url: `postgres://tester:not-asked-for@127.0.0.1:${server.port}/postgres`,
    kill: () => server.kill(),
    // Doesn't wait for those that are connected.
    close: () => server.close('SIGINT'),
  };
}

/** PostgreSQL refuses to run as root; its package comes with a user of its own. */
function otherThanRoot(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (kind: '-u' | '-g') =>
    Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
