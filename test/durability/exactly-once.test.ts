/**
 * Two worker processes on one store, each task delivered twice, one time to each of them: its
 * effect happens once; also when workers are killed in mid-handler.
 *
 * Few tasks in the suite; `ROUNDS=500` delivers 10,000 twice on each store, and kills 100 times.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MILLISECOND } from '../../src/engine/time.js';
import type { RunningEngine } from '../../src/host/start-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import { lineageHeaders, newLineage } from '../../src/modules/dead-letters/lineage.js';
import { freePort } from '../support/free-port.js';
import { startPostgres, startRedis } from '../support/store-servers.js';
import { seeds } from './rounds.js';

const { ROUNDS } = process.env;
const TASKS = ROUNDS === undefined ? 150 : Math.ceil((10_000 * Number(ROUNDS)) / 500);
const QUEUE = 'projects/local/locations/us-central1/queues/once';
const WORKER = fileURLToPath(new URL('../support/once-worker.ts', import.meta.url));
const LOADER = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url));

let folder: string;
let engine: RunningEngine;
let workers: Worker[];
/** Ids of tasks that haven't been answered 200. */
let waiting: Set<string>;
let allDone: PromiseWithResolvers<undefined>;
let answered: Map<string, number>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exactly-once-'));
  waiting = new Set();
  answered = new Map();
  workers = [];
  engine = await startEngine({
    dataDir: ':memory:',
    port: 0,
    onEvent: (event) => {
      if (event.type !== 'attempt') return;
      const { task, result } = event;
      if (result.kind !== 'response' || result.status !== 200) return;
      waiting.delete(task);
      // What the file has by now was before the answer.
      const work = /-(\d+)-\d$/.exec(task)?.[1] ?? '';
      if (!answered.has(work)) answered.set(work, size());
      if (waiting.size === 0) allDone.resolve(undefined);
    },
  });
  await engine.api.createQueue({
    parent: QUEUE.replace('/queues/once', ''),
    queue: {
      name: QUEUE,
      retryConfig: {
        maxAttempts: -1,
        minBackoff: 50 * MILLISECOND,
        maxBackoff: 200 * MILLISECOND,
      },
      rateLimits: { maxConcurrentDispatches: 100 },
    },
  });
  await engine.dispatch({});
});

afterEach(async () => {
  await engine.close();
  await Promise.all(workers.map((worker) => worker.kill()));
  rmSync(folder, { recursive: true });
});

const happened = () => join(folder, 'happened');
const text = () => readFileSync(happened(), 'utf8');
const size = () => Buffer.byteLength(text());

class Worker {
  private child: ChildProcess | undefined;

  constructor(
    private readonly store: string,
    readonly port: number,
  ) {
    workers.push(this);
  }

  async start(): Promise<void> {
    const args = ['--import', LOADER, WORKER, this.store, engine.url, String(this.port)];
    const child = spawn(process.execPath, [...args, happened()], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('A worker ended at its start.'))),
    ]);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

/**
 * Two deliveries of each work, as the queue makes them when it missed an answer.
 *
 * @param victim a worker that is in the middle of the first work by then, and stays there
 */
async function deliverTwice(
  round: number,
  count: number,
  turns: number,
  victim?: number,
): Promise<void> {
  allDone = Promise.withResolvers();
  const create = async (work: number, uid: Record<string, string>, index: number, hold = false) => {
    const id = `r${round}-${work}-${index}`;
    waiting.add(id);
    await engine.api.createTask({
      parent: QUEUE,
      task: {
        name: `${QUEUE}/tasks/${id}`,
        httpRequest: {
          url: `http://127.0.0.1:${workers[index]?.port ?? 0}/once/effect`,
          headers: { ...uid, 'Content-Type': 'application/json' },
          body: new TextEncoder().encode(JSON.stringify({ work, turns, hold })),
          oidcToken: { serviceAccountEmail: 'tasks@local', audience: 'once' },
        },
      },
    });
  };
  const works = Array.from({ length: count }, (_, index) => round * 1_000_000 + index);
  const deliveries = works.flatMap((work) => {
    const uid = lineageHeaders(newLineage(0));
    return [0, 1].map((index) => ({ work, uid, index }));
  });
  const held = deliveries.findIndex(({ index }) => index === victim);
  for (const { work, uid, index } of held < 0 ? [] : deliveries.splice(held, 1)) {
    await create(work, uid, index, true);
    await line(new RegExp(`^began ${work} `, 'm'));
  }
  await Promise.all(deliveries.map(({ work, uid, index }) => create(work, uid, index)));
}

/** The fences of each work, of lines that begin with that word. */
function fences(word: 'began' | 'effect', lines = text()): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [, work = '', fence] of lines.matchAll(new RegExp(`^${word} (\\d+) (\\d+)$`, 'gm'))) {
    found.set(work, [...(found.get(work) ?? []), Number(fence)]);
  }
  return found;
}

async function startWorkers(store: string): Promise<void> {
  const ports = [await freePort(), await freePort()];
  const started = ports.map((port) => new Worker(store, port));
  await Promise.all(started.map((worker) => worker.start()));
}

async function everyEffectOnce(store: string): Promise<void> {
  await startWorkers(store);
  await deliverTwice(1, TASKS, 3);
  await allDone.promise;
  const effects = fences('effect');
  expect(effects.size).toBe(TASKS);
  expect([...effects].filter(([, times]) => times.length !== 1)).toEqual([]);
  expect(fences('began')).toEqual(effects);
}

const LIMIT = 60_000 + TASKS * 60;

describe('each task delivered twice, to two processes', () => {
  test('SQLite', () => everyEffectOnce(`sqlite:${join(folder, 'journal.sqlite')}`), LIMIT);

  test(
    'Redis',
    async () => {
      await using server = await disposable(startRedis());
      await everyEffectOnce(server.url);
    },
    LIMIT,
  );

  test(
    'PostgreSQL',
    async () => {
      await using server = await disposable(startPostgres());
      await everyEffectOnce(server.url);
    },
    LIMIT,
  );
});

async function disposable(starting: ReturnType<typeof startRedis>) {
  const server = await starting;
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}

/** Until the file has grown by another line that matches. */
async function line(pattern: RegExp): Promise<void> {
  const watcher = watch(happened());
  try {
    while (!pattern.test(text())) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}

test(
  'a worker killed in mid-handler: all is done, and nothing again once that was recorded',
  async () => {
    const rounds = seeds(2, 100);
    await startWorkers(`sqlite:${join(folder, 'journal.sqlite')}`);
    let takenOver = 0;
    for (const [index] of rounds.entries()) {
      const round = index + 1;
      await deliverTwice(round, 20, 2000, round % 2);
      const victim = workers[round % 2];
      await victim?.kill();
      await victim?.start();
      await allDone.promise;
    }
    const all = text();
    const effects = fences('effect', all);
    expect(effects.size).toBe(rounds.length * 20);
    for (const began of fences('began', all).values()) {
      // Each run knows that it came after those before it.
      expect(began).toEqual([...new Set(began)].sort((a, b) => a - b));
      takenOver += began.length - 1;
    }
    for (const [work, from] of answered) {
      const later = Buffer.from(all).subarray(from).toString();
      expect(later).not.toMatch(new RegExp(`^(began|effect) ${work} `, 'm'));
    }
    expect(takenOver).toBeGreaterThanOrEqual(rounds.length);
  },
  LIMIT * 4,
);
