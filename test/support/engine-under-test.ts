/** An engine on a virtual clock, with targets that answer as a test tells them. */
import { Calendar } from '../../src/adapters/cron-calendar.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { QueueInput, TaskInput } from '../../src/engine/cloud-tasks-api.js';
import type { EngineRules } from '../../src/engine/engine.js';
import { Engine } from '../../src/engine/engine.js';
import type {
  Dispatch,
  DispatchResult,
  EngineEvent,
  TaskStore,
  Transport,
} from '../../src/engine/ports.js';
import type { Instant } from '../../src/engine/time.js';
import { VirtualClock } from './virtual-clock.js';

export const LOCATION = 'projects/demo/locations/here';
export const QUEUE = `${LOCATION}/queues/q`;

export interface Sent {
  readonly dispatch: Dispatch;
  readonly at: Instant;
  /** Ends the attempt; only where the target holds its answers. */
  readonly answer: (result: number | DispatchResult) => void;
}

/** What the target does: a status, a lost connection, or `'hold'` to answer by hand or never. */
export type Target = (attempt: number, dispatch: Dispatch) => number | DispatchResult | 'hold';

/** Stands where the network is: records what is sent, and answers. */
export class Targets implements Transport {
  readonly sent: Sent[] = [];
  inFlight = 0;
  mostInFlight = 0;

  constructor(
    private readonly clock: VirtualClock,
    public target: Target,
  ) {}

  send(dispatch: Dispatch, signal: AbortSignal): Promise<DispatchResult> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    return new Promise((resolve) => {
      const end = (result: DispatchResult) => {
        this.inFlight--;
        resolve(result);
      };
      const answer = (result: number | DispatchResult) =>
        end(typeof result === 'number' ? { kind: 'response', status: result } : result);
      signal.addEventListener('abort', () => end({ kind: 'no-response', reason: 'aborted' }));
      this.sent.push({ dispatch, at: this.clock.now(), answer });
      const result = this.target(this.sent.length, dispatch);
      if (result !== 'hold') answer(result);
    });
  }

  /** The values of one header over all attempts; `undefined` where it was absent. */
  header(name: string): (string | undefined)[] {
    return this.sent.map(({ dispatch }) => dispatch.headers[name]);
  }
}

export interface EngineUnderTest {
  readonly engine: Engine;
  readonly clock: VirtualClock;
  readonly targets: Targets;
  readonly store: TaskStore;
  readonly events: EngineEvent[];
}

/** An engine with one queue `q` that dispatches. */
export async function engineUnderTest(
  options: {
    readonly queue?: Omit<QueueInput, 'name'>;
    readonly target?: Target;
    readonly store?: TaskStore;
    readonly rules?: EngineRules;
    readonly clock?: VirtualClock;
    readonly idToken?: (claims: { email: string; audience: string }) => Promise<string>;
  } = {},
): Promise<EngineUnderTest> {
  const clock = options.clock ?? new VirtualClock();
  const targets = new Targets(clock, options.target ?? (() => 200));
  const store = options.store ?? new MemoryStore();
  const events: EngineEvent[] = [];
  let drawn = 0;
  const engine = new Engine(
    {
      clock,
      cron: new Calendar(),
      store,
      transport: targets,
      // Enough to make ids differ, and the same ones in every run.
      random: () => (++drawn * 0.618033988749895) % 1,
      tokens: {
        idToken:
          options.idToken ?? (({ email, audience }) => Promise.resolve(`${email}|${audience}`)),
      },
      onEvent: (event) => events.push(event),
    },
    options.rules,
  );
  await engine.updateQueue({ queue: { ...options.queue, name: QUEUE } });
  engine.dispatch();
  return { engine, clock, targets, store, events };
}

export function httpTask(task: Partial<TaskInput> = {}): { parent: string; task: TaskInput } {
  return { parent: QUEUE, task: { httpRequest: { url: 'https://example.com/x' }, ...task } };
}

export function appEngineTask(task: Partial<TaskInput> = {}): { parent: string; task: TaskInput } {
  return { parent: QUEUE, task: { appEngineHttpRequest: { relativeUri: '/x' }, ...task } };
}
