/** Runs a handler for a delivery: once where that is asked for, and notes how it came out. */
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { isObservable, lastValueFrom } from 'rxjs';
import { invalidArgument } from '../../engine/errors.js';
import { taskName } from '../../engine/resource-name.js';
import type { Duration } from '../../engine/time.js';
import { HOUR } from '../../engine/time.js';
import type { VerifiedRequest } from '../auth/task-guard.js';
import { QueueBackend } from '../cloud-tasks/queue-backend.js';
import type { Lineage } from '../dead-letters/lineage.js';
import { lineageOf } from '../dead-letters/lineage.js';
import type { Hold } from '../journal/exclusive-runs.js';
import { ExclusiveRuns, NotNow, RunsElsewhere } from '../journal/exclusive-runs.js';
import { OutcomeNotes } from '../journal/outcome-notes.js';
import { HandlerRoutes } from './handler-routes.js';
import type { RunHandler } from './delivery.js';
import { deliver } from './delivery.js';
import type { ReadIdempotency } from './idempotency.js';
import { IDEMPOTENCY_DEFAULTS } from './idempotency.js';
import type { OutcomeRecord } from './outcome-records.js';
import { lineageKey, taskKey, workKey } from './outcome-records.js';
import { TaskContext } from './task-context.js';
import { IDEMPOTENCY_HEADER } from './task-headers.js';
import { handlerMark } from './task-metadata.js';
import { shown } from './unknown-option.js';

/** How long it is remembered what became of a task whose handler says nothing about that. */
const DEFAULT_TTL: Duration = HOUR;
const LONGEST_REASON = 2000;
const LONGEST_RESULT = 64 * 1024;

/** What the handler returned, as far as it is kept. */
interface Outcome {
  readonly result?: unknown;
}

@Injectable()
export class HandlerRuns {
  private readonly logger = new Logger('Tasks');

  constructor(
    private readonly routes: HandlerRoutes,
    private readonly backend: QueueBackend,
    private readonly runs: ExclusiveRuns,
    private readonly notes: OutcomeNotes,
  ) {}

  /**
   * @param method the handler's, as Nest has registered it
   * @param work Nest's pipes and the handler
   */
  async run(
    method: object,
    request: IncomingMessage,
    verified: VerifiedRequest,
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    const mark = handlerMark(method);
    const route = mark && this.routes.read().get(mark);
    if (!route) return work();
    const { idempotency } = route.options;
    const delivery = new Attempt(request, verified);
    let outcome: Outcome = {};
    const run: RunHandler = async (args, call) => {
      const key = workOf(route.handler, idempotency, delivery, args);
      if (!idempotency && key === undefined) return call(args);
      const { ttl, lease, keepResult } = idempotency || IDEMPOTENCY_DEFAULTS;
      const workId = workKey(this.backend.location, route.handler, key ?? delivery.lineage.uid);
      let value: unknown;
      const done = await this.runs.run(workId, { ttl, lease }, async (hold) => {
        value = await settledValue(call(args.map((arg) => held(arg, hold))));
        return JSON.stringify(keepResult ? this.kept(route.handler, value) : {});
      });
      outcome = JSON.parse(done.outcome) as Outcome;
      return done.ran ? value : outcome.result;
    };
    const ttl = (idempotency || undefined)?.ttl ?? DEFAULT_TTL;
    try {
      const answer = await deliver(method, run, work);
      this.note(delivery, { state: 'succeeded', ...outcome }, ttl);
      return answer;
    } catch (error) {
      this.noteFailure(delivery, error, ttl, (idempotency || IDEMPOTENCY_DEFAULTS).lease);
      throw error;
    }
  }

  private noteFailure(attempt: Attempt, error: unknown, ttl: Duration, lease: Duration): void {
    if (error instanceof RunsElsewhere) this.note(attempt, { state: 'running' }, lease);
    else if (!(error instanceof NotNow)) {
      this.note(attempt, { state: 'failed', reason: reasonOf(error) }, ttl);
    }
  }

  private note(
    { queue, taskId, lineage, attempts, verified }: Attempt,
    outcome: Pick<OutcomeRecord, 'state' | 'reason' | 'result'>,
    ttl: Duration,
  ): void {
    // Whoever is no queue has no task that somebody could ask for.
    if (!this.notes.kept || queue === '' || taskId === '') return;
    const { uid, hop, redrive } = lineage;
    const at = verified.clock.now();
    const record: OutcomeRecord = { ...outcome, uid, hop, redrive, attempts, at };
    const text = JSON.stringify(record);
    this.notes.note({
      key: taskKey(taskName(this.backend.queueName(queue), taskId)),
      outcome: text,
      ttl,
    });
    if (hop > 0) {
      this.notes.note({ key: lineageKey(this.backend.location, uid), outcome: text, ttl });
    }
  }

  /** The work is done by now, so that what can't be kept is no failure of it. */
  private kept(handler: string, value: unknown): Outcome {
    try {
      const text = JSON.stringify({ result: value });
      if (text.length <= LONGEST_RESULT) return { result: value };
      this.logger.warn(`${handler}: its result of ${text.length} characters is too large to keep.`);
    } catch (error) {
      this.logger.warn(`${handler}: its result can't be kept as JSON. ${String(error)}`);
    }
    return {};
  }
}

/** One delivery of a task, as its verified headers tell. */
class Attempt {
  readonly queue: string;
  readonly taskId: string;
  readonly lineage: Lineage;

  constructor(
    readonly request: IncomingMessage,
    readonly verified: VerifiedRequest,
  ) {
    this.queue = this.single(`${verified.headers}-queuename`) ?? '';
    this.taskId = this.single(`${verified.headers}-taskname`) ?? '';
    this.lineage = lineageOf(request, verified);
  }

  /** This one included. */
  get attempts(): number {
    const retries = this.single(`${this.verified.headers}-taskretrycount`) ?? '';
    return this.lineage.earlierAttempts + (/^\d{1,9}$/.test(retries) ? Number(retries) : 0) + 1;
  }

  /** A header that came twice is none. */
  single(name: string): string | undefined {
    const values = this.request.headersDistinct[name.toLowerCase()];
    return values?.length === 1 ? values[0] : undefined;
  }
}

/** What the delivery is the same work as; undefined for its lineage. */
function workOf(
  handler: string,
  idempotency: ReadIdempotency | false | undefined,
  attempt: Attempt,
  args: unknown[],
): string | undefined {
  const given = attempt.single(IDEMPOTENCY_HEADER);
  if (given !== undefined) return `given ${given}`;
  const rule = (idempotency || undefined)?.key;
  if (rule === undefined) return undefined;
  if (typeof rule === 'object') {
    const value = attempt.single(rule.header);
    return value === undefined ? undefined : `header ${value}`;
  }
  const key: unknown = rule(...(args as never[]));
  if (typeof key === 'string' && key !== '') return `key ${key}`;
  throw invalidArgument(
    `${handler}: idempotency.key: expected a text of its arguments, got ${key === '' ? 'an empty one' : shown(key)}.`,
    'idempotency.key',
  );
}

/** The context of the attempt, with what the hold on the work adds. */
function held(arg: unknown, { fence, lost }: Hold): unknown {
  if (!(arg instanceof TaskContext)) return arg;
  const signal = AbortSignal.any([arg.signal, lost]);
  return new TaskContext(Object.assign({}, arg, { fence, signal }));
}

/** Nest takes handlers that return observables; the work is done when they end. */
async function settledValue(result: Promise<unknown>): Promise<unknown> {
  const value = await result;
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value;
}

function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return (typeof message === 'string' && message !== '' ? message : String(error)).slice(
    0,
    LONGEST_REASON,
  );
}
