/** Reads an attempt's context off its request, after the guard has verified that. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloudTasksError } from '../../../engine/errors.js';
import type { Duration } from '../../../engine/time.js';
import { MILLISECOND, SECOND } from '../../../engine/time.js';
import type { VerifiedRequest } from '../../auth/task-guard.js';
import { verifiedRequest } from '../../auth/task-guard.js';
import { lineageOf } from '../../dead-letters/lineage.js';
import { TaskContext } from '../task-context.js';
import { DEADLINE_HEADER } from '../task-headers.js';
import { DEFAULT_HTTP_DEADLINE } from '../task-limits.js';

/** A handler that is told this early can still answer. */
const WARNING: Duration = 5 * SECOND;

const contexts = new WeakMap<object, TaskContext>();

/** Where a context was read from, for modules of ours that need more of it than handlers do. */
export interface ContextSource {
  readonly request: IncomingMessage;
  readonly verified: VerifiedRequest;
}

const sources = new WeakMap<TaskContext, ContextSource>();

/** Undefined for a context that a test has made. */
export function sourceOf(context: TaskContext): ContextSource | undefined {
  return sources.get(context);
}

/** @throws Error when no guard has let the request in */
export function taskContextOf(request: object, response: ServerResponse): TaskContext {
  let context = contexts.get(request);
  if (!context) {
    const verified = verifiedRequest(request);
    // Headers that nobody has verified are anybody's.
    if (!verified) throw new Error('@TaskInfo needs a route that is guarded by TaskGuard.');
    context = read(request as IncomingMessage, response, verified);
    contexts.set(request, context);
    sources.set(context, { request: request as IncomingMessage, verified });
  }
  return context;
}

function read(
  request: IncomingMessage,
  response: ServerResponse,
  verified: VerifiedRequest,
): TaskContext {
  const { headersDistinct: headers } = request;
  /** A header that came twice is none. */
  const header = (name: string): string | undefined => {
    const values = headers[`${verified.headers}-${name}`];
    return values?.length === 1 ? values[0] : undefined;
  };
  const count = (name: string) => wholeNumber(header(name));
  const { uid, earlierAttempts } = lineageOf({ headersDistinct: headers }, verified);
  return new TaskContext({
    queue: header('queuename') ?? '',
    taskId: header('taskname') ?? '',
    uid,
    retryCount: (count('taskretrycount') ?? 0) + earlierAttempts,
    executionCount: count('taskexecutioncount') ?? 0,
    scheduledAt: new Date(scheduleTime(header('tasketa')) ?? verified.arrivedAt / MILLISECOND),
    previousResponse: count('taskpreviousresponse'),
    retryReason: header('taskretryreason') || undefined,
    signal: deadlineSignal(request, response, verified),
  });
}

/** Never NaN, whatever came. */
function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** From seconds with decimals to milliseconds. */
function scheduleTime(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}(\.\d{1,9})?$/.test(text)
    ? Math.floor(Number(text) * 1000)
    : undefined;
}

const signals = new WeakMap<object, AbortSignal>();

/** How long the attempt may take, of a verified request. */
export function attemptDeadline({
  headersDistinct,
}: Pick<IncomingMessage, 'headersDistinct'>): Duration {
  const told = headersDistinct[DEADLINE_HEADER.toLowerCase()];
  const milliseconds = wholeNumber(told?.length === 1 ? told[0] : undefined);
  return milliseconds === undefined ? DEFAULT_HTTP_DEADLINE : milliseconds * MILLISECOND;
}

/** Aborted 5 s before the attempt's deadline, and when the caller has gone away. */
export function deadlineSignal(
  request: IncomingMessage,
  response: ServerResponse,
  verified: VerifiedRequest,
): AbortSignal {
  let signal = signals.get(request);
  if (!signal) {
    signal = newSignal(request, response, verified);
    signals.set(request, signal);
  }
  return signal;
}

function newSignal(
  { headersDistinct }: IncomingMessage,
  response: ServerResponse,
  { arrivedAt, clock }: VerifiedRequest,
): AbortSignal {
  const controller = new AbortController();
  const deadline = attemptDeadline({ headersDistinct });
  // Whatever the wall clock is set to while the handler works.
  const timer = clock.after(deadline - WARNING - (clock.now() - arrivedAt), () =>
    controller.abort(new CloudTasksError('DEADLINE_EXCEEDED', 'The attempt is near its deadline.')),
  );
  const closed = () => {
    timer.cancel();
    if (!response.writableFinished) {
      // Nobody will hear the outcome, so the task is going to be attempted again.
      controller.abort(new CloudTasksError('CANCELLED', 'The caller has gone away.'));
    }
  };
  // The caller may have gone while it was found out who that is.
  if (response.closed) closed();
  else response.once('close', closed);
  return controller.signal;
}
