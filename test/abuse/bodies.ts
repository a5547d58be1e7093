/**
 * Bodies by a grammar, mutated, of random bytes and in wrong encodings, to every route that takes
 * one: none is answered with 5xx or not at all, none is changed on its way, and nothing is kept.
 */
import { Readable } from 'node:stream';
import { Pool } from 'undici';
import { Chance } from '../support/chance.js';
import { AbusedApp, AUDIENCE, TASK_ROUTES } from './abused-app.js';
import type { FuzzedRequest } from './fuzzed-requests.js';
import { fuzzedRequest } from './fuzzed-requests.js';
import { liveMemory } from './live-memory.js';
import { assertNoSecrets, keepSecret, keepSignature } from './secrets.js';

export const size = 100_000;

const AT_ONCE = 12;
/** After so many, what was logged and enqueued is looked at and thrown away. */
const BATCH = 1_000;
/** A body of a megabyte takes milliseconds. */
const HANGS_AFTER_MS = 30_000;
/** Of the live heap, from a tenth of the run to its end. */
const MOST_GROWTH = 12 * 1024 * 1024;
const MEMORY_IS_TOLD_FROM = 10_000;

export async function run(count: number, seed: number): Promise<string> {
  const app = await AbusedApp.start({
    variables: { EXTERNAL_ORIGINS: 'https://api.example.com' },
  });
  const pool = new Pool(app.url, {
    connections: AT_ONCE,
    headersTimeout: HANGS_AFTER_MS,
    bodyTimeout: HANGS_AFTER_MS,
  });
  const statuses = new Map<number, number>();
  const routes = [...TASK_ROUTES, ...(await enqueuingRoutes(app))];
  const credentials = credentialsOf(app);
  let memory: { start: number; end: number } | undefined;
  try {
    await park(app);
    for (let first = 0; first < count; first += BATCH) {
      const last = Math.min(first + BATCH, count);
      let next = first;
      const caller = async () => {
        for (let index = next++; index < last; index = next++) {
          const chance = new Chance(seed + index * 7919);
          const sent = fuzzedRequest(chance, chance.pick(routes));
          const status = await check(app, pool, sent, credentials, chance).catch(
            (cause: unknown) => {
              throw new Error(`case ${index}: ${shown(sent)}`, { cause });
            },
          );
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, caller));
      await scan(app);
      const used = liveMemory().heap;
      if (memory || last * 10 >= count) memory = { start: memory?.start ?? used, end: used };
    }
    const grown = memory ? memory.end - memory.start : 0;
    if (count >= MEMORY_IS_TOLD_FROM && grown > MOST_GROWTH) {
      throw new Error(`The heap grew by ${megabytes(grown)} MB.`);
    }
    if (Object.keys(Object.prototype).length > 0) throw new Error('A prototype is polluted.');
    const told = [...statuses]
      .sort(([one], [other]) => one - other)
      .map(([status, times]) => `${times} x ${status}`);
    return `${routes.length} routes, ${told.join(', ')}, heap ${megabytes(memory?.start ?? 0)} -> ${megabytes(memory?.end ?? 0)} MB`;
  } finally {
    await pool.close();
    await app.close();
  }
}

/** Those that the app tells of itself, whichever they are by now. */
async function enqueuingRoutes(app: AbusedApp): Promise<string[]> {
  const { json } = await app.send('/', [], '', 'GET');
  const { endpoints } = json as { endpoints: Record<string, string> };
  return Object.keys(endpoints)
    .map((endpoint) => /^POST (\/[a-z_]+)$/.exec(endpoint)?.[1])
    .filter((path) => path !== undefined)
    .filter((path) => path !== '/relay' && !TASK_ROUTES.some((route) => route === path));
}

/** Whoever may do everything. */
function credentialsOf(app: AbusedApp): string[] {
  const headers = [...app.credentials(), ...app.producerCredentials()];
  keepSecret(app.apiKey, 'the API key');
  keepSignature(app.token());
  return headers.flat();
}

/** The queue has the one task that is delivered, and a place for its dead letter. */
async function park(app: AbusedApp): Promise<void> {
  const { api } = app.app;
  const name = app.app.queueName('default-dead-letter');
  await api.createQueue({ parent: name.replace(/\/queues\/.*/, ''), queue: { name } });
  const parent = app.app.queueName();
  const httpRequest = { url: `${AUDIENCE}/abuse/work` };
  await api.createTask({ parent, task: { name: `${parent}/tasks/fuzz`, httpRequest } });
}

async function check(
  app: AbusedApp,
  pool: Pool,
  { path, headers, body, isChunked, payload }: FuzzedRequest,
  credentials: readonly string[],
  chance: Chance,
): Promise<number> {
  const answer = await pool.request({
    method: 'POST',
    path,
    headers: [...credentials, ...headers],
    body: isChunked ? Readable.from(parts(body, chance)) : body,
  });
  const { statusCode } = answer;
  const text = await answer.body.text();
  if (statusCode >= 500) throw new Error(`answered ${statusCode}: ${text.slice(0, 300)}`);
  if (statusCode >= 300) {
    const { outcome, statusCode: told, message } = JSON.parse(text) as Record<string, unknown>;
    const isRefusal = told === statusCode && typeof message === 'string' && text.length < 2_000;
    // Of tasks, the queue is told no more.
    if (!isRefusal && typeof outcome !== 'string') {
      throw new Error(`answered ${statusCode} without the form of errors: ${text.slice(0, 300)}`);
    }
  }
  if (statusCode === 202 && payload !== undefined && chance.is(0.1)) {
    const { name } = JSON.parse(text) as { name: string };
    const task = await app.app.api.getTask({ name, responseView: 'FULL' });
    const kept = Buffer.from((task.httpRequest ?? task.appEngineHttpRequest)?.body ?? []);
    if (kept.toString() !== payload) throw new Error(`kept ${kept.toString()}`);
  }
  return statusCode;
}

async function scan(app: AbusedApp): Promise<void> {
  assertNoSecrets(app.takeLog(), 'the log');
  app.handled.length = 0;
  app.reached.length = 0;
  const { api } = app.app;
  for (const queue of ['default', 'default-dead-letter']) {
    const parent = app.app.queueName(queue);
    let pageToken: string | undefined = '';
    while (pageToken !== undefined) {
      const page = await api.listTasks({ parent, responseView: 'FULL', pageToken });
      for (const task of page.tasks) {
        const { body, headers } = task.httpRequest ?? task.appEngineHttpRequest ?? {};
        assertNoSecrets(JSON.stringify(headers), `the headers of ${task.name}`);
        assertNoSecrets(Buffer.from(body ?? []).toString('latin1'), `the body of ${task.name}`);
        if (!task.name.endsWith('/fuzz')) await api.deleteTask({ name: task.name });
      }
      pageToken = page.nextPageToken || undefined;
    }
  }
}

function parts(body: Buffer, chance: Chance): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const end = chance.between(at + 1, body.length);
    found.push(body.subarray(at, end));
    at = end;
  }
  return found;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function shown({ path, headers, body, isChunked }: FuzzedRequest): string {
  const what = `POST ${path}${isChunked ? ' in chunks' : ''} ${headers.join(' ')}`;
  return `${what}, ${body.length} bytes: ${JSON.stringify(body.subarray(0, 400).toString('latin1'))}`;
}
