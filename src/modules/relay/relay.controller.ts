/** The relay's handler: a verified task comes in, its call goes out, and the queue learns how it went. */
import { Body, Inject } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { CloudTasksError } from '../../engine/errors.js';
import type { Clock } from '../../engine/ports.js';
import { SECOND } from '../../engine/time.js';
import { OutboundPolicy } from '../../outbound/outbound-policy.js';
import { CLOCK, QueueBackend } from '../cloud-tasks/queue-backend.js';
import { GivenUp } from '../dead-letters/handler-failures.js';
import { lineageOf } from '../dead-letters/lineage.js';
import { attemptDeadline, sourceOf } from '../tasks/attempts/attempt-context.js';
import type { Work } from '../tasks/attempts/returned-work.js';
import { ReturnsWork } from '../tasks/attempts/returned-work.js';
import { traceHeaders } from '../tasks/hooks/trace-context.js';
import { HandlerRoutes } from '../tasks/routes/handler-routes.js';
import { Task, TaskController, TaskInfo } from '../tasks/task-decorators.js';
import { TaskContext } from '../tasks/task-context.js';
import { DEFAULT_TIMEOUT } from './relay.js';
import { DEADLINE_ROOM } from './relay-budget.js';
import type { RelayCall } from './relay-call.js';
import { RelaySettings } from './relay-options.js';
import type { EndedRelay } from './relay-records.js';
import { idOfKey, idOfLineage } from './relay-records.js';
import type { RelayRun } from './relay-attempts.js';
import { RelayRuns } from './relay-runs.js';
import type { RelayTask } from './relay-task.js';
import { readRelayTask } from './relay-task.js';

/** What the queue is answered, which nobody but a log sees. */
export interface RelayAnswer {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  /** What the target answered. */
  readonly status?: number;
}

@TaskController('relay')
export class RelayController {
  constructor(
    private readonly runs: RelayRuns,
    private readonly backend: QueueBackend,
    private readonly policy: OutboundPolicy,
    private readonly routes: HandlerRoutes,
    private readonly settings: RelaySettings,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** When a call is given up is for the relay to say: an attempt that found no room was none. */
  @Task('', { maxAttempts: -1 })
  @ReturnsWork()
  async relay(@Body() _body: unknown, @TaskInfo() task: TaskContext): Promise<Work> {
    const source = sourceOf(task);
    if (!source) throw new Error('The relay runs for tasks only.');
    const { request, verified } = source;
    const { call, ...about } = readTask(request);
    this.checkCallback(call);
    const id = about.id ?? this.idOf(call, about, task);
    const spent = this.clock.now() - verified.arrivedAt;
    const run: RelayRun = {
      id,
      redrive: lineageOf(request, verified).redrive,
      call,
      budget: Math.min(this.timeoutOf(call), attemptDeadline(request) - DEADLINE_ROOM - spent),
      onCallerGone: call.onCallerGone ?? byDefault(call),
      maxAttempts: about.maxAttempts ?? this.routes.defaultMaxAttempts,
      trace: await traceHeaders(Object.keys(call.headers)),
      fullStatus: verified.headers === 'x-appengine' ? 429 : 503,
    };
    return () => this.runs.run(run, task.signal).then((ended) => answerOf(id, ended));
  }

  /** Of a task that was made without us: an unsigned callback is nobody's. */
  private checkCallback({ callbackUrl }: RelayCall): void {
    if (callbackUrl === undefined || this.settings.callbackSecrets.length > 0) return;
    throw new GivenUp('refused', 'callbackUrl: there is no secret to sign a callback with.');
  }

  /** Of a task that was made without us. */
  private idOf(
    { idempotencyKey }: RelayCall,
    { owner }: Omit<RelayTask, 'call'>,
    task: TaskContext,
  ) {
    const { location } = this.backend;
    return idempotencyKey === undefined
      ? idOfLineage(location, task.uid)
      : idOfKey(location, owner, idempotencyKey);
  }

  /** Also of a task that was made without us, or before its rule was as it is now. */
  private timeoutOf({ timeout, url }: RelayCall): number {
    try {
      const most = this.policy.permit(url).rule.timeout;
      return Math.min(timeout ?? most ?? DEFAULT_TIMEOUT, most ?? Infinity);
    } catch {
      // That it may not be called is for the call to find out.
      return SECOND;
    }
  }
}

function answerOf(id: string, { state, attempts, answer }: EndedRelay): RelayAnswer {
  return { id, state, attempts, ...(answer ? { status: answer.status } : {}) };
}

function readTask(request: IncomingMessage & { readonly rawBody?: Buffer }): RelayTask {
  try {
    return readRelayTask((request.rawBody ?? Buffer.alloc(0)).toString());
  } catch (error) {
    // As it stands in the task it will never be another.
    if (!(error instanceof CloudTasksError)) throw error;
    throw new GivenUp('unreadable', error.message, { cause: error });
  }
}

/** A call that may be repeated safely, or must not be, is better finished than begun again. */
function byDefault({ idempotencyKey, retry }: RelayCall) {
  return idempotencyKey !== undefined || retry === 'never-after-sent' ? 'finish' : 'abort';
}
