/** Copies what is sound out of a damaged database, row by row, and names the rest. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { DamagedRecord } from '../engine/ports.js';
import { openSqliteFile } from './sqlite-file.js';
import type { JobRow, TaskRow } from './sqlite-record.js';
import {
  decodeJob,
  decodeQueue,
  decodeRequest,
  decodeState,
  decodeValue,
  taskKey,
} from './sqlite-record.js';
import { SCHEMA_VERSION, storeId } from './sqlite-schema.js';

export interface Salvaged {
  readonly kept: { readonly queues: number; readonly tasks: number; readonly tombstones: number };
  /** What was there and is not sound, as far as its name can still be told. */
  readonly lost: readonly DamagedRecord[];
}

/** A transaction of the new file holds so many rows. */
const BATCH = 10_000;

type Row = readonly SQLInputValue[];

/** In a damaged file a column can hold any type. */
function textOf(value: SQLInputValue | undefined): string {
  return typeof value === 'string' ? value : '?';
}

/** Where the numbers of tasks are found, whatever of these is damaged; the first knows names too. */
const NAMES = [
  'CAST(seq AS REAL), queue, id',
  'task INDEXED BY task_name',
  'queue #, id #',
] as const;
const NUMBERS = [
  ['task INDEXED BY task_due', 'queue #, schedule_time #'],
  ['task INDEXED BY task_order', 'queue #'],
  ['task NOT INDEXED', 'seq #'],
  ['request', 'seq #'],
] as const;

export class Salvage {
  private readonly target: DatabaseSync;
  private readonly store: number;
  private readonly lost: DamagedRecord[] = [];
  private readonly queueNames = new Map<number, string>();
  private readonly inserts = new Map<string, StatementSync>();
  private written = 0;

  constructor(
    private readonly source: DatabaseSync,
    fresh: string,
  ) {
    this.target = openSqliteFile(fresh).db;
    this.store = storeId(source);
    // Rows keep their checksums, which cover it.
    this.target.exec(`PRAGMA user_version = ${this.store + SCHEMA_VERSION}; BEGIN`);
  }

  run(): Salvaged {
    const queues = this.queues();
    const tasks = this.tasks();
    const tombstones = this.copyAll('tombstone', 'queue #, id #');
    this.copyAll('queue_tombstone', 'name #');
    this.copyAll('damaged', 'rowid #');
    for (const row of this.rows('key, text, checksum', 'value', 'key #')) {
      const [key, text, checksum] = row;
      this.keepIfSound('value', textOf(key), () => {
        decodeValue(this.store, textOf(key), text, checksum);
        this.write('value', row);
      });
    }
    this.jobs();
    this.target.exec('COMMIT');
    this.target.close();
    return { kept: { queues, tasks, tombstones }, lost: this.lost };
  }

  /** One whose settings are damaged keeps its place: its tasks wait until it is put again. */
  private queues(): number {
    let kept = 0;
    for (const row of this.rows('id, name, config, checksum', 'queue', 'id #')) {
      const [id, name, config, checksum] = row;
      const number = Number(id);
      this.queueNames.set(number, textOf(name));
      const isSound = this.keepIfSound('queue', textOf(name), () => {
        this.queueNames.set(number, decodeQueue(this.store, number, config, checksum).name);
        this.write('queue', row);
      });
      if (isSound) kept++;
      else this.write('queue', [number, textOf(name), null, 0]);
    }
    return kept;
  }

  private jobs(): void {
    const columns = 'j.name, j.head, j.checksum, j.body, j.body_checksum, s.state, s.checksum';
    const table = 'job j LEFT JOIN job_state s ON s.name = j.name';
    for (const row of this.rows(columns, table, 'j.name #')) {
      const [name, ...parts] = row;
      this.keepIfSound('job', textOf(name), () => {
        decodeJob(this.store, textOf(name), parts as unknown as JobRow);
        const [head, headChecksum, body, bodyChecksum, state, checksum] = parts;
        this.write('job', [name, head, headChecksum, body, bodyChecksum] as Row);
        this.write('job_state', [name, state, checksum] as Row);
      });
    }
  }

  private tasks(): number {
    const names = new Map<number, string>();
    for (const [seq, queue, id] of this.rows(...NAMES)) {
      const name = this.queueNames.get(Number(queue)) ?? '?';
      names.set(Number(seq), `${name}/tasks/${textOf(id)}`);
    }
    for (const [table, order] of NUMBERS) {
      for (const [seq] of this.rows('CAST(seq AS REAL)', table, order)) {
        if (!names.has(Number(seq))) names.set(Number(seq), `number ${Number(seq)}`);
      }
    }
    const both = this.source.prepare(
      `SELECT t.queue, t.id, t.schedule_time, t.state, t.checksum,
         r.head, r.checksum, r.body, r.body_checksum
       FROM task t LEFT JOIN request r ON r.seq = t.seq WHERE t.seq = ?`,
    );
    both.setReturnArrays(true);
    let kept = 0;
    for (const [seq, name] of names) {
      const isSound = this.keepIfSound('task', name, () => {
        const row = both.get(seq) as unknown as TaskRow | undefined;
        if (!row) throw new Error('its row is gone');
        const [queue, id] = row;
        const key = taskKey(this.store, seq, queue, id);
        decodeState(key, row);
        decodeRequest(key, row);
        this.write('task', [seq, ...row.slice(0, 5)] as Row);
        this.write('request', [seq, ...row.slice(5)] as Row);
      });
      if (isSound) kept++;
    }
    return kept;
  }

  /** A table without checksums: what can be read of it is kept as it is. */
  private copyAll(table: string, order: string): number {
    let kept = 0;
    for (const row of this.rows('*', table, order)) {
      // Of another type than the column's, it is no row of ours.
      if (this.keepIfSound('value', table, () => this.write(table, row))) kept++;
    }
    return kept;
  }

  /** From both ends, each as far as it can be read. `#` stands for the direction. */
  private *rows(columns: string, table: string, order: string): Generator<Row> {
    for (const direction of ['ASC', 'DESC']) {
      try {
        const by = order.replaceAll('#', direction);
        const statement = this.source.prepare(`SELECT ${columns} FROM ${table} ORDER BY ${by}`);
        statement.setReturnArrays(true);
        yield* statement.iterate() as Iterable<Row>;
        return;
      } catch {
        // What lies between the two ends is found by another way, or lost.
      }
    }
  }

  private keepIfSound(kind: DamagedRecord['kind'], name: string, keep: () => void): boolean {
    try {
      keep();
      return true;
    } catch (error) {
      this.lost.push({ kind, name, reason: (error as Error).message });
      return false;
    }
  }

  private write(table: string, row: Row): void {
    let insert = this.inserts.get(table);
    if (!insert) {
      const values = row.map(() => '?').join(', ');
      insert = this.target.prepare(`INSERT OR IGNORE INTO ${table} VALUES (${values})`);
      this.inserts.set(table, insert);
    }
    insert.run(...row);
    if (++this.written % BATCH === 0) this.target.exec('COMMIT; BEGIN');
  }
}
