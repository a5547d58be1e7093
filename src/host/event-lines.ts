/** What the engine tells, as a line for a person. */
import type { EngineEvent } from '../engine/ports.js';
import { shortId } from '../engine/resource-name.js';
import { MILLISECOND } from '../engine/time.js';

export interface EventLine {
  readonly severity: 'debug' | 'warning' | 'error';
  readonly text: string;
}

/** A success is `debug`, since there is one for nearly every task; `error` is for what is lost. */
export function eventLine(event: EngineEvent): EventLine {
  switch (event.type) {
    case 'attempt':
      return attemptLine(event);
    case 'execution': {
      const { job, attempt } = event;
      return endLine(`Attempt ${attempt} of job ${shortId(job)}`, event);
    }
    case 'damaged-record': {
      const { kind, name, reason } = event.record;
      return { severity: 'error', text: `Set aside a damaged ${kind}: ${name} (${reason})` };
    }
    case 'throttled':
      return {
        severity: 'warning',
        text: `Queue ${event.queue} sends less for a while: its targets are overloaded or mostly fail`,
      };
    case 'tasks-expired':
      return {
        severity: 'error',
        text: `Deleted ${event.count} tasks of ${event.queue} that are older than its taskTtl`,
      };
    default:
      return { severity: 'error', text: `The engine failed: ${reasonOf(event.error)}` };
  }
}

function attemptLine(event: Extract<EngineEvent, { type: 'attempt' }>): EventLine {
  const { queue, task, dispatchCount } = event;
  return endLine(`Attempt ${dispatchCount} of ${queue}/tasks/${task}`, event);
}

function endLine(
  what: string,
  event: Extract<EngineEvent, { type: 'attempt' | 'execution' }>,
): EventLine {
  const { result, duration, retryTime, gaveUp } = event;
  const outcome =
    result.kind === 'response'
      ? `answered ${result.status}`
      : result.kind === 'deadline'
        ? 'not answered within its deadline'
        : `not delivered (${result.reason})`;
  const text = `${what} ${outcome} after ${Math.round(duration / MILLISECOND)} ms`;
  if (gaveUp) return { severity: 'error', text: `${text}; given up` };
  if (retryTime === undefined) return { severity: 'debug', text };
  const next = new Date(retryTime / MILLISECOND).toISOString();
  return { severity: 'warning', text: `${text}; tried again at ${next}` };
}

function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
