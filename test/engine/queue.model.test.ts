/** Random commands against the engine and against a model of a queue that fits on a page. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shortId } from '../../src/engine/resource-name.js';
import { HOUR, SECOND } from '../../src/engine/time.js';
import type { EngineUnderTest } from '../support/engine-under-test.js';
import { QUEUE, engineUnderTest, httpTask } from '../support/engine-under-test.js';

const MAX_ATTEMPTS = 4;
const BACKOFF = 10 * SECOND;
const TOMBSTONE = HOUR;

/** Whether an attempt succeeds: anything will do that both sides compute alike. */
const succeeds = (name: string, retryCount: number) => (name.charCodeAt(0) + retryCount) % 3 === 0;

interface ModelTask {
  readonly name: string;
  readonly order: number;
  at: number;
  attempts: number;
}

/** What Cloud Tasks promises of one queue, without rates, slots, stores or timers. */
class Model {
  tasks: ModelTask[] = [];
  readonly sent: string[] = [];
  paused = false;
  private order = 0;
  private readonly taken = new Map<string, number>();

  constructor(private now: number) {}

  create(name: string, delay: number): 'created' | 'taken' {
    const takenUntil = this.taken.get(name) ?? 0;
    if (this.find(name) || takenUntil > this.now) return 'taken';
    this.tasks.push({ name, order: this.order++, at: this.now + Math.max(0, delay), attempts: 0 });
    return 'created';
  }

  delete(name: string): boolean {
    const task = this.find(name);
    if (task) this.remove(task);
    return task !== undefined;
  }

  purge(): void {
    for (const task of [...this.tasks]) this.remove(task);
  }

  run(name: string): boolean {
    const task = this.find(name);
    if (task) this.attempt(task);
    return task !== undefined;
  }

  advance(duration: number): void {
    const end = this.now + duration;
    for (;;) {
      const next = this.tasks
        .filter(({ at }) => !this.paused && at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      this.attempt(next);
    }
    this.now = end;
  }

  private attempt(task: ModelTask): void {
    this.sent.push(`${this.now} ${task.name} ${task.attempts}`);
    const success = succeeds(task.name, task.attempts);
    task.attempts++;
    if (success || task.attempts >= MAX_ATTEMPTS) this.remove(task);
    else task.at = this.now + BACKOFF * 2 ** (task.attempts - 1);
  }

  private remove(task: ModelTask): void {
    this.tasks = this.tasks.filter((other) => other !== task);
    this.taken.set(task.name, this.now + TOMBSTONE);
  }

  private find(name: string): ModelTask | undefined {
    return this.tasks.find((task) => task.name === name);
  }
}

type Command = fc.AsyncCommand<Model, EngineUnderTest>;

const command = (
  text: string,
  run: (model: Model, real: EngineUnderTest) => Promise<void>,
): Command => ({
  check: () => true,
  toString: () => text,
  run: async (model, real) => {
    await run(model, real);
    // What is due now goes out now.
    model.advance(0);
    await real.clock.advance(0);
    expect(sentBy(real)).toEqual(model.sent);
  },
});

const sentBy = ({ targets }: EngineUnderTest) =>
  targets.sent.map(({ at, dispatch: { headers } }) =>
    [at, headers['X-CloudTasks-TaskName'], headers['X-CloudTasks-TaskRetryCount']].join(' '),
  );

const path = (name: string) => ({ name: `${QUEUE}/tasks/${name}` });

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'OK';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');

const commands = fc.commands(
  [
    fc.tuple(names, fc.integer({ min: -5, max: 90 })).map(([name, delay]) =>
      command(`create ${name} in ${delay} s`, async (model, { engine, clock }) => {
        const scheduleTime = clock.now() + delay * SECOND;
        const created = await outcome(engine.createTask(httpTask({ ...path(name), scheduleTime })));
        const expected = model.create(name, delay * SECOND);
        expect(created).toBe(expected === 'created' ? 'OK' : 'ALREADY_EXISTS');
      }),
    ),
    names.map((name) =>
      command(`delete ${name}`, async (model, { engine }) => {
        const deleted = await outcome(engine.deleteTask(path(name)));
        expect(deleted).toBe(model.delete(name) ? 'OK' : 'NOT_FOUND');
      }),
    ),
    names.map((name) =>
      command(`run ${name}`, async (model, { engine }) => {
        const ran = await outcome(engine.runTask(path(name)));
        expect(ran).toBe(model.run(name) ? 'OK' : 'NOT_FOUND');
      }),
    ),
    fc.integer({ min: 1, max: 120 }).map((duration) =>
      command(`advance ${duration} s`, async (model, { clock }) => {
        model.advance(duration * SECOND);
        await clock.advance(duration * SECOND);
      }),
    ),
    fc.constant(
      command('advance past the tombstones', async (model, { clock }) => {
        model.advance(TOMBSTONE);
        await clock.advance(TOMBSTONE);
      }),
    ),
    fc.constantFrom(true, false).map((paused) =>
      command(paused ? 'pause' : 'resume', async (model, { engine }) => {
        await (paused ? engine.pauseQueue({ name: QUEUE }) : engine.resumeQueue({ name: QUEUE }));
        model.paused = paused;
      }),
    ),
    fc.constant(
      command('purge', async (model, { engine }) => {
        await engine.purgeQueue({ name: QUEUE });
        model.purge();
      }),
    ),
    fc.constant(
      command('list', async (model, { engine }) => {
        const { tasks } = await engine.listTasks({ parent: QUEUE });
        const listed = tasks.map(({ name, scheduleTime, dispatchCount }) => [
          shortId(name),
          scheduleTime,
          dispatchCount,
        ]);
        expect(listed).toEqual(model.tasks.map(({ name, at, attempts }) => [name, at, attempts]));
      }),
    ),
  ],
  { maxCommands: 60 },
);

test('the engine does what the model does', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (run) => {
      const real = await engineUnderTest({
        queue: {
          retryConfig: { maxAttempts: MAX_ATTEMPTS, minBackoff: BACKOFF, maxBackoff: HOUR },
        },
        target: (_, { headers }) =>
          succeeds(
            headers['X-CloudTasks-TaskName'] ?? '',
            Number(headers['X-CloudTasks-TaskRetryCount']),
          )
            ? 200
            : 500,
      });
      await fc.asyncModelRun(() => ({ model: new Model(real.clock.now()), real }), run);
    }),
    { numRuns: 150 },
  );
});
