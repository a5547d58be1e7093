/** The test kit: what a user's own tests do with it. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Body, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsEmail } from 'class-validator';
import { Task, TaskController } from '../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../src/testing/tasks-testbed.js';

class Email {
  @IsEmail() to!: string;
}

let bed: TasksTestbed;
let received: unknown[];
let outcomes: (() => unknown)[];

@TaskController('tasks', { queue: 'email-queue' })
class EmailTasks {
  @Task('send')
  async send(@Body() email: Email): Promise<void> {
    received.push(email);
    await outcomes.shift()?.();
  }
}

@Module({
  imports: [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([EmailTasks])],
  controllers: [EmailTasks],
})
class AppModule {}

const fail = () => {
  throw new Error('the mail server is down');
};

beforeEach(async () => {
  received = [];
  outcomes = [];
  bed = await TasksTestbed.create(
    Test.createTestingModule({ imports: [AppModule] }).setLogger(false as never),
  );
});
afterEach(() => bed.close());

test('a delayed task runs when its time has come, and not before', async () => {
  await bed.tasks(EmailTasks).send.options({ countdown: '30m' }).delay({ to: 'ada@example.com' });
  await bed.advance('1799s');
  expect(received).toEqual([]);
  expect(await bed.pending()).toMatchObject([
    { handler: 'EmailTasks.send', queue: 'email-queue', payload: { to: 'ada@example.com' } },
  ]);
  await bed.advance('1s');
  expect(received).toEqual([{ to: 'ada@example.com' }]);
  expect(await bed.pending()).toEqual([]);
  expect(bed.attempts()).toMatchObject([
    { handler: 'EmailTasks.send', status: 200, attempt: 1, at: bed.now() },
  ]);
});

test('a failed one is tried again', async () => {
  outcomes.push(fail);
  await bed.tasks(EmailTasks).send.delay({ to: 'ada@example.com' });
  expect(received).toEqual([]);
  await bed.advance('0s');
  expect(received).toHaveLength(1);
  await bed.advance('100ms');
  expect(received).toHaveLength(2);
  expect(bed.attempts()).toMatchObject([{ status: 500 }, { status: 200 }]);
});
