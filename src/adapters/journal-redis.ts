/** The journal in Redis: a hash for each key, and each verb one script, so that it is atomic. */
import type { Redis } from 'ioredis';
import { CloudTasksError } from '../engine/errors.js';
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import type { Claim, Journal, JournalEntry, Note } from '../foundation/journal.js';

const PREFIX = 'nest-cloud-tasks:journal:';

/**
 * Instants are microseconds, which doubles hold exactly; `%.0f` since Lua would write 1.8e15. The
 * server's own clock counts, or the clocks of several machines would have to agree.
 */
const NOW = `
  local now = tonumber(ARGV[1])
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  local function keep(fence, lasts, outcome)
    redis.call('HSET', KEYS[1], 'fence', string.format('%.0f', fence),
      'until', string.format('%.0f', now + lasts))
    if outcome then redis.call('HSET', KEYS[1], 'outcome', outcome)
    else redis.call('HDEL', KEYS[1], 'outcome') end
    -- A minute more, in which the fence is remembered, as of a lease that lapsed.
    redis.call('PEXPIRE', KEYS[1], math.ceil(lasts / 1000) + 60000)
  end
  local kept = redis.call('HMGET', KEYS[1], 'fence', 'until', 'outcome')
  local fence, ends, outcome = tonumber(kept[1] or -1), tonumber(kept[2] or 0), kept[3]
`;

const SCRIPTS = {
  /** ARGV: now, lease. */
  claim: `${NOW}
    if ends > now then return { kept[1], kept[2], outcome } end
    -- The time itself, so that it grows also beyond what was forgotten.
    fence = math.max(now, fence + 1)
    keep(fence, tonumber(ARGV[2]))
    return { string.format('%.0f', fence) }`,
  /** ARGV: now, fence, lease. */
  renew: `${NOW}
    if fence ~= tonumber(ARGV[2]) or outcome then return 0 end
    keep(fence, tonumber(ARGV[3]))
    return 1`,
  /** ARGV: now, fence, ttl, outcome. */
  complete: `${NOW}
    if fence ~= tonumber(ARGV[2]) or (outcome or ARGV[4]) ~= ARGV[4] then return 0 end
    keep(fence, tonumber(ARGV[3]), ARGV[4])
    return 1`,
  /** ARGV: now, fence. */
  release: `${NOW}
    if fence ~= tonumber(ARGV[2]) or outcome then return 0 end
    keep(fence, math.min(ends - now, 0))
    return 1`,
  /** ARGV: now, ttl, outcome. */
  note: `${NOW}
    keep(math.max(now, fence + 1), tonumber(ARGV[2]), ARGV[3])
    return 1`,
  /** ARGV: now. */
  read: `${NOW}
    if ends > now then return { kept[1], kept[2], outcome } end
    return {}`,
} as const;

type Verb = keyof typeof SCRIPTS;
type Scripts = Record<Verb, (key: string, ...args: (string | number)[]) => Promise<unknown>>;

export class RedisJournal implements Journal {
  private constructor(
    private readonly redis: Redis,
    private readonly clock: Clock | undefined,
  ) {}

  /**
   * @param url `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS
   * @param clock in place of the server's own
   * @throws Error with one line for a person; never the password
   */
  static async open(url: string, clock?: Clock): Promise<RedisJournal> {
    const { Redis } = await import('ioredis');
    const redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: 5000,
      commandTimeout: 5000,
      // Whoever waits is a task, which is better told to come again.
      maxRetriesPerRequest: 1,
      // A claim whose answer was lost would find itself running.
      autoResendUnfulfilledCommands: false,
      // What is given up is given up at once: ioredis would hold the process two seconds for the
      // end of a socket, also of one that has long ended.
      disconnectTimeout: 0,
      connectionName: 'nest-cloud-tasks',
    });
    // Each failure is told to whoever waits; without a listener ioredis prints it.
    let reason: unknown;
    redis.on('error', (error: unknown) => (reason = error));
    for (const [verb, lua] of Object.entries(SCRIPTS)) {
      redis.defineCommand(verb, { numberOfKeys: 1, lua });
    }
    try {
      await redis.connect();
      await redis.ping();
    } catch (error) {
      redis.disconnect();
      throw new Error(
        `The journal's Redis can't be reached (${text(reason ?? error)}): check STORE_URL and the server.`,
        { cause: error },
      );
    }
    return new RedisJournal(redis, clock);
  }

  async claim(key: string, lease: Duration): Promise<Claim> {
    const answer = (await this.call('claim', key, lease)) as string[];
    return entryOf(answer) ?? { state: 'claimed', fence: Number(answer[0]) };
  }

  async renew(key: string, fence: number, lease: Duration): Promise<boolean> {
    return (await this.call('renew', key, fence, lease)) === 1;
  }

  async complete(key: string, fence: number, outcome: string, ttl: Duration): Promise<boolean> {
    return (await this.call('complete', key, fence, ttl, outcome)) === 1;
  }

  async release(key: string, fence: number): Promise<boolean> {
    return (await this.call('release', key, fence)) === 1;
  }

  async read(key: string): Promise<JournalEntry | undefined> {
    return entryOf((await this.call('read', key)) as string[]);
  }

  async note(notes: readonly Note[]): Promise<void> {
    await Promise.all(notes.map(({ key, outcome, ttl }) => this.call('note', key, ttl, outcome)));
  }

  /** Redis forgets by itself. */
  async expire(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    try {
      await this.redis.quit();
    } catch {
      this.redis.disconnect();
    }
  }

  private async call(verb: Verb, key: string, ...args: (string | number)[]): Promise<unknown> {
    const scripts = this.redis as unknown as Scripts;
    const now = this.clock?.now() ?? 'server';
    try {
      return await scripts[verb](PREFIX + key, now, ...args);
    } catch (error) {
      throw new CloudTasksError('UNAVAILABLE', `The journal's Redis failed (${text(error)}).`, {
        cause: error,
      });
    }
  }
}

/** Of an answer that tells only a fence, or nothing, there is none. */
function entryOf([fence, until, outcome]: readonly (string | null | undefined)[]):
  JournalEntry | undefined {
  if (until === undefined || until === null) return undefined;
  return typeof outcome === 'string'
    ? { state: 'done', outcome, until: Number(until) }
    : { state: 'running', fence: Number(fence), until: Number(until) };
}

/** Its code where it has one: some connection errors have no message. */
function text(error: unknown): string {
  const { message, code } = (error ?? {}) as { message?: string; code?: string };
  return (message || code || 'unknown error').replace(/[^\x20-\x7e]+/g, '?').slice(0, 300);
}
