/** The engine and everything around it, in the thread that calls. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '../adapters/engine-server.js';
import { Calendar } from '../adapters/cron-calendar.js';
import { EngineServer } from '../adapters/engine-server.js';
import { GrpcServer } from '../adapters/grpc-server.js';
import { HttpTransport } from '../adapters/http-transport.js';
import { MemoryStore } from '../adapters/memory-store.js';
import { OidcIssuer } from '../adapters/oidc-issuer.js';
import { RestServer } from '../adapters/rest-server.js';
import { SqliteStore } from '../adapters/sqlite-store.js';
import { SystemClock } from '../adapters/system-clock.js';
import type { EngineRules } from '../engine/engine.js';
import { Engine } from '../engine/engine.js';
import { CloudTasksError } from '../engine/errors.js';
import type { EngineEvents, TaskStore } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import { MILLISECOND } from '../engine/time.js';
import { isLoopback } from '../foundation/loopback.js';
import { makeFolder } from '../foundation/make-folder.js';
import { engineSecret } from './engine-secret.js';
import { testControls } from './test-controls.js';
import { signingKey } from './signing-key.js';
import type { EngineOptions, RunningEngine } from './running-engine.js';

export async function localEngine(options: EngineOptions): Promise<RunningEngine> {
  const { dataDir, host = '127.0.0.1', port = 8123 } = options;
  const onEvent = options.onEvent ?? (() => undefined);
  const onError = (error: unknown) => onEvent({ type: 'server-failure', error });
  const clock = new SystemClock();
  if (options.testApi && !isLoopback(host)) {
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      `the test API lets whoever reaches it undo everything, so it is for loopback only: leave it out, or listen on 127.0.0.1 instead of ${host}`,
    );
  }
  // The port first: a second engine on the same folder is told so before it touches anything.
  const server = await EngineServer.listen({ host, port, onError });
  try {
    refuseFile(dataDir);
    const secret = options.secret ?? (await engineSecret(dataDir));
    const issuer = options.issuer ?? server.url;
    const tokens = await OidcIssuer.create({
      issuer,
      privateKey: await signingKey(dataDir),
      // Never ahead of the clock of who verifies the tokens.
      clock,
    });
    const store = openStore(dataDir, onEvent);
    const transport = new HttpTransport({ secret });
    const tests = options.testApi ? testControls(clock, transport) : undefined;
    const engine = new Engine(
      {
        clock,
        cron: new Calendar(),
        random: Math.random,
        store,
        transport,
        tokens,
        onEvent,
        ...tests?.ports,
      },
      { trustsHttp: trustsHttp(options), ...deduplication(options) },
    );
    let ready = false;
    server.serve({
      'GET /.well-known/openid-configuration': () => ok(tokens.discovery()),
      'GET /jwks': () => ok(tokens.jwks()),
      'GET /healthz': () => ok({ status: 'ok' }),
      'GET /readyz': () =>
        ready ? ok({ status: 'ok' }) : { status: 503, json: { status: 'not dispatching' } },
    });
    const grpc = new GrpcServer({ api: engine, onError });
    server.serveHttp2((socket) => grpc.serve(socket));
    const rest = new RestServer({
      api: engine,
      verbs: async (...of) => (await import('../adapters/grpc-rest-verbs.js')).restVerbs(...of),
      onError,
    });
    const answerTests = tests?.answer(engine);
    server.serveRest(async (request) => (await answerTests?.(request)) ?? rest.answer(request));
    return {
      api: engine,
      url: server.url,
      issuer,
      secret,
      dispatch: async (appEngineHosts) => {
        transport.setAppEngineHosts(appEngineHosts);
        engine.dispatch();
        ready = true;
      },
      idToken: (claims) => tokens.idToken(claims),
      drain: async (limit) => {
        ready = false;
        await atMost(limit, engine.drain());
      },
      close: async () => {
        ready = false;
        engine.abandon();
        await Promise.all([server.close(), grpc.close()]);
        await transport.close();
        await store.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Said here, since what is to be put into the folder would say it of itself. */
function refuseFile(dataDir: string): void {
  if (dataDir === ':memory:') return;
  try {
    makeFolder(dataDir);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOTDIR') return;
    throw new CloudTasksError(
      'FAILED_PRECONDITION',
      `expected a folder for the data, but ${dataDir} ${existsSync(dataDir) ? 'is' : 'is inside'} a file: choose another by DATA_DIR`,
      { cause },
    );
  }
}

function openStore(dataDir: string, onEvent: EngineEvents): TaskStore {
  if (dataDir === ':memory:') return new MemoryStore();
  try {
    return new SqliteStore({
      file: join(dataDir, 'tasks.sqlite'),
      onDamaged: (record) => onEvent({ type: 'damaged-record', record }),
    });
  } catch (cause) {
    // The store's message is one line for a person already.
    const { message } = cause as Error;
    throw new CloudTasksError('FAILED_PRECONDITION', message, { cause });
  }
}

function deduplication({ tombstoneTtl, queueTombstoneTtl }: EngineOptions): EngineRules {
  return {
    ...(tombstoneTtl === undefined ? {} : { taskTombstone: tombstoneTtl }),
    ...(queueTombstoneTtl === undefined ? {} : { queueTombstone: queueTombstoneTtl }),
  };
}

/**
 * Where a token may go over http: a laptop has no certificates, and what stays on it can't be
 * overheard, nor what stays where one says that it may go. Nowhere if strict.
 */
function trustsHttp({ strict, trustHttpOrigins = [] }: EngineOptions): (url: URL) => boolean {
  const named = new Set(trustHttpOrigins.map((origin) => new URL(origin).origin));
  return strict ? () => false : ({ hostname, origin }) => isLoopback(hostname) || named.has(origin);
}

function ok(json: object): Answer {
  return { status: 200, json };
}

async function atMost(limit: Duration, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limit / MILLISECOND);
  });
  await Promise.race([work, passed]);
  clearTimeout(timer);
}
