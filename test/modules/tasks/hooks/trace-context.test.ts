/** The trace of whoever creates a task reaches its handler, with OpenTelemetry and without. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Headers, Post } from '@nestjs/common';
import type { Context, ContextManager, TextMapPropagator } from '@opentelemetry/api';
import { context, createContextKey, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  InjectTasks,
  Task,
  TaskController,
  tasksToken,
} from '../../../../src/modules/tasks/task-decorators.js';
import { Tasks } from '../../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../../support/tasks-app.js';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const STATE = 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7';

interface Received {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** What OpenTelemetry knows while the handler runs. */
  readonly current: unknown;
}

let received: PromiseWithResolvers<Received>;
const SPAN = createContextKey('span');

@TaskController('traced')
class Traced {
  @Task('handle')
  async handle(
    @Headers('traceparent') traceparent?: string,
    @Headers('tracestate') tracestate?: string,
  ): Promise<void> {
    received.resolve({ traceparent, tracestate, current: context.active().getValue(SPAN) });
  }

  /** Goes on with another task, in the trace that it is in itself. */
  constructor(@InjectTasks(Traced) private readonly tasks: Tasks<Traced>) {}

  @Task('relay')
  async relay(): Promise<void> {
    await this.tasks.handle.delay(undefined, undefined);
  }
}

@Controller('start')
class Start {
  constructor(@InjectTasks(Traced) private readonly tasks: Tasks<Traced>) {}

  @Post('one')
  async one(): Promise<void> {
    await this.tasks.handle.delay(undefined, undefined);
  }

  @Post('named')
  async named(): Promise<void> {
    await this.tasks.handle.delay(PARENT.replace('4bf9', 'aaaa'), undefined);
  }

  @Post('two')
  async two(): Promise<void> {
    await this.tasks.relay.delay();
  }
}

let url: string;
let tasks: Tasks<Traced>;

beforeAll(async () => {
  const started = await startApp({ controllers: [Traced, Start], features: [Traced] }, EMBEDDED);
  ({ url } = started);
  tasks = started.app.get(tasksToken(Traced));
});
afterAll(closeApps);
beforeEach(() => {
  received = Promise.withResolvers();
});

/** What the handler gets of a request with these headers. */
async function follow(path: string, headers: Record<string, string>): Promise<Received> {
  const body = JSON.stringify({ some: 'json' });
  await fetch(`${url}/start/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return received.promise;
}

describe('without OpenTelemetry', () => {
  test('a request and its task are of one trace', async () => {
    expect(await follow('one', { traceparent: PARENT, tracestate: STATE })).toMatchObject({
      traceparent: PARENT,
      tracestate: STATE,
    });
  });

  test('and a task that its handler creates', async () => {
    expect(await follow('two', { traceparent: PARENT })).toMatchObject({ traceparent: PARENT });
  });

  test('what the call says itself comes first', async () => {
    const { traceparent, tracestate } = await follow('named', {
      traceparent: PARENT,
      tracestate: STATE,
    });
    expect([traceparent, tracestate]).toEqual([PARENT.replace('4bf9', 'aaaa'), undefined]);
  });

  test.each([
    ['of no known form', 'what', STATE],
    ['of all zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, STATE],
    ['of the version that there is not', PARENT.replace(/^00/, 'ff'), STATE],
    ['in capitals', PARENT.toUpperCase(), STATE],
  ])('a trace %s is left out, with its state', async (_, traceparent, tracestate) => {
    expect(await follow('one', { traceparent, tracestate })).toMatchObject({
      traceparent: undefined,
      tracestate: undefined,
    });
  });

  test('a state that is too long is left out', async () => {
    const tracestate = `a=${'x'.repeat(511)}`;
    expect(await follow('one', { traceparent: PARENT, tracestate })).toMatchObject({
      traceparent: PARENT,
      tracestate: undefined,
    });
  });

  test('nobody else is of a trace', async () => {
    await tasks.handle.delay(undefined, undefined);
    expect(await received.promise).toMatchObject({ traceparent: undefined, current: undefined });
  });
});

describe('with OpenTelemetry', () => {
  /** Contexts as an SDK keeps them. */
  class Contexts implements ContextManager {
    private readonly storage = new AsyncLocalStorage<Context>();
    active(): Context {
      return this.storage.getStore() ?? ROOT_CONTEXT;
    }
    with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
      within: Context,
      work: F,
      self?: ThisParameterType<F>,
      ...args: A
    ): ReturnType<F> {
      return this.storage.run(within, () => work.apply(self, args));
    }
    bind<T>(_: Context, target: T): T {
      return target;
    }
    enable(): this {
      return this;
    }
    disable(): this {
      return this;
    }
  }

  /** A propagator with a header of its own, as B3 and others have. */
  const propagator: TextMapPropagator = {
    inject: (from, carrier: Record<string, string>, setter) => {
      const span = from.getValue(SPAN);
      if (typeof span === 'string') setter.set(carrier, 'tracestate', span);
    },
    extract: (into, carrier: Record<string, string>, getter) => {
      const value = getter.get(carrier, 'tracestate');
      return value === undefined ? into : into.setValue(SPAN, String(value));
    },
    fields: () => ['tracestate'],
  };

  beforeEach(() => {
    context.setGlobalContextManager(new Contexts());
    propagation.setGlobalPropagator(propagator);
  });
  afterEach(() => {
    context.disable();
    propagation.disable();
  });

  test('its propagator carries the current context to the handler', async () => {
    await context.with(ROOT_CONTEXT.setValue(SPAN, 'span-1'), () =>
      tasks.handle.delay(undefined, undefined),
    );
    expect(await received.promise).toMatchObject({ tracestate: 'span-1', current: 'span-1' });
  });

  test('and through a handler to the next', async () => {
    await context.with(ROOT_CONTEXT.setValue(SPAN, 'span-2'), () => tasks.relay.delay());
    expect(await received.promise).toMatchObject({ tracestate: 'span-2', current: 'span-2' });
  });

  test('where it has nothing to say, the headers of the request are passed on', async () => {
    expect(await follow('one', { traceparent: PARENT })).toMatchObject({ traceparent: PARENT });
  });
});
