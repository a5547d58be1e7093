/** What a dead letter is: a parked task, with a header that says why it was given up. */
import type { Task } from '../../engine/cloud-tasks-api.js';
import { shortId } from '../../engine/resource-name.js';
import type { Duration, Instant } from '../../engine/time.js';
import { DAY, MILLISECOND } from '../../engine/time.js';
import type { Lineage } from './lineage.js';
import { lineageOfTask } from './lineage.js';

export const DEAD_LETTER_HEADER = 'X-Tasks-Dead-Letter';

/** What is added to a task when it is parked, its lineage included, never takes more. */
export const PARKING_ROOM = 16 * 1024;

/** After that Cloud Tasks deletes a task, whatever its queue's state. */
export const TASK_AGE: Duration = 31 * DAY;

export const DEAD_REASONS = [
  'permanent',
  'refused',
  'unreadable',
  'exhausted',
  'unknown-path',
  'unexpected-redirect',
  'policy',
  'unknown',
] as const;

/**
 * `permanent`: the handler threw `PermanentFailure`. `refused`: 4xx, a failed validation among
 * them. `unreadable`: the body. `exhausted`: the last attempt failed. `unknown-path`: no handler
 * has its path. Of calls of the relay, `unexpected-redirect`: the target answered 3xx. `policy`: the
 * outbound rules refuse it. `unknown`: it was sent, what became of it nobody knows, and it must not
 * be sent twice.
 */
export type DeadReason = (typeof DEAD_REASONS)[number];

/** Why and when a task was given up. */
export interface Epitaph {
  readonly reason: DeadReason;
  readonly message: string;
  /** Attempts of all its tasks, since it was created or last redriven. */
  readonly attempts: number;
  /** HTTP status or text of the last answer, as the queue has told it. */
  readonly lastError?: string | undefined;
  /** Id of its queue, and its own there. */
  readonly queue: string;
  readonly taskId: string;
  readonly diedAt: Instant;
  /** How often it was parked anew, its age being limited. */
  readonly renewals: number;
}

export interface DeadLetter extends Epitaph {
  /** Full name of the parked task. */
  readonly name: string;
  readonly lineage: Lineage;
  /** `POST` and the URL, or the path of an App Engine task. */
  readonly method: string;
  readonly url: string;
  /** When Cloud Tasks would delete it. */
  readonly expiresAt: Instant;
}

/** 2 KB in base64url are 1536 bytes: most of it for what the error says. */
const MOST_MESSAGE = 1000;
const MOST_LAST_ERROR = 200;

export function deadLetterHeader(epitaph: Epitaph): Record<string, string> {
  const { message, lastError, diedAt, ...rest } = epitaph;
  const content = {
    ...rest,
    message: cut(message, MOST_MESSAGE),
    ...(lastError === undefined ? {} : { lastError: cut(lastError, MOST_LAST_ERROR) }),
    diedAt: new Date(diedAt / MILLISECOND).toISOString(),
  };
  return { [DEAD_LETTER_HEADER]: Buffer.from(JSON.stringify(content)).toString('base64url') };
}

/** @returns undefined for a task that stands in the queue without being a dead letter of ours */
export function readDeadLetter(task: Task): DeadLetter | undefined {
  const request = task.httpRequest ?? task.appEngineHttpRequest;
  if (!request) return undefined;
  const epitaph = readEpitaph(header(request.headers, DEAD_LETTER_HEADER));
  if (!epitaph) return undefined;
  return {
    ...epitaph,
    name: task.name,
    lineage: lineageOfTask(request.headers, {
      uid: shortId(task.name),
      firstAttempt: task.createTime,
    }),
    method: request.httpMethod,
    url: 'url' in request ? request.url : request.relativeUri,
    expiresAt: task.createTime + TASK_AGE,
  };
}

/** A task's headers as they were before it was parked, but for its lineage. */
export function withoutDeadLetter(
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => name.toLowerCase() !== DEAD_LETTER_HEADER.toLowerCase(),
    ),
  );
}

function header(headers: Readonly<Record<string, string>>, wanted: string): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted.toLowerCase())?.[1];
}

function readEpitaph(text: string | undefined): Epitaph | undefined {
  if (text === undefined) return undefined;
  let read: Readonly<Record<string, unknown>>;
  try {
    read = JSON.parse(Buffer.from(text, 'base64url').toString()) as typeof read;
  } catch {
    return undefined;
  }
  const { message, attempts, lastError, queue, taskId, diedAt, renewals } = read;
  const reason = DEAD_REASONS.find((known) => known === read['reason']);
  if (!reason || typeof queue !== 'string' || typeof taskId !== 'string') return undefined;
  return {
    reason,
    message: String(message),
    attempts: Number(attempts),
    ...(typeof lastError === 'string' ? { lastError } : {}),
    queue,
    taskId,
    diedAt: Date.parse(String(diedAt)) * MILLISECOND,
    renewals: Number(renewals) || 0,
  };
}

/** So that it takes at most this many bytes as JSON, whatever is in it. */
function cut(text: string, most: number): string {
  let kept = text.toWellFormed().slice(0, most);
  while (Buffer.byteLength(JSON.stringify(kept)) > most) {
    kept = kept.slice(0, Math.floor(kept.length * 0.9)).toWellFormed();
  }
  return kept;
}
