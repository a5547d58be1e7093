/** What a test sees of tasks and their attempts, in a user's own words: no microseconds, no bytes. */
import type { Task } from '../engine/cloud-tasks-api.js';
import type { EngineEvent } from '../engine/ports.js';
import { parseTaskName, shortId } from '../engine/resource-name.js';
import type { Instant } from '../engine/time.js';
import { MILLISECOND } from '../engine/time.js';

/** A task that waits. */
export interface WaitingTask {
  /** Full name. */
  readonly name: string;
  /** The queue's id. */
  readonly queue: string;
  readonly taskId: string;
  /** `EmailTasks.send`; for another route or address `POST /path` or `POST https://…`. */
  readonly handler: string;
  /** The body: JSON as its value, other text as a string, none as undefined. */
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  /** When the next attempt is due. */
  readonly scheduledAt: Date;
  /** How many there were. */
  readonly attempts: number;
}

/** One call of a handler, as its queue saw it. */
export interface AttemptRecord {
  readonly queue: string;
  readonly taskId: string;
  /** Like that of `WaitingTask`. */
  readonly handler: string;
  /** 1 at the first. */
  readonly attempt: number;
  readonly at: Date;
  /** The answer's; undefined when there was none. */
  readonly status: number | undefined;
  /** The answer's body, or why there was none. */
  readonly answer: string;
  /** When the queue tries again; undefined when it doesn't. */
  readonly retryAt: Date | undefined;
}

/** @param handler names who takes the task */
export function waitingTask(task: Task, handler: string): WaitingTask {
  const { name, httpRequest, appEngineHttpRequest, scheduleTime, dispatchCount } = task;
  const { headers = {}, body } = httpRequest ?? appEngineHttpRequest ?? {};
  const { queue, id } = parseTaskName(name, 'name');
  return {
    name,
    queue: shortId(queue),
    taskId: id,
    handler,
    payload: body && readBody(body, headers),
    headers,
    scheduledAt: dateOf(scheduleTime),
    attempts: dispatchCount,
  };
}

/** @param answer the answer's body */
export function attemptRecord(
  event: EngineEvent & { readonly type: 'attempt' },
  at: Instant,
  { handler, answer }: { readonly handler: string; readonly answer: string },
): AttemptRecord {
  const { queue, task, dispatchCount, result, retryTime } = event;
  return {
    queue,
    taskId: task,
    handler,
    attempt: dispatchCount,
    at: dateOf(at),
    status: result.kind === 'response' ? result.status : undefined,
    answer: answerOf(result, answer),
    retryAt: retryTime === undefined ? undefined : dateOf(retryTime),
  };
}

export function dateOf(instant: Instant): Date {
  return new Date(instant / MILLISECOND);
}

function answerOf(
  result: (EngineEvent & { readonly type: 'attempt' })['result'],
  body: string,
): string {
  switch (result.kind) {
    case 'response':
      return body;
    case 'deadline':
      return 'the dispatch deadline passed';
    case 'no-response':
      return result.reason;
  }
}

function readBody(body: Uint8Array, headers: Readonly<Record<string, string>>): unknown {
  const text = Buffer.from(body).toString();
  const [, type = ''] =
    Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type') ?? [];
  if (!/[/+]json\b/.test(type)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
