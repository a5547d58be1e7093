/** Notes how tasks came out, many at a time, for those who ask later; never in a handler's way. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Clock } from '../../engine/ports.js';
import type { Duration } from '../../engine/time.js';
import { MINUTE } from '../../engine/time.js';
import type { Journal, Note } from '../../foundation/journal.js';
import { CLOCK } from '../cloud-tasks/queue-backend.js';
import { JOURNAL } from './journal-options.js';

/** A crash loses what was noted within this time. It is of no meaning, so it isn't the Clock's. */
const DELAY_MS = 20;
/** A store that is slower than tasks end must not fill the memory. */
const MOST_WAITING = 10_000;
const BETWEEN_WARNINGS: Duration = MINUTE;

@Injectable()
export class OutcomeNotes {
  private readonly logger = new Logger('Journal');
  /** The last of each key; the oldest first. */
  private waiting = new Map<string, Note>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private warnedAt = -Infinity;

  constructor(
    @Inject(JOURNAL) private readonly journal: Journal | null,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whether anything is remembered. */
  get kept(): boolean {
    return this.journal !== null;
  }

  note(note: Note): void {
    if (!this.journal) return;
    this.waiting.delete(note.key);
    this.waiting.set(note.key, note);
    if (this.waiting.size > MOST_WAITING) {
      const [oldest] = this.waiting.keys();
      if (oldest !== undefined) this.waiting.delete(oldest);
    }
    this.timer ??= setTimeout(() => void this.flush(), DELAY_MS);
  }

  /** What is remembered of a key; undefined also where there is no store. */
  async read(key: string): Promise<string | undefined> {
    const own = this.waiting.get(key);
    if (own) return own.outcome;
    // What is on its way there is found there.
    await this.writing;
    const entry = await this.journal?.read(key);
    return entry?.state === 'done' ? entry.outcome : undefined;
  }

  /** Writes what waits, now. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const notes = [...this.waiting.values()];
    this.waiting = new Map();
    // One after the other, or an older note could replace a newer one.
    this.writing = this.writing.then(() => this.write(notes));
    await this.writing;
  }

  private async write(notes: readonly Note[]): Promise<void> {
    if (notes.length === 0) return;
    try {
      await this.journal?.note(notes);
    } catch (error) {
      const now = this.clock.now();
      if (now - this.warnedAt < BETWEEN_WARNINGS) return;
      this.warnedAt = now;
      this.logger.warn(`How ${notes.length} tasks ended is not remembered. ${String(error)}`);
    }
  }
}
