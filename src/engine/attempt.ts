/** What one attempt leaves behind in its task: the counts, the times, the status. */
import type { DispatchResult, StoredTask, TaskState } from './ports.js';
import type { Instant } from './time.js';

/** An attempt's end as the engine sees it: the transport's result, or its own deadline. */
export type AttemptResult = DispatchResult | { readonly kind: 'deadline' };

/** The state once an attempt was sent. Kept before its end, so that a crash counts as an attempt. */
export function dispatched(state: TaskState, dispatchTime: Instant): TaskState {
  return {
    ...state,
    dispatchCount: state.dispatchCount + 1,
    firstAttempt: state.firstAttempt ?? { dispatchTime },
    lastAttempt: { scheduleTime: state.scheduleTime, dispatchTime },
  };
}

/** The state after a failed attempt that is tried again at `retryTime`. */
export function failed(
  task: StoredTask,
  result: AttemptResult,
  responseTime: Instant,
  retryTime: Instant,
): TaskState {
  const { state } = task;
  const answered = result.kind === 'response';
  return {
    ...state,
    scheduleTime: retryTime,
    responseCount: state.responseCount + (answered ? 1 : 0),
    executionCount: state.executionCount + (counts(task, result) ? 1 : 0),
    previousResponse: previousResponse(task, result),
    lastAttempt: {
      ...state.lastAttempt,
      // Unset means that there was no response, and that the status says nothing.
      ...(answered ? { responseTime } : {}),
      responseStatus: responseStatus(result),
    },
  };
}

export function succeeded(result: AttemptResult): boolean {
  return result.kind === 'response' && result.status >= 200 && result.status <= 299;
}

/** HTTP targets leave 5xx out of the execution count; App Engine counts every response. */
function counts(task: StoredTask, result: AttemptResult): boolean {
  if (result.kind !== 'response') return false;
  return task.request.appEngineHttpRequest !== undefined || result.status < 500;
}

/** After a missed deadline production reports 504 to HTTP targets and 0 to App Engine. */
function previousResponse(task: StoredTask, result: AttemptResult): number {
  if (result.kind === 'response') return result.status;
  return result.kind === 'deadline' && task.request.httpRequest ? 504 : 0;
}

const STATUS: ReadonlyMap<number, readonly [code: number, name: string]> = new Map([
  [400, [3, 'INVALID_ARGUMENT']],
  [401, [16, 'UNAUTHENTICATED']],
  [403, [7, 'PERMISSION_DENIED']],
  [404, [5, 'NOT_FOUND']],
  [409, [6, 'ALREADY_EXISTS']],
  [429, [8, 'RESOURCE_EXHAUSTED']],
  [499, [1, 'CANCELLED']],
  [500, [13, 'INTERNAL']],
  [501, [12, 'UNIMPLEMENTED']],
  [503, [14, 'UNAVAILABLE']],
  [504, [4, 'DEADLINE_EXCEEDED']],
]);

/** What is shown of an attempt's end. */
export function responseStatus(result: AttemptResult): { code: number; message: string } {
  switch (result.kind) {
    case 'response': {
      const [code, name] = STATUS.get(result.status) ?? [2, 'UNKNOWN'];
      return { code, message: `${name}(${code}): HTTP status code ${result.status}` };
    }
    case 'deadline':
      return { code: 4, message: 'DEADLINE_EXCEEDED(4): no response by the dispatch deadline' };
    case 'no-response':
      return { code: 2, message: `UNKNOWN(2): ${result.reason}` };
  }
}
