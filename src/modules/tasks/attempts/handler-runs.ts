/** Runs a handler for a delivery: once, where that is asked for. */
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { isObservable, lastValueFrom } from 'rxjs';
import { invalidArgument } from '../../../engine/errors.js';
import type { Duration } from '../../../engine/time.js';
import type { VerifiedRequest } from '../../auth/task-guard.js';
import { QueueBackend } from '../../cloud-tasks/queue-backend.js';
import { lineageOf } from '../../dead-letters/lineage.js';
import type { Hold } from '../../journal/exclusive-runs.js';
import { ExclusiveRuns } from '../../journal/exclusive-runs.js';
import { runningAttempt } from './attempt-outcomes.js';
import { LostLastAttempt } from './attempt-rules.js';
import { HandlerRoutes } from '../routes/handler-routes.js';
import type { RunHandler } from './delivery.js';
import { deliver } from './delivery.js';
import type { ReadIdempotency } from './idempotency.js';
import { IDEMPOTENCY_DEFAULTS } from './idempotency.js';
import { workKey } from './outcome-records.js';
import { TaskContext } from '../task-context.js';
import { IDEMPOTENCY_HEADER } from '../task-headers.js';
import { handlerMark } from '../routes/task-metadata.js';
import { shown } from '../unknown-option.js';

const LONGEST_RESULT = 64 * 1024;

/** What the handler returned, as far as it is kept. */
interface Outcome {
  readonly result?: unknown;
}

const remembered = new WeakMap<IncomingMessage, Outcome & { readonly ttl: Duration }>();

/** What is kept of the work that a delivery was for, and for how long; only of what is done once. */
export function rememberedOutcome(
  request: IncomingMessage,
): (Outcome & { ttl: Duration }) | undefined {
  return remembered.get(request);
}

@Injectable()
export class HandlerRuns {
  private readonly logger = new Logger('Tasks');

  constructor(
    private readonly routes: HandlerRoutes,
    private readonly backend: QueueBackend,
    private readonly runs: ExclusiveRuns,
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
    const run: RunHandler = async (args, call) => {
      const key = workOf(route.handler, idempotency, request, args);
      if (!idempotency && key === undefined) return call(args);
      const { ttl, lease, keepResult } = idempotency || IDEMPOTENCY_DEFAULTS;
      const work = key ?? lineageOf(request, verified).uid;
      const workId = workKey(this.backend.location, route.handler, work);
      let value: unknown;
      const done = await this.runs.run(workId, { ttl, lease }, async (hold) => {
        // Not done by any attempt before, and there is none left to do it.
        if (runningAttempt(request)?.isBeyondLast) throw new LostLastAttempt();
        value = await settledValue(call(args.map((arg) => held(arg, hold))));
        return JSON.stringify(keepResult ? this.kept(route.handler, value) : {});
      });
      const outcome = JSON.parse(done.outcome) as Outcome;
      remembered.set(request, { ttl, ...outcome });
      return done.ran ? value : outcome.result;
    };
    return deliver(method, run, work);
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

/** What the delivery is the same work as; undefined for its lineage. */
function workOf(
  handler: string,
  idempotency: ReadIdempotency | false | undefined,
  request: IncomingMessage,
  args: unknown[],
): string | undefined {
  const given = single(request, IDEMPOTENCY_HEADER);
  if (given !== undefined) return `given ${given}`;
  const rule = (idempotency || undefined)?.key;
  if (rule === undefined) return undefined;
  if (typeof rule === 'object') {
    const value = single(request, rule.header);
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

/** A header that came twice is none. */
function single(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name.toLowerCase()];
  return values?.length === 1 ? values[0] : undefined;
}
