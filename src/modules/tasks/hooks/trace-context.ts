/** Carries the trace of whoever creates a task to its handler: W3C Trace Context, or OpenTelemetry's. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import type * as OpenTelemetry from '@opentelemetry/api';
import type { ExpressApp } from '../routes/registered-routes.js';
import { useBeforeBodyParsers } from '../routes/registered-routes.js';
import type { TaskHook } from './task-hook.js';
import { isHeaderName, isHeaderValue, isReserved } from '../../../foundation/header-rules.js';

/** Where OpenTelemetry's API keeps what an SDK has registered: absent, there is nothing to use. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** Version 0 has exactly these parts; later ones may go on. All zeros is no trace. */
const TRACE_PARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/;
/** What a receiver must at least pass on. */
const MOST_STATE = 512;

const requests = new AsyncLocalStorage<Readonly<Record<string, string>>>();

/** From now on, tasks that are created in the course of a request belong to its trace. */
export function followTraces(app: ExpressApp): void {
  useBeforeBodyParsers(app, (request, _response, next) => {
    const trace = traceOf(request.headers);
    if (trace) requests.run(trace, next);
    else next();
  });
}

/**
 * Adds the headers of the current trace to tasks, and runs handlers within that of their task.
 *
 * Where an OpenTelemetry SDK is registered, its propagator decides which headers those are.
 * Otherwise the headers of the request that is being answered are passed on as they came.
 */
export const traceHook: TaskHook = {
  async beforeCreate({ headers }) {
    const added = await traceHeaders(Object.keys(headers));
    return Object.keys(added).length === 0 ? undefined : { headers: added };
  },

  async aroundHandler({ headers }, next) {
    const api = await openTelemetry();
    // With an instrumented HTTP server the request's span is the current one already.
    if (!api || api.trace.getActiveSpan()) return next();
    const { context, propagation, ROOT_CONTEXT } = api;
    return context.with(propagation.extract(ROOT_CONTEXT, headers), next);
  },
};

/** The headers that make a task belong to the current trace. */
export async function traceHeaders(named: readonly string[]): Promise<Record<string, string>> {
  const taken = new Set(named.map((name) => name.toLowerCase()));
  // Whoever names a trace by hand means it.
  if (taken.has('traceparent')) return {};
  const trace = (await injected()) ?? requests.getStore() ?? {};
  return Object.fromEntries(
    Object.entries(trace).filter(([name]) => !taken.has(name.toLowerCase())),
  );
}

function traceOf(headers: IncomingHttpHeaders): Record<string, string> | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || !TRACE_PARENT.test(traceparent)) return undefined;
  const hasState =
    typeof tracestate === 'string' && tracestate.length <= MOST_STATE && isHeaderValue(tracestate);
  return { traceparent, ...(hasState && tracestate !== '' ? { tracestate } : {}) };
}

/** What OpenTelemetry's propagator says of the current context; undefined where it has none. */
async function injected(): Promise<Record<string, string> | undefined> {
  const api = await openTelemetry();
  if (!api) return undefined;
  const carrier: Record<string, string> = {};
  api.propagation.inject(api.context.active(), carrier);
  const legal = Object.entries(carrier).filter(
    ([name, value]) => isHeaderName(name) && !isReserved(name) && isHeaderValue(value),
  );
  return legal.length === 0 ? undefined : Object.fromEntries(legal);
}

let loaded: Promise<typeof OpenTelemetry | undefined> | undefined;

/** Loaded only where an SDK has registered something with it, so it is installed. */
async function openTelemetry(): Promise<typeof OpenTelemetry | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  loaded ??= import('@opentelemetry/api').catch(() => undefined);
  return loaded;
}
