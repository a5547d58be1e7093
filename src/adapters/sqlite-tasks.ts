/** The rows of one task: what it asks for, and what has become of it, each under a checksum. */
import type { View } from '../engine/cloud-tasks-api.js';
import type { CreateOutcome, StoredRequest, StoredTask, TaskState } from '../engine/ports.js';
import type { Instant } from '../engine/time.js';
import type { SqliteDamage } from './sqlite-damage.js';
import type { SqliteQueues } from './sqlite-queues.js';
import {
  DamageFound,
  decodeHead,
  decodeRequest,
  decodeState,
  encodeRequest,
  encodeState,
  taskKey,
} from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';

export class SqliteTasks {
  /** The checksums cover it, so it must be known before the row is written. */
  private lastSeq: number;

  constructor(
    private readonly store: number,
    private readonly sql: Statements,
    private readonly queues: SqliteQueues,
    private readonly damage: SqliteDamage,
  ) {
    this.lastSeq = sql.lastSeq.get()?.[0] ?? 0;
  }

  /** Undefined where there is none, or a damaged one, which is set aside. */
  read(seq: number, view: View): StoredTask | undefined {
    try {
      const row = this.sql.task[view].get(seq);
      if (!row) return undefined;
      const [queueId, id] = row;
      const key = taskKey(this.store, seq, queueId, id);
      const request = decodeRequest(key, row);
      const state = decodeState(key, row);
      // Of a queue that is damaged itself: waits until that is put again.
      const queue = this.queues.nameOf(queueId);
      return queue === undefined ? undefined : { seq, queue, id, request, state };
    } catch (error) {
      this.damage.task(seq, error);
      return undefined;
    }
  }

  /** Undefined when the queue is gone, deleted by a write before this one. */
  insert(task: Omit<StoredTask, 'seq'>, now: Instant): CreateOutcome | undefined {
    const { sql } = this;
    const queueId = this.queues.idOf(task.queue);
    if (queueId === undefined) return undefined;
    if (sql.seqByName.get(queueId, task.id)) return { refused: 'LIVE' };
    const until = sql.tombstone.get(queueId, task.id)?.[0];
    if (until !== undefined) {
      if (until > now) return { refused: 'TOMBSTONED' };
      sql.deleteTombstone.run(queueId, task.id);
    }
    const seq = this.lastSeq + 1;
    const key = taskKey(this.store, seq, queueId, task.id);
    const { text, checksum } = encodeState(key, task.state);
    const { scheduleTime } = task.state;
    sql.insertTask.run(seq, queueId, task.id, scheduleTime, text, checksum);
    // Not taken back when the group fails: a gap does no harm.
    this.lastSeq = seq;
    const { head, body, bodyChecksum } = encodeRequest(key, task.request);
    sql.insertRequest.run(seq, head.text, head.checksum, body, bodyChecksum);
    return { created: { ...task, seq } };
  }

  /** Undefined as of `read`. */
  change(seq: number, change: (task: StoredTask) => TaskState): TaskState | undefined {
    try {
      return this.changeSound(seq, change);
    } catch (error) {
      if (!(error instanceof DamageFound)) throw error;
      this.damage.task(seq, error);
      return undefined;
    }
  }

  private changeSound(seq: number, change: (task: StoredTask) => TaskState): TaskState | undefined {
    const { sql } = this;
    const row = sql.state.get(seq);
    if (!row) return undefined;
    const [queueId, id, scheduleTime] = row;
    const key = taskKey(this.store, seq, queueId, id);
    const before = decodeState(key, row);
    const queue = this.queues.nameOf(queueId);
    if (queue === undefined) return undefined;
    let request: StoredRequest | undefined;
    const state = change({
      seq,
      queue,
      id,
      state: before,
      /** Read when asked for: most changes don't look at it. */
      get request() {
        return (request ??= decodeHead(key, ...(sql.head.get(seq) ?? [])));
      },
    });
    const { text, checksum } = encodeState(key, state);
    if (state.scheduleTime === scheduleTime) sql.updateState.run(text, checksum, seq);
    else sql.updateStateAndTime.run(text, checksum, state.scheduleTime, seq);
    return state;
  }
}
