/** Tells which tasks are one piece of work: a first one, its successors, what was parked of it. */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Instant } from '../../engine/time.js';
import { SECOND } from '../../engine/time.js';
import type { VerifiedRequest } from '../auth/task-guard.js';

/** Set by this library alone. A task of another maker has none, and a count that is 0 is left out. */
export const UID_HEADER = 'X-Tasks-Uid';
export const HOP_HEADER = 'X-Tasks-Hop';
export const REDRIVE_HEADER = 'X-Tasks-Redrive';
export const EARLIER_ATTEMPTS_HEADER = 'X-Tasks-Earlier-Attempts';
export const FIRST_ATTEMPT_HEADER = 'X-Tasks-First-Attempt';

const LINEAGE_HEADERS: readonly string[] = [
  UID_HEADER,
  HOP_HEADER,
  REDRIVE_HEADER,
  EARLIER_ATTEMPTS_HEADER,
  FIRST_ATTEMPT_HEADER,
];

export interface Lineage {
  /** The same for all tasks of one piece of work, and for no others. */
  readonly uid: string;
  /** How many tasks of it were there before: each is one hop, whether asked for or redriven. */
  readonly hop: number;
  /** How often it was redriven. */
  readonly redrive: number;
  /** Attempts of the tasks before this one, since it was created or last redriven. */
  readonly earlierAttempts: number;
  /** When the first attempt of all was due. */
  readonly firstAttempt: Instant;
}

/** @param firstAttempt when the first attempt is due */
export function newLineage(firstAttempt: Instant): Lineage {
  return { uid: randomUUID(), hop: 0, redrive: 0, earlierAttempts: 0, firstAttempt };
}

/** The task that takes the place of one that asked to be tried later. */
export function successor(lineage: Lineage, attempts: number): Lineage {
  const { hop, earlierAttempts } = lineage;
  return { ...lineage, hop: hop + 1, earlierAttempts: earlierAttempts + attempts };
}

/** The task that is made of a dead letter: its attempts are counted from the start again. */
export function redriven(lineage: Lineage): Lineage {
  const { hop, redrive } = lineage;
  return { ...lineage, hop: hop + 1, redrive: redrive + 1, earlierAttempts: 0 };
}

/**
 * The id of a hop's task but the first. A crash between its create and the end of the task before
 * leads to the same id again, so there ALREADY_EXISTS means done.
 */
export function hopTaskId({ uid, hop }: Pick<Lineage, 'uid' | 'hop'>): string {
  return `${digest(uid)}-h${hop}`;
}

/** The id under which a task of this lineage is parked; as with `hopTaskId`, each just once. */
export function parkedTaskId({
  uid,
  hop,
  redrive,
}: Pick<Lineage, 'uid' | 'hop' | 'redrive'>): string {
  return digest(`${uid} ${hop} ${redrive}`);
}

/** The uid of a task that was made without one, by gcloud for example. */
export function uidOfName(queueId: string, taskId: string): string {
  return digest(`${queueId}/tasks/${taskId}`);
}

export function lineageHeaders(lineage: Lineage): Record<string, string> {
  const { uid, hop, redrive, earlierAttempts, firstAttempt } = lineage;
  return {
    [UID_HEADER]: uid,
    [FIRST_ATTEMPT_HEADER]: String(firstAttempt / SECOND),
    ...(hop === 0 ? {} : { [HOP_HEADER]: String(hop) }),
    ...(redrive === 0 ? {} : { [REDRIVE_HEADER]: String(redrive) }),
    ...(earlierAttempts === 0 ? {} : { [EARLIER_ATTEMPTS_HEADER]: String(earlierAttempts) }),
  };
}

/** Whether whoever made a task gave it a lineage. */
export function hasUid(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === UID_HEADER.toLowerCase());
}

/** A task's headers without those of a lineage. */
export function withoutLineage(headers: Readonly<Record<string, string>>): Record<string, string> {
  const ours = new Set(LINEAGE_HEADERS.map((name) => name.toLowerCase()));
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ours.has(name.toLowerCase())),
  );
}

/**
 * Reads the lineage of a delivery.
 *
 * @param verified what the guard has found out: on any other request the headers are anybody's
 */
export function lineageOf(
  { headersDistinct: headers }: Pick<IncomingMessage, 'headersDistinct'>,
  verified: VerifiedRequest,
): Lineage {
  /** A header that came twice is none. */
  const single = (name: string): string | undefined => {
    const values = headers[name.toLowerCase()];
    return values?.length === 1 ? values[0] : undefined;
  };
  const queueId = single(`${verified.headers}-queuename`) ?? '';
  const taskId = single(`${verified.headers}-taskname`) ?? '';
  return readLineage(single, {
    // A digest that most tasks, which bring their own, need not be asked for.
    get uid() {
      return uidOfName(queueId, taskId);
    },
    firstAttempt: verified.arrivedAt,
  });
}

/** Reads the lineage of a task that the queue's API has shown. */
export function lineageOfTask(
  headers: Readonly<Record<string, string>>,
  fallback: Pick<Lineage, 'uid' | 'firstAttempt'>,
): Lineage {
  const byName = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return readLineage((name) => byName.get(name.toLowerCase()), fallback);
}

const UID = /^[A-Za-z0-9_-]{16,64}$/;

function readLineage(
  header: (name: string) => string | undefined,
  fallback: Pick<Lineage, 'uid' | 'firstAttempt'>,
): Lineage {
  const uid = header(UID_HEADER);
  const count = (name: string) => {
    const text = header(name);
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0;
  };
  return {
    uid: uid !== undefined && UID.test(uid) ? uid : fallback.uid,
    hop: count(HOP_HEADER),
    redrive: count(REDRIVE_HEADER),
    earlierAttempts: count(EARLIER_ATTEMPTS_HEADER),
    firstAttempt: instant(header(FIRST_ATTEMPT_HEADER)) ?? fallback.firstAttempt,
  };
}

/** From seconds with up to six decimals. */
function instant(text: string | undefined): Instant | undefined {
  return text !== undefined && /^\d{1,12}(\.\d{1,6})?$/.test(text)
    ? Math.round(Number(text) * SECOND)
    : undefined;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
