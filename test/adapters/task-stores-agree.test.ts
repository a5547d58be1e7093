/** The memory store is the model: whatever is asked of both, the SQLite store answers the same. */
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SqliteStore } from '../../src/adapters/sqlite-store.js';
import type { Queue } from '../../src/engine/cloud-tasks-api.js';
import type { StoredRequest, TaskState, TaskStore } from '../../src/engine/ports.js';
import type { NewTask } from '../support/sample-records.js';
import { queueName, sampleQueue } from '../support/sample-records.js';

const folder = mkdtempSync(join(tmpdir(), 'task-stores-'));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true }));

const QUEUES = ['a', 'b', 'ü😀'].map(queueName);
const IDS = ['1', '2', '3', 'x-Y_z'];
const SEQS = 30;

/** A call on either store: the same one on both. */
type Write = (store: TaskStore) => Promise<unknown>;

// Few names and few instants, so that they meet.
const name = fc.constantFrom(...QUEUES);
const instant = fc.nat(12);
const seq = fc.integer({ min: 1, max: SEQS });
const anyInstant = fc.oneof(instant, fc.maxSafeNat());
const optional = <T>(key: string, value: fc.Arbitrary<T>) =>
  fc.option(
    value.map((present) => ({ [key]: present })),
    { nil: {} },
  );

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800 alone'));
const headers = fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'toString')), text);
const body = fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes));

const request: fc.Arbitrary<StoredRequest> = fc
  .tuple(
    fc.boolean(),
    fc.record({ url: text, httpMethod: fc.constantFrom('POST', 'GET'), headers }),
    fc.record({ relativeUri: text, appEngineRouting: fc.record({ service: text }) }),
    optional('body', body),
    optional('oidcToken', fc.record({ serviceAccountEmail: text, audience: text })),
    optional('dispatchDeadline', fc.maxSafeNat()),
    anyInstant,
  )
  .map(([isHttp, http, appEngine, body, token, deadline, createTime]) => {
    const { httpMethod, headers } = http;
    const target = isHttp
      ? { httpRequest: { ...http, ...body, ...token } }
      : { appEngineHttpRequest: { ...appEngine, httpMethod, headers, ...body } };
    return { ...target, ...deadline, createTime };
  });

const attempt = fc
  .tuple(
    optional('scheduleTime', anyInstant),
    optional('dispatchTime', anyInstant),
    optional('responseStatus', fc.record({ code: fc.nat(16), message: text })),
  )
  .map((parts) => Object.assign({}, ...parts) as object);

const state: fc.Arbitrary<TaskState> = fc
  .tuple(
    fc.record({
      scheduleTime: anyInstant,
      dispatchCount: fc.nat(),
      responseCount: fc.nat(),
      executionCount: fc.nat(),
    }),
    optional('previousResponse', fc.nat(599)),
    optional('firstAttempt', attempt),
    optional('lastAttempt', attempt),
  )
  .map((parts) => Object.assign({}, ...parts) as TaskState);

const task: fc.Arbitrary<NewTask> = fc.record({
  queue: name,
  id: fc.constantFrom(...IDS),
  request,
  state,
});

const queue: fc.Arbitrary<Queue> = fc
  .tuple(
    name,
    fc.constantFrom('RUNNING' as const, 'PAUSED' as const),
    fc.double({ min: 0, max: 500, noNaN: true }),
    optional('purgeTime', anyInstant),
    optional('appEngineRoutingOverride', fc.record({ service: text })),
  )
  .map(([name, state, rate, ...parts]) => ({
    ...sampleQueue(name),
    state,
    rateLimits: { ...sampleQueue(name).rateLimits, maxDispatchesPerSecond: rate + 0 },
    ...(Object.assign({}, ...parts) as object),
  }));

/** What it resolves to is the store's choice where a removal comes along; what is left is not. */
const update =
  (seq: number, change: Parameters<TaskStore['updateTask']>[1]): Write =>
  (store) =>
    store.updateTask(seq, change).then(() => 'written');

const later = (seq: number, by: number): Write =>
  update(seq, ({ state, request }) => ({
    ...state,
    scheduleTime: state.scheduleTime + by,
    previousResponse: request.httpRequest ? 500 : 0,
  }));

const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(task, instant).map(
      ([task, now]): Write =>
        (store) =>
          store.createTask(task, now),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(seq, state).map(([seq, state]) => update(seq, () => state)),
  },
  { weight: 4, arbitrary: fc.tuple(seq, fc.nat(3)).map(([seq, by]) => later(seq, by)) },
  {
    weight: 5,
    arbitrary: fc.tuple(seq, instant).map(
      ([seq, until]): Write =>
        (store) =>
          store.removeTask(seq, until),
    ),
  },
  {
    weight: 4,
    arbitrary: queue.map(
      (queue): Write =>
        (store) =>
          store.putQueue(queue),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(queue, instant).map(
      ([queue, until]): Write =>
        (store) =>
          store.purgeQueue(queue, until),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(name, instant).map(
      ([name, until]): Write =>
        (store) =>
          store.deleteQueue(name, until),
    ),
  },
  {
    weight: 2,
    arbitrary: instant.map(
      (now): Write =>
        (store) =>
          store.removeExpired(now),
    ),
  },
);

/** Everything that can be read. */
function view(store: TaskStore, limit: number): unknown {
  return {
    queues: store.queues(),
    nextExpiry: store.nextExpiry(),
    tasks: Array.from({ length: SEQS }, (_, seq) => store.task(seq)),
    byQueue: QUEUES.map((name) => ({
      tombstone: store.queueTombstone(name),
      tombstones: IDS.map((id) => store.taskTombstone(name, id)),
      found: IDS.map((id) => [store.findTask(name, id), store.findTask(name, id, 'BASIC')]),
      listed: [0, 1, 5, 10].map((after) => [
        store.tasks(name, after, limit),
        store.tasks(name, after, limit, 'BASIC'),
      ]),
      due: [
        store.due(name, undefined, limit),
        ...[0, 3, 8].flatMap((scheduleTime) =>
          [0, 2, 9].map((seq) => store.due(name, { scheduleTime, seq }, limit)),
        ),
      ],
    })),
  };
}

/** What came of the writes; errors by their code, since stores may word them as they like. */
async function outcomes(store: TaskStore, writes: readonly Write[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(writes.map((write) => write(store)));
  return settled.map((outcome) =>
    outcome.status === 'fulfilled'
      ? { value: outcome.value }
      : { code: (outcome.reason as { code?: unknown }).code },
  );
}

test('under random writes, grouped at random and with restarts in between', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.array(write, { minLength: 1, maxLength: 8 }) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(queue, { minLength: 1, maxLength: 3 }),
      fc.array(step, { maxLength: 12 }),
      fc.integer({ min: 1, max: 12 }),
      async (queues, steps, limit) => {
        const file = join(folder, `${++files}.sqlite`);
        const open = () =>
          new SqliteStore({
            file,
            onDamaged: ({ name, reason }) => {
              throw new Error(`${name}: ${reason}`);
            },
          });
        const model = new MemoryStore();
        let store = open();
        const puts = queues.map(
          (queue): Write =>
            (store) =>
              store.putQueue(queue),
        );
        for (const writes of [puts, ...steps]) {
          if (writes === 'restart') {
            await store.close();
            store = open();
          } else {
            expect(await outcomes(store, writes)).toEqual(await outcomes(model, writes));
          }
          expect(view(store, limit)).toEqual(view(model, limit));
        }
        await store.close();
      },
    ),
    { numRuns: 100 },
  );
}, 60_000);
