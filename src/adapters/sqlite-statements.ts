/** Every statement of the store, prepared once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { TaskRow } from './sqlite-record.js';

interface Read<Row> {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
}

/*
 * A flipped bit can make an integer too large for a JavaScript number, and reading it would throw
 * for the whole answer. CAST AS REAL reads it all the same, and then its checksum fails.
 */
const STATE = `CAST(t.queue AS REAL), q.name, t.id, CAST(t.schedule_time AS REAL), t.state,
  CAST(t.checksum AS REAL)`;
const STATE_FROM = 'FROM task t LEFT JOIN queue q ON q.id = t.queue';

function selectTask(view: 'BASIC' | 'FULL', where: string): string {
  const body = view === 'FULL' ? 'r.body, CAST(r.body_checksum AS REAL)' : 'NULL, NULL';
  return `SELECT t.seq, ${STATE}, r.head, CAST(r.checksum AS REAL), ${body}
    ${STATE_FROM} LEFT JOIN request r ON r.seq = t.seq WHERE ${where}`;
}

const BY_SEQ = 't.seq = ?';
const BY_NAME = 't.queue = ? AND t.id = ?';
const AFTER = 't.queue = ? AND t.seq > ? ORDER BY t.seq LIMIT ?';
const DUE = 'SELECT seq, CAST(schedule_time AS REAL) FROM task INDEXED BY task_due';
const TASKS_OF_QUEUE = 'SELECT seq FROM task WHERE queue = ?';

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(db: DatabaseSync) {
  const write = (sql: string): StatementSync => db.prepare(sql);
  const read = <Row>(sql: string): Read<Row> => {
    const statement = db.prepare(sql);
    // Half the time of objects.
    statement.setReturnArrays(true);
    return statement as unknown as Read<Row>;
  };
  return {
    lastSeq: read<[number]>("SELECT CAST(seq AS REAL) FROM sqlite_sequence WHERE name = 'task'"),

    queues: read<[id: number, name: unknown, config: unknown, checksum: unknown]>(
      `SELECT id, name, config, CAST(checksum AS REAL) FROM queue
       WHERE config IS NOT NULL ORDER BY id`,
    ),
    queueId: read<[number]>('SELECT id FROM queue WHERE name = ?'),
    insertQueue: write('INSERT INTO queue (name, checksum) VALUES (?, 0)'),
    updateQueue: write('UPDATE queue SET config = ?, checksum = ? WHERE id = ?'),
    deleteQueue: write('DELETE FROM queue WHERE id = ?'),
    queueTombstone: read<[number]>(
      'SELECT CAST(until AS REAL) FROM queue_tombstone WHERE name = ?',
    ),
    putQueueTombstone: write('INSERT OR REPLACE INTO queue_tombstone VALUES (?, ?)'),
    deleteQueueTombstone: write('DELETE FROM queue_tombstone WHERE name = ?'),

    task: read<TaskRow>(selectTask('FULL', BY_SEQ)),
    taskByName: {
      BASIC: read<TaskRow>(selectTask('BASIC', BY_NAME)),
      FULL: read<TaskRow>(selectTask('FULL', BY_NAME)),
    },
    tasksAfter: {
      BASIC: read<TaskRow>(selectTask('BASIC', AFTER)),
      FULL: read<TaskRow>(selectTask('FULL', AFTER)),
    },
    dueTogether: read<[seq: number, scheduleTime: number]>(
      `${DUE} WHERE queue = ? AND schedule_time = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    dueLater: read<[seq: number, scheduleTime: number]>(
      `${DUE} WHERE queue = ? AND schedule_time > ? ORDER BY schedule_time, seq LIMIT ?`,
    ),
    state: read<
      [
        queueId: number,
        queue: string,
        id: string,
        scheduleTime: unknown,
        state: unknown,
        checksum: unknown,
      ]
    >(`SELECT ${STATE} ${STATE_FROM} WHERE ${BY_SEQ}`),
    head: read<[head: unknown, checksum: unknown]>(
      'SELECT head, CAST(checksum AS REAL) FROM request WHERE seq = ?',
    ),

    insertTask: write(
      'INSERT INTO task VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (queue, id) DO NOTHING',
    ),
    insertRequest: write('INSERT INTO request VALUES (?, ?, ?, ?, ?)'),
    // The index is left alone unless the time changes.
    updateState: write('UPDATE task SET state = ?, checksum = ? WHERE seq = ?'),
    updateStateAndTime: write(
      'UPDATE task SET state = ?, checksum = ?, schedule_time = ? WHERE seq = ?',
    ),
    deleteTask: write('DELETE FROM task WHERE seq = ?'),
    deleteRequest: write('DELETE FROM request WHERE seq = ?'),
    deleteTasks: write('DELETE FROM task WHERE queue = ?'),
    deleteRequests: write(`DELETE FROM request WHERE seq IN (${TASKS_OF_QUEUE})`),

    tombstone: read<[until: number]>(
      'SELECT CAST(until AS REAL) FROM tombstone WHERE queue = ? AND id = ?',
    ),
    buryTask: write('INSERT OR REPLACE INTO tombstone SELECT queue, id, ? FROM task WHERE seq = ?'),
    buryTasks: write(
      `INSERT OR REPLACE INTO tombstone
       SELECT queue, id, ? FROM task INDEXED BY task_name WHERE queue = ? ORDER BY id`,
    ),
    deleteTombstone: write('DELETE FROM tombstone WHERE queue = ? AND id = ?'),
    deleteTombstones: write('DELETE FROM tombstone WHERE queue = ?'),
    nextExpiry: read<[until: number | null]>(
      `SELECT CAST(min(until) AS REAL) FROM (
         SELECT min(until) AS until FROM tombstone UNION ALL SELECT min(until) FROM queue_tombstone)`,
    ),
    deleteExpired: write(
      `DELETE FROM tombstone WHERE (queue, id) IN (
         SELECT queue, id FROM tombstone WHERE until <= ? ORDER BY until LIMIT ?)`,
    ),
    deleteExpiredQueues: write('DELETE FROM queue_tombstone WHERE until <= ?'),

    setTaskAside: write(
      `INSERT INTO damaged
       SELECT 'task', ?, ?, t.seq, t.queue, t.id, t.schedule_time, t.state, t.checksum,
         r.head, r.checksum, r.body, r.body_checksum
       FROM task t LEFT JOIN request r ON r.seq = t.seq WHERE t.seq = ?`,
    ),
    setQueueAside: write(
      `INSERT INTO damaged (kind, name, reason, queue, state, checksum)
       SELECT 'queue', name, ?, id, config, checksum FROM queue WHERE id = ? AND config IS NOT NULL`,
    ),
    forgetQueueConfig: write('UPDATE queue SET config = NULL WHERE id = ?'),
    rebuildTaskIndexes: write('REINDEX task'),
  };
}
