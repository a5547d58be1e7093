/** Work that is done once, and attempts that run out: on the real engine, virtual time. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NextFunction, Request, Response } from 'express';
import type { DeadLetter } from '../../../src/modules/dead-letters/dead-letter.js';
import { DeadLetters } from '../../../src/modules/dead-letters/dead-letters.js';
import {
  PermanentFailure,
  RetryLater,
} from '../../../src/modules/dead-letters/handler-failures.js';
import type { OutcomeKind } from '../../../src/modules/dead-letters/outcomes.js';
import { Outcomes } from '../../../src/modules/dead-letters/outcomes.js';
import { OutcomeNotes } from '../../../src/modules/journal/outcome-notes.js';
import { Task, TaskController } from '../../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../../src/testing/tasks-testbed.js';

let calls = 0;
let act: () => unknown;

@TaskController('jobs', { queue: 'jobs', idempotency: true })
class Jobs {
  @Task('once', { maxAttempts: 1 })
  async once(@Body() _body: object): Promise<unknown> {
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
let ended: OutcomeKind[];
let request: Request;

beforeEach(async () => {
  calls = 0;
  ended = [];
  const builder = Test.createTestingModule({ imports: [AppModule] });
  bed = await TasksTestbed.create(builder.setLogger({ log() {}, error() {}, warn() {} }), {
    app: (module): INestApplication =>
      module.createNestApplication().use((one: Request, _: Response, next: NextFunction) => {
        request = one;
        next();
      }),
  });
  bed.app.get(Outcomes, { strict: false }).listen(({ kind }) => void ended.push(kind));
});
afterEach(() => bed.close());

async function parked(): Promise<DeadLetter[]> {
  const all: DeadLetter[] = [];
  for await (const letter of bed.app.get(DeadLetters, { strict: false }).list()) all.push(letter);
  return all;
}

test('work whose last answer was lost is not given up: it is known to be done', async () => {
  bed.app.get(Outcomes, { strict: false }).listen(() => {
    if (ended.length === 1) request.socket.destroy();
  });
  act = () => undefined;
  const ref = await bed.tasks(Jobs).once.delay({ n: 1 });
  await bed.drain();
  expect(ended).toEqual(['succeeded', 'succeeded']);
  expect(calls).toBe(1);
  expect(await parked()).toEqual([]);
  expect(await bed.tasks(Jobs).once.status(ref)).toMatchObject({ state: 'succeeded', attempts: 2 });
});

test('work that its last attempt did not do is given up, unrun', async () => {
  act = async () => {
    const { res } = request;
    const closed = new Promise((resolve) => res?.once('close', resolve));
    request.socket.destroy();
    await closed;
    throw new Error('cut off');
  };
  const ref = await bed.tasks(Jobs).once.delay({ n: 1 });
  await bed.drain();
  expect(calls).toBe(1);
  expect(await parked()).toMatchObject([
    { reason: 'exhausted', attempts: 1, message: expect.stringMatching(/without an outcome/) },
  ]);
  expect(await bed.tasks(Jobs).once.status(ref)).toMatchObject({
    state: 'dead-lettered',
    reason: expect.stringMatching(/without an outcome/),
  });
});

test('work that is put off is done by its successor, and its status follows it', async () => {
  act = () => {
    act = () => undefined;
    throw new RetryLater({ after: '10m', reason: 'not yet' });
  };
  const { once } = bed.tasks(Jobs);
  const unlimited = once.options({ maxAttempts: 5 });
  const ref = await unlimited.delay({ n: 1 });
  await bed.advance('1m');
  expect(await once.status(ref)).toMatchObject({ state: 'failed', attempts: 1, reason: 'not yet' });
  expect((await once.status(ref)).scheduleTime).toBeDefined();
  await bed.advance('10m');
  expect(calls).toBe(2);
  expect(await once.status(ref)).toMatchObject({ state: 'succeeded', attempts: 2 });
});

test('work that is put off for long is known as long as it waits, and what it came to after it', async () => {
  const notes = bed.app.get(OutcomeNotes, { strict: false });
  act = () => {
    act = () => undefined;
    throw new RetryLater({ after: '20h', reason: 'not yet' });
  };
  const { once } = bed.tasks(Jobs);
  const ref = await once.options({ maxAttempts: 5 }).delay({ n: 1 });
  await bed.advance('1m');
  await notes.flush();
  await bed.advance('19h');
  expect(await once.status(ref)).toMatchObject({ state: 'failed', attempts: 1 });
  expect((await once.status(ref)).scheduleTime).toBeDefined();
  await bed.advance('1h');
  await notes.flush();
  await bed.advance('48h');
  expect(await once.status(ref)).toMatchObject({ state: 'succeeded', attempts: 2 });
});

test('a dead letter that is redriven does the work, and the status of the first task says so', async () => {
  act = () => {
    throw new PermanentFailure('broken');
  };
  const { once } = bed.tasks(Jobs);
  const ref = await once.delay({ n: 1 });
  await bed.drain();
  expect(await once.status(ref)).toMatchObject({ state: 'dead-lettered', reason: 'broken' });
  act = () => undefined;
  const letters = bed.app.get(DeadLetters, { strict: false });
  for await (const { error } of letters.redrive()) expect(error).toBeUndefined();
  await bed.drain();
  expect(calls).toBe(2);
  expect(await once.status(ref)).toMatchObject({ state: 'succeeded' });
});
