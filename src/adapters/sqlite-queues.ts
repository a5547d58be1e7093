/** The queues, and the small numbers by which their tasks refer to them. All of them are in memory. */
import type { Queue } from '../engine/cloud-tasks-api.js';
import type { SqliteDamage } from './sqlite-damage.js';
import { decodeQueue, encodeQueue } from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';

interface KnownQueue {
  readonly id: number;
  /** Undefined when it was damaged: its tasks wait until the queue is put again. */
  readonly queue: Queue | undefined;
}

export class SqliteQueues {
  private readonly byName = new Map<string, KnownQueue>();
  private readonly names = new Map<number, string>();

  constructor(
    private readonly store: number,
    private readonly sql: Statements,
    private readonly damage: SqliteDamage,
  ) {
    this.load();
  }

  /** Takes what the database says for true again: at first, and after a write was undone. */
  load(): void {
    this.byName.clear();
    this.names.clear();
    for (const [id] of this.sql.queueIds.all()) this.loadOne(id);
  }

  all(): Queue[] {
    return [...this.byName.values()]
      .map(({ queue }) => structuredClone(queue))
      .filter((queue) => queue !== undefined);
  }

  idOf(name: string): number | undefined {
    return this.byName.get(name)?.id;
  }

  /** Undefined while the queue's own record is damaged or gone. */
  nameOf(id: number): string | undefined {
    return this.names.get(id);
  }

  put(queue: Queue): number {
    const { sql } = this;
    const { name } = queue;
    const id = this.idOf(name) ?? Number(sql.insertQueue.run(name).lastInsertRowid);
    const { text, checksum } = encodeQueue(this.store, id, queue);
    sql.updateQueue.run(name, text, checksum, id);
    this.know(name, { id, queue: structuredClone(queue) });
    return id;
  }

  delete(name: string): void {
    const id = this.idOf(name);
    if (id === undefined) return;
    this.sql.deleteQueue.run(id);
    this.byName.delete(name);
    this.names.delete(id);
  }

  private know(name: string, known: KnownQueue): void {
    this.byName.set(name, known);
    if (known.queue) this.names.set(known.id, name);
  }

  private loadOne(id: number): void {
    let name: unknown;
    let queue: Queue | undefined;
    try {
      const [column, config, checksum] = this.sql.queue.get(id) ?? [];
      name = column;
      queue = config === null ? undefined : decodeQueue(this.store, id, config, checksum);
    } catch (error) {
      this.damage.queue(id, String(name), error);
    }
    // The name is kept twice, so that one flipped bit can't part a queue from its tasks.
    this.know(queue?.name ?? String(name), { id, queue });
  }
}
