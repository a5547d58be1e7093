/** The durable store: tasks, queues and tombstones in one SQLite file that this engine owns. */
import type { DatabaseSync } from 'node:sqlite';
import type { Queue, View } from '../engine/cloud-tasks-api.js';
import { notFound } from '../engine/errors.js';
import type {
  CreateOutcome,
  DamagedRecord,
  DueTask,
  StoredRequest,
  StoredTask,
  TaskState,
  TaskStore,
} from '../engine/ports.js';
import type { Instant } from '../engine/time.js';
import { openSqliteFile } from './sqlite-file.js';
import { GroupCommit } from './sqlite-group-commit.js';
import type { TaskRow } from './sqlite-record.js';
import {
  DamageFound,
  decodeHead,
  decodeQueue,
  decodeState,
  decodeTask,
  encodeQueue,
  encodeRequest,
  encodeState,
  taskKey,
} from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';
import { prepareStatements } from './sqlite-statements.js';

export interface SqliteStoreOptions {
  /** Path of the database; SQLite keeps its log beside it, with `-wal` added. */
  readonly file: string;
  /** Told of each record that was set aside, once that is on disk; must not throw. */
  readonly onDamaged: (record: DamagedRecord) => void;
  /** Told after each commit how many writes it made durable; must not throw. */
  readonly onCommit?: (writes: number) => void;
}

/** A sweep of more tombstones lets other writes in between. */
const SWEEP = 2000;

export class SqliteStore implements TaskStore {
  private readonly db: DatabaseSync;
  private readonly sql: Statements;
  private readonly commits: GroupCommit;
  private readonly onDamaged: (record: DamagedRecord) => void;
  /** The checksums cover it, so it must be known before the row is written. */
  private lastSeq: number;

  /** @throws Error with a message of one line when the file can't be used: what, where, the cure. */
  constructor(options: SqliteStoreOptions) {
    this.db = openSqliteFile(options.file);
    this.sql = prepareStatements(this.db);
    this.commits = new GroupCommit(this.db, options.onCommit ?? (() => undefined));
    this.onDamaged = options.onDamaged;
    this.lastSeq = this.sql.lastSeq.get()?.[0] ?? 0;
  }

  queues(): Queue[] {
    return this.sql.queues
      .all()
      .map(([id, name, config, checksum]) =>
        this.unlessDamaged(
          () => decodeQueue(id, name, config, checksum),
          (reason) => this.setQueueAside(id, String(name), reason),
        ),
      )
      .filter((queue) => queue !== undefined);
  }

  queueTombstone(name: string): Instant | undefined {
    return this.sql.queueTombstone.get(name)?.[0];
  }

  task(seq: number): StoredTask | undefined {
    return this.decoded(this.sql.task.get(seq));
  }

  findTask(queue: string, id: string, view: View = 'FULL'): StoredTask | undefined {
    const queueId = this.queueId(queue);
    return queueId === undefined
      ? undefined
      : this.decoded(this.sql.taskByName[view].get(queueId, id));
  }

  taskTombstone(queue: string, id: string): Instant | undefined {
    const queueId = this.queueId(queue);
    return queueId === undefined ? undefined : this.sql.tombstone.get(queueId, id)?.[0];
  }

  tasks(queue: string, afterSeq: number, limit: number, view: View = 'FULL'): StoredTask[] {
    const queueId = this.queueId(queue);
    if (queueId === undefined) return [];
    const tasks: StoredTask[] = [];
    let after = afterSeq;
    for (;;) {
      const missing = limit - tasks.length;
      const rows = this.sql.tasksAfter[view].all(queueId, after, missing);
      tasks.push(...rows.map((row) => this.decoded(row)).filter((task) => task !== undefined));
      // Damaged ones must not make a page look like the last.
      const last = rows.at(-1);
      if (!last || rows.length < missing || tasks.length === limit) return tasks;
      after = last[0];
    }
  }

  due(queue: string, after: DueTask | undefined, limit: number): DueTask[] {
    const queueId = this.queueId(queue);
    if (queueId === undefined) return [];
    const { scheduleTime, seq } = after ?? FIRST;
    const { dueTogether, dueLater } = this.sql;
    // Two steps, since SQLite finds no place in an index by (time, seq) > (?, ?): a million tasks
    // of one instant would be read again for every page.
    const together = dueTogether.all(queueId, scheduleTime, seq, limit);
    const later = dueLater.all(queueId, scheduleTime, limit - together.length);
    return [...together, ...later].map(([seq, scheduleTime]) => ({ seq, scheduleTime }));
  }

  nextExpiry(): Instant | undefined {
    return this.sql.nextExpiry.get()?.[0] ?? undefined;
  }

  async putQueue(queue: Queue): Promise<void> {
    await this.commits.write(() => this.keepQueue(queue));
  }

  deleteQueue(name: string, tombstoneUntil: Instant): Promise<void> {
    return this.commits.write(() => {
      const { sql } = this;
      const id = this.queueId(name);
      if (id !== undefined) {
        sql.deleteRequests.run(id);
        sql.deleteTasks.run(id);
        sql.deleteTombstones.run(id);
        sql.deleteQueue.run(id);
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

  createTask(task: Omit<StoredTask, 'seq'>, now: Instant): Promise<CreateOutcome> {
    return this.commits.write<CreateOutcome>(() => {
      const { sql } = this;
      const queueId = this.queueId(task.queue);
      // Deleted by a write before this one.
      if (queueId === undefined) throw notFound('Queue does not exist.', 'parent');
      const until = sql.tombstone.get(queueId, task.id)?.[0];
      if (until !== undefined) {
        if (until > now) return { refused: 'TOMBSTONED' };
        sql.deleteTombstone.run(queueId, task.id);
      }
      const seq = this.lastSeq + 1;
      const key = taskKey(seq, queueId, task.id);
      const { text, checksum } = encodeState(key, task.state);
      const { scheduleTime } = task.state;
      const { changes } = sql.insertTask.run(seq, queueId, task.id, scheduleTime, text, checksum);
      if (changes === 0) return { refused: 'LIVE' };
      // Not taken back when the group fails: a gap does no harm.
      this.lastSeq = seq;
      const { head, body, bodyChecksum } = encodeRequest(key, task.request);
      sql.insertRequest.run(seq, head.text, head.checksum, body, bodyChecksum);
      return { created: { ...task, seq } };
    });
  }

  updateTask(seq: number, change: (task: StoredTask) => TaskState): Promise<TaskState | undefined> {
    return this.commits.write(() => {
      const { sql } = this;
      const row = sql.state.get(seq);
      if (!row) return undefined;
      const [queueId, queue, id, scheduleTime, text, checksum] = row;
      const key = taskKey(seq, queueId, id);
      const head = () => this.head(seq, key);
      return this.unlessDamaged(
        () => {
          let request: StoredRequest | undefined;
          const state = change({
            seq,
            queue,
            id,
            state: decodeState(key, text, checksum, scheduleTime),
            /** Most changes don't look at it. */
            get request() {
              return (request ??= head());
            },
          });
          const sealed = encodeState(key, state);
          if (state.scheduleTime === scheduleTime) {
            sql.updateState.run(sealed.text, sealed.checksum, seq);
          } else {
            sql.updateStateAndTime.run(sealed.text, sealed.checksum, state.scheduleTime, seq);
          }
          return state;
        },
        (reason) => this.setTaskAside(seq, `${queue}/tasks/${id}`, reason),
      );
    });
  }

  removeTask(seq: number, tombstoneUntil: Instant): Promise<boolean> {
    return this.commits.write(() => {
      const { sql } = this;
      const { changes } = sql.buryTask.run(tombstoneUntil, seq);
      if (changes === 0) return false;
      sql.deleteTask.run(seq);
      sql.deleteRequest.run(seq);
      return true;
    });
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

  private queueId(name: string): number | undefined {
    return this.sql.queueId.get(name)?.[0];
  }

  private keepQueue(queue: Queue): number {
    const { sql } = this;
    const id = this.queueId(queue.name) ?? Number(sql.insertQueue.run(queue.name).lastInsertRowid);
    const { text, checksum } = encodeQueue(id, queue);
    sql.updateQueue.run(text, checksum, id);
    sql.deleteQueueTombstone.run(queue.name);
    return id;
  }

  private head(seq: number, key: string): StoredRequest {
    const [text, checksum] = this.sql.head.get(seq) ?? [];
    return decodeHead(key, text, checksum);
  }

  private decoded(row: TaskRow | undefined): StoredTask | undefined {
    if (!row) return undefined;
    const [seq, , queue, id] = row;
    return this.unlessDamaged(
      () => decodeTask(row),
      (reason) => this.setTaskAside(seq, `${queue}/tasks/${id}`, reason),
    );
  }

  private unlessDamaged<T>(decode: () => T, setAside: (reason: string) => void): T | undefined {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof DamageFound)) throw error;
      setAside(error.message);
      return undefined;
    }
  }

  private setTaskAside(seq: number, name: string, reason: string): void {
    const { sql } = this;
    this.setAside({ kind: 'task', name, reason }, () => {
      const { changes } = sql.setTaskAside.run(name, reason, seq);
      sql.deleteTask.run(seq);
      sql.deleteRequest.run(seq);
      return changes;
    });
  }

  /** The queue's tasks stay, and are served again once a queue of this name is put. */
  private setQueueAside(id: number, name: string, reason: string): void {
    const { sql } = this;
    this.setAside({ kind: 'queue', name, reason }, () => {
      const { changes } = sql.setQueueAside.run(reason, id);
      sql.forgetQueueConfig.run(id);
      return changes;
    });
  }

  private setAside(record: DamagedRecord, move: () => number | bigint): void {
    this.commits.write(move).then(
      (moved) => {
        // Read several times before it was moved: reported once.
        if (moved !== 0) this.onDamaged(record);
      },
      // It stays where it is, and is met and refused again by the next read.
      () => undefined,
    );
  }
}

const FIRST: DueTask = { scheduleTime: Number.MIN_SAFE_INTEGER, seq: 0 };
