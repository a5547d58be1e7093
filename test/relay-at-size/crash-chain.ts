/** An engine that stays, a relay that is ended again and again, and a target that takes note of every call. */
import { pause } from './real-time.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RunningEngine } from '../../src/host/running-engine.js';
import { startEngine } from '../../src/host/start-engine.js';
import type { RelayRecord } from '../../src/modules/relay/relay-status.js';
import type { EnqueuedCall } from './relay-process.js';
import { RelayProcess } from './relay-process.js';
import type { Held } from './silent-target.js';
import { SilentTarget } from './silent-target.js';

const LOCATION = 'projects/local/locations/us-central1';
const ACCOUNT = 'tasks@local';

/** What the target saw of one call. */
export interface SeenCall {
  readonly key: string;
  readonly attempt: string;
}

export interface ChainOptions {
  /** Default `1s`. */
  readonly lease?: `${number}s`;
  /** How long calls may take when another relay has them, in milliseconds. Default a minute. */
  readonly patience?: number;
  /** Of the relay's process. */
  readonly variables?: NodeJS.ProcessEnv;
}

export class CrashChain {
  readonly seen: SeenCall[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'relay-crash-'));
  private readonly journal = join(this.folder, 'journal.sqlite');
  private answers = true;

  private constructor(
    private readonly engine: RunningEngine,
    readonly target: SilentTarget,
    private readonly options: ChainOptions,
  ) {}

  static async start(options: ChainOptions = {}): Promise<CrashChain> {
    const engine = await startEngine({ dataDir: ':memory:', port: 0 });
    const chain: { made?: CrashChain } = {};
    const target = await SilentTarget.start((held) => chain.made?.take(held));
    const made = new CrashChain(engine, target, options);
    chain.made = made;
    for (const id of ['default', 'relay-callbacks']) {
      for (const name of [id, `${id}-dead-letter`]) {
        await engine.api.createQueue({
          parent: LOCATION,
          queue: {
            name: `${LOCATION}/queues/${name}`,
            rateLimits: { maxDispatchesPerSecond: 500, maxConcurrentDispatches: 1000 },
            retryConfig: { maxAttempts: -1, minBackoff: 50_000, maxBackoff: 200_000 },
          },
        });
        if (name !== id) await engine.api.pauseQueue({ name: `${LOCATION}/queues/${name}` });
      }
    }
    await engine.dispatch({ default: 'http://127.0.0.1:9' });
    return made;
  }

  /** A relay of the same store, at this port. */
  relay(port = 0): Promise<RelayProcess> {
    const { lease = '1s', variables = {} } = this.options;
    return RelayProcess.start({
      port,
      variables,
      tasks: {
        backend: 'google',
        emulatorHost: new URL(this.engine.url).host,
        project: 'local',
        serviceUrl: this.serviceUrl,
        serviceAccount: ACCOUNT,
        auth: { mode: 'oidc', issuer: this.engine.issuer },
        store: `sqlite:${this.journal}`,
      },
      relay: {
        rules: [{ origin: this.target.url, concurrency: 1000 }],
        loopback: 'by-rule',
        lease,
      },
    });
  }

  /** Where tasks go: a port that stays the same while processes come and go. */
  serviceUrl = '';

  /** Whether the target answers what comes from now on. */
  answering(answers: boolean): void {
    this.answers = answers;
    if (answers) this.target.answerAll();
  }

  calls(count: number, retry: 'at-least-once' | 'never-after-sent'): EnqueuedCall[] {
    const request = {
      url: this.target.url,
      payload: 'x',
      timeout: '60s',
      retry,
      onCallerGone: 'finish',
    } as const;
    return Array.from({ length: count }, () => ({ request, options: { maxAttempts: -1 } }));
  }

  /** Whether somebody has the journal's file for a commit. */
  isLocked(): boolean {
    const db = new DatabaseSync(this.journal, { timeout: 0 });
    try {
      db.exec('BEGIN IMMEDIATE; ROLLBACK');
      return false;
    } catch {
      return true;
    } finally {
      db.close();
    }
  }

  /** The records of all, once each has ended. */
  async ended(relay: RelayProcess, ids: readonly string[]): Promise<RelayRecord[]> {
    const { patience = 60_000 } = this.options;
    const end = Date.now() + patience;
    for (;;) {
      const records = await relay.status(ids);
      if (records.every(({ state }) => state === 'done' || state === 'dead')) return records;
      if (Date.now() > end) {
        const states = records.map(({ state, message }) => `${state} ${message ?? ''}`);
        throw new Error(
          `After ${patience / 1000} s calls are still ${[...new Set(states)].join(', ')}.`,
        );
      }
      await pause(20);
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.target.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private take({ headers, response }: Held): void {
    this.seen.push({
      key: String(headers['idempotency-key']),
      attempt: String(headers['x-relay-attempt']),
    });
    if (this.answers) response.end('done');
  }
}

/**
 * What must hold of a round, however its relay was ended.
 *
 * @throws Error
 */
export function checkRound(
  seen: readonly SeenCall[],
  ids: { readonly often: readonly string[]; readonly once: readonly string[] },
  records: readonly RelayRecord[],
): void {
  const counts = new Map<string, number>();
  for (const { key } of seen) counts.set(key, (counts.get(key) ?? 0) + 1);
  const known = new Set([...ids.often, ...ids.once].map((id) => `"${id}"`));
  for (const key of counts.keys()) if (!known.has(key)) throw new Error(`Nobody asked for ${key}.`);
  for (const id of ids.once) {
    if ((counts.get(`"${id}"`) ?? 0) > 1) throw new Error(`${id} was sent twice.`);
  }
  for (const { id, state } of records) {
    const sent = counts.get(`"${id}"`) ?? 0;
    if (state === 'done' && sent === 0) throw new Error(`${id} is done, and was never sent.`);
    if (ids.often.includes(id) && state !== 'done') throw new Error(`${id} is ${state}.`);
  }
  const pairs = new Set(seen.map(({ key, attempt }) => `${key} ${attempt}`));
  if (pairs.size !== seen.length) throw new Error('Two calls had one attempt of one key.');
}
