/** Every statement of the store, prepared once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { JobRow, StateRow, TaskRow } from './sqlite-record.js';

interface Read<Row> {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
}

const STATE = 't.queue, t.id, t.schedule_time, t.state, t.checksum';
const HEAD = 'r.head, r.checksum';
const BODY = 'r.body, r.body_checksum';
const BOTH_ROWS = 'FROM task t LEFT JOIN request r ON r.seq = t.seq WHERE t.seq = ?';
// An integer that a flipped bit made too large for JavaScript would throw for the whole page; as a
// REAL it can be read, and leads to a row that is refused.
const SEQ = 'SELECT CAST(seq AS REAL)';
const DUE = `${SEQ}, CAST(schedule_time AS REAL) FROM task INDEXED BY task_due`;
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
    // SQLite's own memory of it, which also knows of tasks that are gone; it has no checksum.
    lastSeq: read<[seq: number]>(
      `SELECT max(seq) FROM (
         SELECT seq FROM sqlite_sequence WHERE name = 'task'
         UNION ALL SELECT ifnull(max(seq), 0) FROM task)`,
    ),

    queueIds: read<[id: number]>('SELECT id FROM queue ORDER BY id'),
    queue: read<[name: unknown, config: unknown, checksum: unknown]>(
      'SELECT name, config, checksum FROM queue WHERE id = ?',
    ),
    insertQueue: write('INSERT INTO queue (name, checksum) VALUES (?, 0)'),
    updateQueue: write('UPDATE queue SET name = ?, config = ?, checksum = ? WHERE id = ?'),
    deleteQueue: write('DELETE FROM queue WHERE id = ?'),
    queueTombstone: read<[until: number]>('SELECT until FROM queue_tombstone WHERE name = ?'),
    putQueueTombstone: write('INSERT OR REPLACE INTO queue_tombstone VALUES (?, ?)'),
    deleteQueueTombstone: write('DELETE FROM queue_tombstone WHERE name = ?'),

    jobNames: read<[name: string]>('SELECT name FROM job ORDER BY name'),
    job: read<JobRow>(
      `SELECT j.head, j.checksum, j.body, j.body_checksum, s.state, s.checksum
       FROM job j LEFT JOIN job_state s ON s.name = j.name WHERE j.name = ?`,
    ),
    putJob: write('INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?)'),
    putJobState: write('INSERT OR REPLACE INTO job_state VALUES (?, ?, ?)'),
    updateJobState: write('UPDATE job_state SET state = ?, checksum = ? WHERE name = ?'),
    deleteJob: write('DELETE FROM job WHERE name = ?'),
    deleteJobState: write('DELETE FROM job_state WHERE name = ?'),

    value: read<[text: unknown, checksum: unknown]>(
      'SELECT text, checksum FROM value WHERE key = ?',
    ),
    putValue: write('INSERT OR REPLACE INTO value VALUES (?, ?, ?)'),
    deleteValue: write('DELETE FROM value WHERE key = ?'),

    // Indexes give places only; the rows are read one by one, so that one which is damaged
    // can't spoil the page.
    seqByName: read<[seq: number]>(
      `${SEQ} FROM task INDEXED BY task_name WHERE queue = ? AND id = ?`,
    ),
    seqsAfter: read<[seq: number]>(
      `${SEQ} FROM task INDEXED BY task_order WHERE queue = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    countTasks: read<[count: number]>(
      'SELECT count(*) FROM task INDEXED BY task_order WHERE queue = ?',
    ),
    dueTogether: read<[seq: number, scheduleTime: number]>(
      `${DUE} WHERE queue = ? AND schedule_time = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    dueLater: read<[seq: number, scheduleTime: number]>(
      `${DUE} WHERE queue = ? AND schedule_time > ? ORDER BY schedule_time, seq LIMIT ?`,
    ),
    task: {
      BASIC: read<TaskRow>(`SELECT ${STATE}, ${HEAD}, NULL, NULL ${BOTH_ROWS}`),
      FULL: read<TaskRow>(`SELECT ${STATE}, ${HEAD}, ${BODY} ${BOTH_ROWS}`),
    },
    state: read<StateRow>(`SELECT ${STATE} FROM task t WHERE t.seq = ?`),
    head: read<[head: unknown, checksum: unknown]>(`SELECT ${HEAD} FROM request r WHERE r.seq = ?`),

    insertTask: write('INSERT INTO task VALUES (?, ?, ?, ?, ?, ?)'),
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

    tombstone: read<[until: number]>('SELECT until FROM tombstone WHERE queue = ? AND id = ?'),
    buryTask: write('INSERT OR REPLACE INTO tombstone SELECT queue, id, ? FROM task WHERE seq = ?'),
    buryTasks: write(
      `INSERT OR REPLACE INTO tombstone
       SELECT queue, id, ? FROM task INDEXED BY task_name WHERE queue = ? ORDER BY id`,
    ),
    deleteTombstone: write('DELETE FROM tombstone WHERE queue = ? AND id = ?'),
    deleteTombstones: write('DELETE FROM tombstone WHERE queue = ?'),
    nextExpiry: read<[until: number | null]>(
      `SELECT min(until) FROM (
         SELECT min(until) AS until FROM tombstone UNION ALL SELECT min(until) FROM queue_tombstone)`,
    ),
    deleteExpired: write(
      `DELETE FROM tombstone WHERE (queue, id) IN (
         SELECT queue, id FROM tombstone WHERE until <= ? ORDER BY until LIMIT ?)`,
    ),
    deleteExpiredQueues: write('DELETE FROM queue_tombstone WHERE until <= ?'),

    taskName: read<[name: string]>(
      `SELECT ifnull(q.name, '?') || '/tasks/' || t.id
       FROM task t LEFT JOIN queue q ON q.id = t.queue WHERE t.seq = ?`,
    ),
    setTaskAside: write(
      `INSERT INTO damaged
       SELECT 'task', ?, ?, t.seq, t.queue, t.id, t.schedule_time, t.state, t.checksum,
         r.head, r.checksum, r.body, r.body_checksum
       FROM task t LEFT JOIN request r ON r.seq = t.seq WHERE t.seq = ?`,
    ),
    setQueueAside: write(
      `INSERT INTO damaged (kind, name, reason, queue, state, checksum)
       SELECT 'queue', name, ?, id, config, checksum FROM queue WHERE id = ?`,
    ),
    setValueAside: write(
      `INSERT INTO damaged (kind, name, reason, state, checksum)
       SELECT 'value', key, ?, text, checksum FROM value WHERE key = ?`,
    ),
    setJobAside: write(
      `INSERT INTO damaged
         (kind, name, reason, head, head_checksum, body, body_checksum, state, checksum)
       SELECT 'job', j.name, ?, j.head, j.checksum, j.body, j.body_checksum, s.state, s.checksum
       FROM job j LEFT JOIN job_state s ON s.name = j.name WHERE j.name = ?`,
    ),
    forgetConfig: write('UPDATE queue SET config = NULL WHERE id = ?'),
    countByIndex: ['task_name', 'task_due', 'task_order'].map((index) =>
      read<[count: number]>(`SELECT count(*) FROM task INDEXED BY ${index}`),
    ),
    rebuildIndexes: write('REINDEX task'),
  };
}
