/** The app's records as SQL that SQLite and PostgreSQL both understand, each verb one statement. */
import type {
  AppRecords,
  DeliveryRecord,
  Entity,
  EntityVersion,
  KeptEntity,
  Saved,
} from '../foundation/app-records.js';
import type { Instant } from '../engine/time.js';

export type SqlValue = string | number | bigint | null;
export type SqlRow = Readonly<Record<string, unknown>>;

/** Where the statements go; parameters are `$1`, `$2` … */
export interface SqlDatabase {
  /** @throws CloudTasksError UNAVAILABLE */
  query(sql: string, values: readonly SqlValue[]): Promise<{ rows: SqlRow[]; changes: number }>;
  close(): Promise<void>;
}

/** Instants in microseconds, durations too. */
export const RECORDS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS nest_cloud_tasks_entity (
    id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    etag TEXT,
    version_kind TEXT,
    version BIGINT,
    fetched_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    gone_since BIGINT
  );
  CREATE INDEX IF NOT EXISTS nest_cloud_tasks_entity_gone
    ON nest_cloud_tasks_entity (gone_since);
  CREATE TABLE IF NOT EXISTS nest_cloud_tasks_delivery (
    id TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    url TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    failure TEXT,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS nest_cloud_tasks_delivery_id ON nest_cloud_tasks_delivery (id, at);
  CREATE INDEX IF NOT EXISTS nest_cloud_tasks_delivery_at ON nest_cloud_tasks_delivery (at);
`;

const SQL = {
  entity: 'SELECT * FROM nest_cloud_tasks_entity WHERE id = $1',
  // What is gone has no version any more: only a later look at the source brings it back.
  save: `
    INSERT INTO nest_cloud_tasks_entity AS kept
      (id, content, etag, version_kind, version, fetched_at, changed_at)
      VALUES ($1, $2, $3, $4, $5, $6, $6)
      ON CONFLICT (id) DO UPDATE SET
        content = excluded.content,
        etag = excluded.etag,
        version_kind = excluded.version_kind,
        version = excluded.version,
        fetched_at = excluded.fetched_at,
        changed_at = CASE WHEN kept.content = excluded.content AND kept.gone_since IS NULL
          THEN kept.changed_at ELSE excluded.changed_at END,
        gone_since = NULL
        WHERE CASE
          WHEN kept.gone_since IS NULL AND kept.version_kind = excluded.version_kind
            AND kept.version <> excluded.version
            THEN excluded.version > kept.version
          ELSE excluded.fetched_at >= kept.fetched_at END
      RETURNING changed_at`,
  confirm: `
    UPDATE nest_cloud_tasks_entity
      SET fetched_at = CASE WHEN fetched_at > $3 THEN fetched_at ELSE $3 END
      WHERE id = $1 AND etag = $2 AND gone_since IS NULL`,
  markGone: `
    UPDATE nest_cloud_tasks_entity
      SET gone_since = coalesce(gone_since, $2), fetched_at = $2
      WHERE id = $1 AND fetched_at <= $2`,
  // The oldest first, so many that no statement takes long.
  deleteGone: `
    DELETE FROM nest_cloud_tasks_entity WHERE gone_since <= (SELECT max(gone_since) FROM (
      SELECT gone_since FROM nest_cloud_tasks_entity WHERE gone_since < $1
        ORDER BY gone_since LIMIT 1000) AS oldest)`,
  noteDelivery: `
    INSERT INTO nest_cloud_tasks_delivery (id, attempt, url, outcome, status, failure, at, took)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
  deleteDeliveries: `
    DELETE FROM nest_cloud_tasks_delivery WHERE at <= (SELECT max(at) FROM (
      SELECT at FROM nest_cloud_tasks_delivery WHERE at < $1 ORDER BY at LIMIT 1000) AS oldest)`,
} as const;

export class SqlRecords implements AppRecords {
  constructor(private readonly db: SqlDatabase) {}

  async entity(id: string): Promise<KeptEntity | undefined> {
    const [row] = (await this.db.query(SQL.entity, [id])).rows;
    if (!row) return undefined;
    const { content, etag, version_kind: kind, version, gone_since: gone } = row;
    return {
      id,
      content: String(content),
      ...(typeof etag === 'string' ? { etag } : {}),
      ...(typeof kind === 'string'
        ? { version: { kind: kind as EntityVersion['kind'], value: BigInt(String(version)) } }
        : {}),
      fetchedAt: Number(row['fetched_at']),
      ...(gone === null ? {} : { goneSince: Number(gone) }),
    };
  }

  async save({ id, content, etag, version, fetchedAt }: Entity): Promise<Saved> {
    const values = [id, content, etag ?? null, version?.kind ?? null, version?.value ?? null];
    const [row] = (await this.db.query(SQL.save, [...values, fetchedAt])).rows;
    if (!row) return 'older';
    return Number(row['changed_at']) === fetchedAt ? 'changed' : 'unchanged';
  }

  async confirm(id: string, etag: string, at: Instant): Promise<boolean> {
    return (await this.db.query(SQL.confirm, [id, etag, at])).changes > 0;
  }

  async markGone(id: string, at: Instant): Promise<boolean> {
    return (await this.db.query(SQL.markGone, [id, at])).changes > 0;
  }

  async deleteGone(before: Instant): Promise<number> {
    return (await this.db.query(SQL.deleteGone, [before])).changes;
  }

  async noteDelivery(delivery: DeliveryRecord): Promise<void> {
    const { id, attempt, url, outcome, status, failure, at, took } = delivery;
    const values = [id, attempt, url, outcome, status ?? null, failure ?? null, at, took];
    await this.db.query(SQL.noteDelivery, values);
  }

  async deleteDeliveries(before: Instant): Promise<number> {
    return (await this.db.query(SQL.deleteDeliveries, [before])).changes;
  }

  close(): Promise<void> {
    return this.db.close();
  }
}
