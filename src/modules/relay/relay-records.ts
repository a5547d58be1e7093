/** What is remembered of relayed calls, and under which keys of the journal. */
import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { Duration, Instant } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import type { Journal } from '../../foundation/journal.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import type { DeadReason } from '../dead-letters/dead-letter.js';
import { TASK_AGE } from '../dead-letters/dead-letter.js';
import { JOURNAL } from '../journal/journal-options.js';
import type { RecordedAnswer } from './recorded-answer.js';
import type { CalledBack, RelayCall } from './relay-call.js';
import { RelaySettings } from './relay-options.js';

/** More than two writes take. */
const MOMENT: Duration = 10 * SECOND;

/** How a call ended, as JSON in the journal: the outcome of its key. */
export interface EndedRelay {
  /** `done`: the target has answered well. */
  readonly state: 'done' | 'dead' | 'cancelled';
  /** Of one that is `dead`. */
  readonly reason?: DeadReason;
  readonly message?: string;
  /** The target's last answer. */
  readonly answer?: RecordedAnswer;
  /** Calls that were begun. */
  readonly attempts: number;
  readonly endedAt: Instant;
  /** What was called; another call under the same key is told by it. */
  readonly fingerprint: string;
}

/** What is known before a call ends. */
export interface AskedRelay {
  /** Full name of its task; absent when a task came that nobody asked us for. */
  readonly task?: string;
  /** Who may see it, besides those who may see all. */
  readonly owner?: string;
  readonly fingerprint: string;
  /** Where it has a `callbackUrl`. */
  readonly call?: CalledBack;
}

export interface StartedRelay {
  /** How many calls were begun, the one under way included. */
  readonly attempts: number;
  /** Those of them that the end of an instance has ended: they don't use up `maxAttempts`. */
  readonly spared?: number;
  readonly startedAt: Instant;
  /** Host and process of the instance that began it. */
  readonly instance: string;
}

export type RunningRelay = { readonly until: Instant } & Partial<StartedRelay>;

/** The run that was begun last. */
interface LastRun extends StartedRelay {
  readonly redrive: number;
}

/** The last run of a call; `open` when nobody is at it, and nobody remembers that it has ended. */
export type FoundRelay = { readonly redrive: number } & (
  | { readonly kind: 'open' }
  | { readonly kind: 'ended'; readonly ended: EndedRelay }
  | { readonly kind: 'running'; readonly running: RunningRelay }
);

@Injectable()
export class RelayRecords {
  constructor(
    @Inject(JOURNAL) private readonly journal: Journal | null,
    private readonly backend: QueueBackend,
    private readonly settings: RelaySettings,
  ) {}

  /**
   * How long it is remembered how a call has ended. A key is one call as long as anything is known of
   * it: an attempt of a later use would else be taken for another one of the first.
   */
  kept({ idempotencyKey }: Pick<RelayCall, 'idempotencyKey'>): Duration {
    return idempotencyKey === undefined ? this.settings.keep : this.longest;
  }

  /** The key that one run of a call is claimed by; a redriven dead letter is a run of its own. */
  runKey(id: string, redrive: number): string {
    return `relay:${this.scope(id)}${redrive === 0 ? '' : `/${redrive}`}`;
  }

  async asked(id: string): Promise<AskedRelay | undefined> {
    return this.noted<AskedRelay>(`relay-asked:${this.scope(id)}`);
  }

  async noteAsked(id: string, asked: AskedRelay): Promise<void> {
    // Whose it is has to be known as long as how it has ended, which may be when its task is old.
    await this.note(`relay-asked:${this.scope(id)}`, asked, TASK_AGE + this.longest);
  }

  async started(id: string, redrive: number): Promise<StartedRelay | undefined> {
    const last = await this.lastRun(id);
    return last?.redrive === redrive ? last : undefined;
  }

  async noteStarted(id: string, redrive: number, started: StartedRelay): Promise<void> {
    const last: LastRun = { ...started, redrive };
    await this.note(`relay-started:${this.scope(id)}`, last, TASK_AGE);
  }

  /** Whether the task of its callback exists. */
  async isReported(id: string, redrive: number): Promise<boolean> {
    return (await this.noted(`relay-reported:${this.runKey(id, redrive)}`)) !== undefined;
  }

  async noteReported(id: string, redrive: number): Promise<void> {
    await this.note(`relay-reported:${this.runKey(id, redrive)}`, {}, this.longest);
  }

  /**
   * The right to send a call that is never to be sent twice, which there is one of. Whoever has it
   * gives it back only when nothing was sent.
   *
   * @returns undefined when somebody has it, or had
   */
  async claimSending(id: string, redrive: number): Promise<(() => Promise<void>) | undefined> {
    const key = `relay-sent:${this.runKey(id, redrive)}`;
    const claim = await this.journal?.claim(key, TASK_AGE);
    if (claim?.state !== 'claimed') return undefined;
    return async () => {
      await this.journal?.release(key, claim.fence);
    };
  }

  async find(id: string): Promise<FoundRelay> {
    // Of the runs before it nothing may be remembered any more.
    const last = await this.lastRun(id);
    let found: FoundRelay = { kind: 'open', redrive: last?.redrive ?? 0 };
    for (let { redrive } = found; ; redrive++) {
      const entry = await this.journal?.read(this.runKey(id, redrive));
      if (entry?.state === 'running') {
        const started = last?.redrive === redrive ? last : {};
        return { kind: 'running', running: { until: entry.until, ...started }, redrive };
      }
      if (entry?.state !== 'done') return found;
      found = { kind: 'ended', ended: readEnded(entry.outcome), redrive };
      if (found.ended.state !== 'dead') return found;
    }
  }

  /**
   * Ends a run, whoever is at it: they find out when they renew their lease or record an outcome. It
   * stays ended at least as long as a task of it may come.
   *
   * @returns how it has ended: this way, unless it had before
   */
  async endUnlessEnded(id: string, redrive: number, ended: EndedRelay): Promise<EndedRelay> {
    const { journal } = this;
    if (!journal) return ended;
    const key = this.runKey(id, redrive);
    const outcome = JSON.stringify(ended);
    for (;;) {
      const claim = await journal.claim(key, MOMENT);
      if (claim.state === 'done') return readEnded(claim.outcome);
      // By the fence of whoever is at it: of the two of us, one records how it ended.
      if (await journal.complete(key, claim.fence, outcome, this.longest)) return ended;
    }
  }

  /** As long as its outcome is kept, or a task of it may come. */
  private get longest(): Duration {
    return Math.max(this.settings.keep, TASK_AGE);
  }

  private lastRun(id: string): Promise<LastRun | undefined> {
    return this.noted(`relay-started:${this.scope(id)}`);
  }

  private async note(key: string, content: object, ttl: Duration): Promise<void> {
    await this.journal?.note([{ key, outcome: JSON.stringify(content), ttl }]);
  }

  private async noted<Content>(key: string): Promise<Content | undefined> {
    const entry = await this.journal?.read(key);
    return entry?.state === 'done' ? (JSON.parse(entry.outcome) as Content) : undefined;
  }

  /** Apps may share a store. */
  private scope(id: string): string {
    return `${this.backend.location}/${id}`;
  }
}

export function readEnded(outcome: string): EndedRelay {
  return JSON.parse(outcome) as EndedRelay;
}

/** The id of a call that is named by a key of its maker's. */
export function idOfKey(location: string, owner: string | undefined, key: string): string {
  return digest(JSON.stringify([location, 'key', owner ?? '', key]));
}

/** The id of a call whose task was made without us. */
export function idOfLineage(location: string, uid: string): string {
  return digest(JSON.stringify([location, 'lineage', uid]));
}

export const RELAY_ID = /^[0-9a-f]{64}$/;

export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
