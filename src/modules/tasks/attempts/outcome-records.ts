/** What is remembered of how a task came out: its form, and under which keys it is kept. */
import { createHash } from 'node:crypto';

/** As JSON in the journal. */
export interface OutcomeRecord {
  readonly state: 'running' | 'succeeded' | 'failed' | 'dead-lettered';
  /** By which its successors, dead letters and redriven tasks are found. */
  readonly uid: string;
  readonly hop: number;
  readonly redrive: number;
  /** Of all tasks of the lineage since it was created or redriven. */
  readonly attempts: number;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly reason?: string;
  readonly result?: unknown;
}

/** @param task full name */
export function taskKey(task: string): string {
  return `task:${task}`;
}

/** Of tasks that came after the first one of their lineage. */
export function lineageKey(location: string, uid: string): string {
  return `lineage:${location}/${uid}`;
}

/** The work itself; a digest, since keys of users may be long, and personal. */
export function workKey(location: string, handler: string, key: string): string {
  const text = JSON.stringify([location, handler, key]);
  return `work:${createHash('sha256').update(text).digest('hex')}`;
}

export function readRecord(text: string | undefined): OutcomeRecord | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as OutcomeRecord);
}
