/** The durable store: tasks, queues, tombstones and jobs in one SQLite file that this engine owns. */
import type { DatabaseSync } from 'node:sqlite';
import type { Queue, View } from '../engine/cloud-tasks-api.js';
import { refusal } from '../engine/error-catalogue.js';
import type {
  CreateOutcome,
  DamagedRecord,
  DueTask,
  JobState,
  StoredJob,
  StoredTask,
  TaskState,
  TaskStore,
} from '../engine/ports.js';
import type { Instant } from '../engine/time.js';
import { SqliteDamage } from './sqlite-damage.js';
import { openSqliteFile, unusable } from './sqlite-file.js';
import type { Urgency } from './sqlite-group-commit.js';
import { GroupCommit } from './sqlite-group-commit.js';
import { SqliteJobs } from './sqlite-jobs.js';
import { SqliteQueues } from './sqlite-queues.js';
import { decodeValue, encodeValue } from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';
import { SqliteTasks } from './sqlite-tasks.js';

export interface SqliteStoreOptions {
  /** Path of the database; SQLite keeps its log beside it, with `-wal` added. */
  readonly file: string;
  /** Told once of each record that is damaged, after it was set aside; must not throw. */
  readonly onDamaged: (record: DamagedRecord) => void;
  /** Told after each commit how many writes it made durable; must not throw. */
  readonly onCommit?: (writes: number) => void;
}

/** A sweep of more tombstones lets other writes in between. */
const SWEEP = 2000;

export class SqliteStore implements TaskStore {
  private readonly db: DatabaseSync;
  private readonly id: number;
  private readonly sql: Statements;
  private readonly commits: GroupCommit;
  private readonly damage: SqliteDamage;
  private readonly known: SqliteQueues;
  private readonly rows: SqliteTasks;
  private readonly keptJobs: SqliteJobs;
  /** The last update of each task that waits for its commit. */
  private readonly updates = new Map<number, { isNeedless: boolean }>();

  /** @throws Error with a message of one line when the file can't be used: what, where, the cure. */
  constructor(options: SqliteStoreOptions) {
    const { db, sql, id } = openSqliteFile(options.file);
    this.db = db;
    this.id = id;
    this.sql = sql;
    this.commits = new GroupCommit(db, {
      committed: options.onCommit ?? (() => undefined),
      undone: () => this.known.load(),
      cured: (error) => this.damage.cured(error),
    });
    this.damage = new SqliteDamage(sql, this.commits, options.onDamaged);
    this.keptJobs = new SqliteJobs(id, sql, this.commits, this.damage);
    try {
      this.damage.checkIndexes();
      this.known = new SqliteQueues(id, sql, this.damage);
      this.rows = new SqliteTasks(id, sql, this.known, this.damage);
    } catch (error) {
      db.close();
      throw unusable(options.file, error);
    }
  }

  queues(): Queue[] {
    return this.known.all();
  }

  queueTombstone(name: string): Instant | undefined {
    return this.damage.byIndex(() => this.sql.queueTombstone.get(name)?.[0]);
  }

  task(seq: number): StoredTask | undefined {
    return this.rows.read(seq, 'FULL');
  }

  findTask(queue: string, id: string, view: View = 'FULL'): StoredTask | undefined {
    const queueId = this.known.idOf(queue);
    if (queueId === undefined) return undefined;
    const place = this.damage.byIndex(() => this.sql.seqByName.get(queueId, id));
    const task = place && this.rows.read(place[0], view);
    return task?.queue === queue && task.id === id ? task : undefined;
  }

  taskTombstone(queue: string, id: string): Instant | undefined {
    const queueId = this.known.idOf(queue);
    if (queueId === undefined) return undefined;
    return this.damage.byIndex(() => this.sql.tombstone.get(queueId, id)?.[0]);
  }

  tasks(queue: string, afterSeq: number, limit: number, view: View = 'FULL'): StoredTask[] {
    const queueId = this.known.idOf(queue);
    if (queueId === undefined) return [];
    const tasks: StoredTask[] = [];
    let after = afterSeq;
    for (;;) {
      const missing = limit - tasks.length;
      const places = this.damage.byIndex(() => this.sql.seqsAfter.all(queueId, after, missing));
      for (const [seq] of places) {
        const task = this.rows.read(seq, view);
        if (task?.queue === queue) tasks.push(task);
        after = seq;
      }
      // A page must not look like the last one because some of it was damaged.
      if (places.length < missing || tasks.length === limit) return tasks;
    }
  }

  due(queue: string, after: DueTask | undefined, limit: number): DueTask[] {
    const queueId = this.known.idOf(queue);
    if (queueId === undefined) return [];
    const { scheduleTime, seq } = after ?? FIRST;
    const { dueTogether, dueLater } = this.sql;
    // Two steps, since SQLite finds no place in an index by (time, seq) > (?, ?): a million tasks
    // of one instant would be read again for every page.
    const places = this.damage.byIndex(() => {
      const together = dueTogether.all(queueId, scheduleTime, seq, limit);
      return [...together, ...dueLater.all(queueId, scheduleTime, limit - together.length)];
    });
    return places.map(([seq, scheduleTime]) => ({ seq, scheduleTime }));
  }

  countTasks(queue: string): number {
    const queueId = this.known.idOf(queue);
    if (queueId === undefined) return 0;
    return this.damage.byIndex(() => this.sql.countTasks.get(queueId)?.[0] ?? 0);
  }

  nextExpiry(): Instant | undefined {
    return this.damage.byIndex(() => this.sql.nextExpiry.get()?.[0] ?? undefined);
  }

  jobs(): StoredJob[] {
    return this.keptJobs.all();
  }

  value(key: string): string | undefined {
    try {
      const row = this.sql.value.get(key);
      return row && decodeValue(this.id, key, ...row);
    } catch (error) {
      this.damage.value(key, error);
      return undefined;
    }
  }

  putJob(job: StoredJob): Promise<void> {
    return this.keptJobs.put(job);
  }

  putJobState(name: string, state: JobState): Promise<void> {
    return this.keptJobs.putState(name, state);
  }

  deleteJob(name: string): Promise<void> {
    return this.keptJobs.delete(name);
  }

  async putValue(key: string, value: string | undefined): Promise<void> {
    await this.commits.write(() => {
      if (value === undefined) {
        this.sql.deleteValue.run(key);
      } else {
        const { text, checksum } = encodeValue(this.id, key, value);
        this.sql.putValue.run(key, text, checksum);
      }
    });
  }

  async putQueue(queue: Queue): Promise<void> {
    await this.commits.write(() => this.keepQueue(queue));
  }

  deleteQueue(name: string, tombstoneUntil: Instant): Promise<void> {
    return this.commits.write(() => {
      const { sql } = this;
      const id = this.known.idOf(name);
      if (id !== undefined) {
        sql.deleteRequests.run(id);
        sql.deleteTasks.run(id);
        sql.deleteTombstones.run(id);
        this.known.delete(name);
      }
      sql.putQueueTombstone.run(name, tombstoneUntil);
    });
  }

  purgeQueue(queue: Queue, tombstoneUntil: Instant): Promise<void> {
    return this.commits.write(() => {
      const { sql } = this;
      const id = this.keepQueue(queue);
      sql.buryTasks.run(tombstoneUntil, id);
      sql.deleteRequests.run(id);
      sql.deleteTasks.run(id);
    });
  }

  async createTask(task: Omit<StoredTask, 'seq'>, now: Instant): Promise<CreateOutcome> {
    const outcome = await this.commits.write(() => this.rows.insert(task, now));
    // Not thrown inside of the write, which would undo its neighbours to find the guilty one.
    if (!outcome) throw refusal('NO_QUEUE', { field: 'parent' });
    return outcome;
  }

  updateTask(seq: number, change: (task: StoredTask) => TaskState): Promise<TaskState | undefined> {
    const update = { isNeedless: false };
    this.updates.set(seq, update);
    return this.commits.write(() => {
      if (this.updates.get(seq) === update) this.updates.delete(seq);
      if (update.isNeedless) return undefined;
      return this.rows.change(seq, change);
    }, 'soon');
  }

  removeTask(seq: number, tombstoneUntil: Instant, urgency: Urgency = 'now'): Promise<boolean> {
    // Most attempts end before their start is on disk: then it never has to be.
    const update = this.updates.get(seq);
    if (update) update.isNeedless = true;
    return this.commits.write(() => {
      const { sql } = this;
      const { changes } = sql.buryTask.run(tombstoneUntil, seq);
      if (changes === 0) return false;
      sql.deleteTask.run(seq);
      sql.deleteRequest.run(seq);
      return true;
    }, urgency);
  }

  async removeExpired(now: Instant): Promise<void> {
    const { sql } = this;
    let dropped: number | bigint;
    do {
      dropped = await this.commits.write(() => {
        sql.deleteExpiredQueues.run(now);
        return sql.deleteExpired.run(now, SWEEP).changes;
      });
    } while (dropped === SWEEP);
  }

  /** Commits what was called before, and lets another engine open the file. */
  async close(): Promise<void> {
    this.commits.flush();
    if (this.db.isOpen) this.db.close();
  }

  private keepQueue(queue: Queue): number {
    this.sql.deleteQueueTombstone.run(queue.name);
    return this.known.put(queue);
  }
}

const FIRST: DueTask = { scheduleTime: Number.MIN_SAFE_INTEGER, seq: 0 };
