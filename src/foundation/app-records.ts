/** What the jobs keep in the app's database: entities of a source, and the log of webhooks. */
import type { Duration, Instant } from '../engine/time.js';

/** What a source says of how new something is; only those of one kind can be compared. */
export interface EntityVersion {
  readonly kind: 'version' | 'updated_at' | 'last-modified';
  /** A 64-bit integer: the number itself, or microseconds since 1970. */
  readonly value: bigint;
}

export interface Entity {
  readonly id: string;
  /** The source's JSON text, as it came. */
  readonly content: string;
  /** As the source sent it. */
  readonly etag?: string;
  readonly version?: EntityVersion;
  /** When the fetch began that brought it: what the source did after that may be missing. */
  readonly fetchedAt: Instant;
}

export interface KeptEntity extends Entity {
  /** Since when the source has it no more; absent while it has. */
  readonly goneSince?: Instant;
}

/** `older`: what is kept is newer, and stays. */
export type Saved = 'changed' | 'unchanged' | 'older';

/** One attempt to deliver a webhook. */
export interface DeliveryRecord {
  /** The webhook's id, the same for all its attempts. */
  readonly id: string;
  /** The first is 1. */
  readonly attempt: number;
  /** Without the query, which may hold a secret. */
  readonly url: string;
  readonly outcome: 'delivered' | 'again' | 'given-up';
  /** What was answered. */
  readonly status?: number;
  /** Why there was no answer. */
  readonly failure?: string;
  readonly at: Instant;
  readonly took: Duration;
}

/** Every verb throws CloudTasksError UNAVAILABLE while the database can't be used. */
export interface AppRecords {
  entity(id: string): Promise<KeptEntity | undefined>;

  /**
   * Keeps an entity, unless what is kept is newer: of a greater version of the same kind, or, where
   * versions are equal, missing or of two kinds, fetched later. Atomic.
   */
  save(entity: Entity): Promise<Saved>;

  /**
   * Notes that the source still had what is kept, so that an answer to an earlier question can't
   * replace it.
   *
   * @returns whether that is what is kept
   */
  confirm(id: string, etag: string, at: Instant): Promise<boolean>;

  /**
   * Notes that the source has it no more, unless it was fetched later than that was asked.
   *
   * @returns whether it is kept and gone now
   */
  markGone(id: string, at: Instant): Promise<boolean>;

  /**
   * Deletes those that have been gone since before `before`.
   *
   * @returns how many; at least 1000 means that there may be more
   */
  deleteGone(before: Instant): Promise<number>;

  noteDelivery(delivery: DeliveryRecord): Promise<void>;

  /**
   * Deletes those of before `before`.
   *
   * @returns as `deleteGone`
   */
  deleteDeliveries(before: Instant): Promise<number>;

  close(): Promise<void>;
}
