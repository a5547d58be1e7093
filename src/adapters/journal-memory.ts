/** The journal that forgets: in a map, for tests and for an engine that keeps nothing either. */
import type { Clock } from '../engine/ports.js';
import type { Duration } from '../engine/time.js';
import type { Claim, Journal, JournalEntry, Note } from '../foundation/journal.js';

interface Kept {
  readonly fence: number;
  /** Of the lease, or of the memory of the outcome. */
  until: number;
  outcome?: string;
}

export class MemoryJournal implements Journal {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly clock: Clock) {}

  async claim(key: string, lease: Duration): Promise<Claim> {
    const entry = this.entry(key);
    if (entry) return entry;
    const now = this.clock.now();
    // The time itself, so that it grows also beyond what was forgotten.
    const fence = Math.max(now, (this.kept.get(key)?.fence ?? 0) + 1);
    this.kept.set(key, { fence, until: now + lease });
    return { state: 'claimed', fence };
  }

  async renew(key: string, fence: number, lease: Duration): Promise<boolean> {
    const held = this.held(key, fence);
    if (held) held.until = this.clock.now() + lease;
    return held !== undefined;
  }

  async complete(key: string, fence: number, outcome: string, ttl: Duration): Promise<boolean> {
    const kept = this.kept.get(key);
    if (kept?.fence !== fence) return false;
    if (kept.outcome !== undefined && kept.outcome !== outcome) return false;
    this.kept.set(key, { fence, outcome, until: this.clock.now() + ttl });
    return true;
  }

  async release(key: string, fence: number): Promise<boolean> {
    const held = this.held(key, fence);
    if (held) held.until = Math.min(held.until, this.clock.now());
    return held !== undefined;
  }

  async read(key: string): Promise<JournalEntry | undefined> {
    return this.entry(key);
  }

  async note(notes: readonly Note[]): Promise<void> {
    const now = this.clock.now();
    for (const { key, outcome, ttl } of notes) {
      const fence = Math.max(now, (this.kept.get(key)?.fence ?? 0) + 1);
      this.kept.set(key, { fence, outcome, until: now + ttl });
    }
  }

  async expire(): Promise<number> {
    const now = this.clock.now();
    const expired = [...this.kept].filter(([, { until }]) => until < now).slice(0, 1000);
    for (const [key] of expired) this.kept.delete(key);
    return expired.length;
  }

  async close(): Promise<void> {}

  private entry(key: string): JournalEntry | undefined {
    const kept = this.kept.get(key);
    if (!kept || kept.until <= this.clock.now()) return undefined;
    const { fence, until, outcome } = kept;
    return outcome === undefined
      ? { state: 'running', fence, until }
      : { state: 'done', outcome, until };
  }

  private held(key: string, fence: number): Kept | undefined {
    const kept = this.kept.get(key);
    return kept?.fence === fence && kept.outcome === undefined ? kept : undefined;
  }
}
