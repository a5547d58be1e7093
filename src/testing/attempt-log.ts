/** Keeps what became of every attempt: what was sent, what was answered, when it is tried again. */
import type { Dispatch, EngineEvent } from '../engine/ports.js';
import { shortId } from '../engine/resource-name.js';
import type { Instant } from '../engine/time.js';
import { MILLISECOND } from '../engine/time.js';

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

type Ended = EngineEvent & { readonly type: 'attempt' };

export class AttemptLog {
  readonly records: AttemptRecord[] = [];
  /** By the task's queue and id. */
  private readonly last = new Map<string, { readonly handler: string; answer: string }>();

  sent({ task }: Dispatch, handler: string): void {
    this.last.set(keyOf(...idsOf(task)), { handler, answer: '' });
  }

  answered({ task }: Dispatch, answer: string): void {
    const sent = this.last.get(keyOf(...idsOf(task)));
    if (sent) sent.answer = answer;
  }

  ended({ queue, task, duration, dispatchCount, result, retryTime }: Ended, now: Instant): void {
    const { handler = '', answer = '' } = this.last.get(keyOf(queue, task)) ?? {};
    this.last.delete(keyOf(queue, task));
    this.records.push({
      queue,
      taskId: task,
      handler,
      attempt: dispatchCount,
      at: new Date((now - duration) / MILLISECOND),
      status: result.kind === 'response' ? result.status : undefined,
      answer: reasonOf(result) ?? answer,
      retryAt: retryTime === undefined ? undefined : new Date(retryTime / MILLISECOND),
    });
  }

  /** How its last attempt ended, in a few words. */
  lastOf(queue: string, taskId: string): string {
    const last = this.records.findLast(
      (record) => record.taskId === taskId && record.queue === queue,
    );
    return last ? `${last.status ?? 'no answer'}, ${last.answer || '(empty)'}` : 'none yet';
  }
}

/** Why there was no answer. */
function reasonOf(result: Ended['result']): string | undefined {
  if (result.kind === 'response') return undefined;
  return result.kind === 'deadline' ? 'the dispatch deadline passed' : result.reason;
}

/** Of `projects/p/locations/l/queues/q/tasks/t`: `q` and `t`. */
function idsOf(task: string): [queue: string, id: string] {
  return [shortId(task.slice(0, task.lastIndexOf('/tasks/'))), shortId(task)];
}

function keyOf(queue: string, id: string): string {
  return `${queue}/${id}`;
}
