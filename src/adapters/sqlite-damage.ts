/** What to do about damage: bad records are set aside and reported, bad indexes are rebuilt. */
import type { DamagedRecord } from '../engine/ports.js';
import { isCorruption, storeFailure } from './sqlite-file.js';
import type { GroupCommit } from './sqlite-group-commit.js';
import { DamageFound } from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';

export class SqliteDamage {
  /** Each record is moved and reported once, however often it is read before. */
  private readonly met = new Set<string>();
  private rebuilt = false;

  constructor(
    private readonly sql: Statements,
    private readonly commits: GroupCommit,
    private readonly report: (record: DamagedRecord) => void,
  ) {}

  /** Sets the task aside that made `error`; throws it again when it doesn't mean damage. */
  task(seq: number, error: unknown): void {
    const { sql } = this;
    this.setAside('task', seq, error, (reason) => {
      const [name = `number ${seq}`] = sql.taskName.get(seq) ?? [];
      sql.setTaskAside.run(name, reason, seq);
      sql.deleteTask.run(seq);
      sql.deleteRequest.run(seq);
      return name;
    });
  }

  /** The same for a queue. Its tasks stay, and are served again once a queue of its name is put. */
  queue(id: number, name: string, error: unknown): void {
    const { sql } = this;
    this.setAside('queue', id, error, (reason) => {
      sql.setQueueAside.run(reason, id);
      sql.forgetConfig.run(id);
      return name;
    });
  }

  /** The same for a job, which then has no more ticks. */
  job(name: string, error: unknown): void {
    const { sql } = this;
    this.setAside('job', name, error, (reason) => {
      sql.setJobAside.run(reason, name);
      sql.deleteJob.run(name);
      sql.deleteJobState.run(name);
      return name;
    });
  }

  /** The same for a value, which is then as if it had never been put. */
  value(key: string, error: unknown): void {
    const { sql } = this;
    this.setAside('value', key, error, (reason) => {
      sql.setValueAside.run(reason, key);
      sql.deleteValue.run(key);
      return key;
    });
  }

  /**
   * Reads the indexes from end to end, which takes a second for some million tasks. Rows are met
   * one by one later; a task that no index leads to would never be.
   *
   * @throws SQLite's error when they are damaged and can't be made anew: so are the tables.
   */
  checkIndexes(): void {
    const counts = () => new Set(this.sql.countByIndex.map((count) => count.get()?.[0]));
    if (this.curing(counts).size > 1) this.sql.rebuildIndexes.run();
    // The jobs are read when the file can no longer be refused.
    this.curing(() => this.sql.jobNames.all());
  }

  /**
   * Reads by an index; where that is damaged, the tables still say what belongs in it.
   *
   * @throws CloudTasksError UNAVAILABLE when it can't be read.
   */
  byIndex<T>(read: () => T): T {
    try {
      return this.curing(read);
    } catch (error) {
      throw storeFailure('read', error);
    }
  }

  private curing<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!this.cured(error)) throw error;
      return read();
    }
  }

  /** Rebuilds the indexes after an error that they may have caused; it helps once or never. */
  cured(error: unknown): boolean {
    if (!isCorruption(error) || this.rebuilt) return false;
    this.rebuilt = true;
    try {
      this.sql.rebuildIndexes.run();
      return true;
    } catch {
      // The tables are damaged too: the first error says so.
      return false;
    }
  }

  private setAside(
    kind: DamagedRecord['kind'],
    number: number | string,
    error: unknown,
    move: (reason: string) => string,
  ): void {
    if (!(error instanceof DamageFound) && !isCorruption(error)) throw error;
    const { message: reason } = error;
    if (this.met.has(`${kind} ${number}`)) return;
    this.met.add(`${kind} ${number}`);
    this.commits
      .write(() => move(reason))
      .then(
        (name) => this.report({ kind, name, reason }),
        () => {
          // It is refused wherever it lies.
          const name = `number ${number}`;
          this.report({ kind, name, reason: `${reason}; it could not be moved away` });
        },
      );
  }
}
