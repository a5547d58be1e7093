// Nothing is lost and nothing is doubled, whenever a process ends: on the real engine, virtual time.
import type { INestApplication } from '@nestjs/common';
import { Body, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { NextFunction, Request, Response } from 'express';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../src/engine/errors.js';
import { MAX_TASK_SIZE } from '../../../src/engine/task-size.js';
import { DAY, MILLISECOND } from '../../../src/engine/time.js';
import {
  CLOCK,
  CLOUD_TASKS,
  QueueBackend,
} from '../../../src/modules/cloud-tasks/queue-backend.js';
import type { DeadLetter } from '../../../src/modules/dead-letters/dead-letter.js';
import type { DeadLetterResult } from '../../../src/modules/dead-letters/dead-letters.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import { PermanentFailure } from '../../../src/modules/dead-letters/handler-failures.js';
import type { EndedAttempt } from '../../../src/modules/dead-letters/outcomes.js';
import { Outcomes } from '../../../src/modules/dead-letters/outcomes.js';
import { Task, TaskController } from '../../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../../src/testing/tasks-testbed.js';

let calls = 0;
let act: () => unknown;

@TaskController('jobs', { queue: 'jobs' })
class Jobs {
  @Task('run', { maxAttempts: 2, dispatchDeadline: '1m' })
  run(@Body() _body: object): unknown {
    calls++;
    return act();
  }

  @Task('once', { maxAttempts: 1, target: 'app-engine' })
  once(@Body() _body: object): unknown {
    calls++;
    return act();
  }
}

@Module({
  imports: [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([Jobs])],
  controllers: [Jobs],
})
class AppModule {}

let bed: TasksTestbed;
let api: CloudTasksApi;
let letters: DeadLetters;
let ended: EndedAttempt[];
/** The latest request, to cut it off. */
let request: Request;

beforeEach(async () => {
  calls = 0;
  const builder = Test.createTestingModule({ imports: [AppModule] });
  bed = await TasksTestbed.create(builder.setLogger({ log() {}, error() {}, warn() {} }), {
    app: (module): INestApplication =>
      module.createNestApplication().use((one: Request, _: Response, next: NextFunction) => {
        request = one;
        next();
      }),
  });
  api = bed.app.get<CloudTasksApi>(CLOUD_TASKS, { strict: false });
  letters = bed.app.get(DeadLetters, { strict: false });
  ended = [];
  bed.app.get(Outcomes, { strict: false }).listen((one) => void ended.push(one));
});
afterEach(() => bed.close());

const giveUp = () => {
  throw new PermanentFailure('no');
};

async function parked(): Promise<DeadLetter[]> {
  const all: DeadLetter[] = [];
  for await (const letter of letters.list()) all.push(letter);
  return all;
}

async function results(of: AsyncGenerator<DeadLetterResult>): Promise<DeadLetterResult[]> {
  const all: DeadLetterResult[] = [];
  for await (const result of of) all.push(result);
  return all;
}

test('a process that ends between parking and answering parks the task once', async () => {
  act = giveUp;
  bed.app.get(Outcomes, { strict: false }).listen(({ request: cut }) => {
    if (ended.length === 1) cut.socket.destroy();
  });
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  expect(ended.map(({ kind }) => kind)).toEqual(['dead-lettered', 'dead-lettered']);
  expect(await parked()).toHaveLength(1);
  expect(await bed.pending()).toEqual([]);
});

test('a process that ends in the last attempt loses nothing: the next delivery parks, unrun', async () => {
  act = () => {
    request.socket.destroy();
    return new Promise(() => undefined);
  };
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  expect(calls).toBe(2);
  expect(await parked()).toMatchObject([
    { reason: 'exhausted', attempts: 2, message: expect.stringMatching(/without an outcome/) },
  ]);
});

test('a handler that takes too long is ended 5 s before its deadline, the last one parked', async () => {
  act = () => new Promise(() => undefined);
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.advance('55s', { mayHang: true });
  expect(ended.map(({ kind }) => kind)).toEqual(['failed']);
  await bed.advance('2m', { mayHang: true });
  expect(ended.map(({ kind }) => kind)).toEqual(['failed', 'dead-lettered']);
  expect(await parked()).toMatchObject([
    { reason: 'exhausted', attempts: 2, message: expect.stringMatching(/near its deadline/) },
  ]);
});

test('a redriven task that fails again is parked again, and a third time done', async () => {
  act = giveUp;
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  expect(await results(letters.redrive())).toMatchObject([{ letter: { reason: 'permanent' } }]);
  expect(await parked()).toEqual([]);
  await bed.drain();
  expect(await parked()).toMatchObject([
    { attempts: 1, lineage: { hop: 1, redrive: 1, earlierAttempts: 0 } },
  ]);
  act = () => 'done';
  await results(letters.redrive());
  await bed.drain();
  expect(await parked()).toEqual([]);
  expect(calls).toBe(3);
});

test('a redrive that is cut off half way can be run again, and redrives once', async () => {
  act = giveUp;
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  act = () => 'done';
  const gone = new CloudTasksError('UNAVAILABLE', 'The process ended.');
  const broken = new Proxy(api, {
    get: (target, verb: keyof CloudTasksApi) =>
      verb === 'deleteTask' ? () => Promise.reject(gone) : target[verb].bind(target),
  });
  const { location } = bed.app.get(QueueBackend, { strict: false });
  const cut = new DeadLetters(broken, location, bed.app.get(CLOCK, { strict: false }));
  expect(await results(cut.redrive())).toMatchObject([{ error: gone }]);
  await bed.drain();
  expect(await parked()).toHaveLength(1);
  expect(await results(letters.redrive())).toHaveLength(1);
  await bed.drain();
  expect(await parked()).toEqual([]);
  expect(calls).toBe(2);
});

test('the largest task that can be created can be parked, with the longest of reasons', async () => {
  act = () => {
    throw new PermanentFailure('\u0000ü'.repeat(5000));
  };
  const body = (length: number) => ({ text: 'x'.repeat(length) });
  const tooLarge = 1_040_000;
  const { run } = bed.tasks(Jobs);
  const error = await run.delay(body(tooLarge)).catch((cause: unknown) => cause);
  const [, size, most] = /of (\d+) bytes; at most (\d+)/.exec(String(error)) ?? [];
  expect(Number(most)).toBe(MAX_TASK_SIZE - 16 * 1024);
  const largest = tooLarge - (Number(size) - Number(most));
  await expect(run.delay(body(largest + 1))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await run.delay(body(largest));
  await bed.drain();
  const [letter] = await parked();
  const shown = await letters.show(letter?.taskId ?? '');
  expect(JSON.parse(Buffer.from(shown.body).toString())).toEqual(body(largest));
  const { httpRequest } = await api.getTask({ name: shown.name });
  expect(httpRequest?.headers['X-Tasks-Dead-Letter']?.length).toBeLessThan(2048 + 1024);
});

test('a dead letter outlives the 31 days of a task, and is there once', async () => {
  act = giveUp;
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  const [first] = await parked();
  const days = ((first?.expiresAt ?? 0) - bed.now().getTime() * MILLISECOND) / DAY;
  expect(days).toBeCloseTo(31, 3);
  await bed.advance('100d');
  const [letter, ...others] = await parked();
  expect(others).toEqual([]);
  expect(letter).toMatchObject({ message: 'no', lineage: first?.lineage, diedAt: first?.diedAt });
  expect(letter?.renewals).toBeGreaterThanOrEqual(3);
  act = () => 'done';
  await results(letters.redrive());
  await bed.drain();
  expect(calls).toBe(2);
});

test('an App Engine task keeps path, headers and body, and its agent grows no longer', async () => {
  act = giveUp;
  await bed
    .tasks(Jobs)
    .once.options({ headers: { 'X-Own': '1' } })
    .delay({ n: 1 });
  await bed.drain();
  await results(letters.redrive());
  await bed.drain();
  const [letter] = await parked();
  expect(letter).toMatchObject({ url: '/jobs/once', lineage: { redrive: 1 } });
  const shown = await letters.show(letter?.taskId ?? '');
  expect(shown.headers).toMatchObject({
    'x-own': '1',
    'User-Agent': 'AppEngine-Google; (+http://code.google.com/appengine)',
  });
  expect(Buffer.from(shown.body).toString()).toBe('{"n":1}');
});

test('two tasks that others gave one name, one after the other, are two dead letters', async () => {
  const { location } = bed.app.get(QueueBackend, { strict: false });
  const parent = `${location}/queues/jobs`;
  act = giveUp;
  for (const n of [1, 2]) {
    const body = new TextEncoder().encode(JSON.stringify({ n }));
    const headers = { 'Content-Type': 'application/json' };
    await api.createTask({
      parent,
      task: {
        name: `${parent}/tasks/daily`,
        appEngineHttpRequest: { relativeUri: '/jobs/once', body, headers },
      },
    });
    await bed.advance('1d');
  }
  expect(await parked()).toMatchObject([{ taskId: 'daily' }, { taskId: 'daily' }]);
});

test('a dead letter that is run by hand where it is parked stays until it succeeds', async () => {
  act = giveUp;
  await bed.tasks(Jobs).run.delay({ n: 1 });
  await bed.drain();
  const [letter] = await parked();
  await api.runTask({ name: letter?.name ?? '' });
  await bed.advance('1s');
  expect(calls).toBe(2);
  expect(await parked()).toHaveLength(1);
  act = () => 'done';
  await api.runTask({ name: letter?.name ?? '' });
  await bed.advance('1s');
  expect(await parked()).toEqual([]);
});

test('letters are told apart by queue, task and reason; discarding deletes for good', async () => {
  act = giveUp;
  await bed.tasks(Jobs).run.options({ taskId: 'one' }).delay({ n: 1 });
  await bed.tasks(Jobs).run.options({ taskId: 'two' }).delay({ n: 2 });
  await bed.drain();
  expect(await results(letters.discard({ queue: 'default' }))).toEqual([]);
  expect(await results(letters.discard({ reason: 'exhausted' }))).toEqual([]);
  expect(await results(letters.discard({ task: 'one', reason: 'permanent' }))).toHaveLength(1);
  expect(await parked()).toMatchObject([{ taskId: 'two' }]);
  await expect(letters.show('one')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
