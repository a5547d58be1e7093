/** When tasks wait, go and stop: before the app listens, while it runs, when it closes. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Body, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { MINUTE, SECOND } from '../../../src/engine/time.js';
import { AppAddress } from '../../../src/modules/cloud-tasks/app-address.js';
import { CLOCK, CLOUD_TASKS } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  InjectTasks,
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import { Tasks } from '../../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { closeApps, EMBEDDED, makeApp, RecordedLog, startApp } from '../../support/tasks-app.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { workElsewhere } from '../../support/elsewhere.js';

workElsewhere();

let called: PromiseWithResolvers<{ body: unknown; task: TaskContext }>;
let answer: () => Promise<unknown>;
beforeEach(() => {
  called = Promise.withResolvers();
  answer = () => Promise.resolve(undefined);
});
afterEach(closeApps);

@TaskController('jobs', { queue: 'jobs' })
class Jobs {
  @Task('run')
  async run(@Body() body: unknown, @TaskInfo() task: TaskContext): Promise<void> {
    called.resolve({ body, task });
    await answer();
  }
}

test('a delay before the app listens waits for its address', async () => {
  const app = await makeApp({ controllers: [Jobs] });
  await app.init();
  const delayed = app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({ early: true });
  await app.listen(0, '127.0.0.1');
  expect((await delayed).queue).toBe('jobs');
  expect((await called.promise).body).toEqual({ early: true });
});

test('also one in onModuleInit, which must not be waited for there', async () => {
  @Injectable()
  class Starter {
    delayed: Promise<unknown> | undefined;
    constructor(@InjectTasks(Jobs) private readonly tasks: Tasks<Jobs>) {}
    onModuleInit(): void {
      this.delayed = this.tasks.run.delay({ at: 'init' });
    }
  }
  await startApp({ controllers: [Jobs], providers: [Starter] });
  expect((await called.promise).body).toEqual({ at: 'init' });
});

test('with a serviceUrl, a delay before the app listens waits for nothing', async () => {
  const options = { ...EMBEDDED, serviceUrl: 'http://127.0.0.1:9/base/' };
  const app = await makeApp({ controllers: [Jobs] }, options);
  await app.init();
  const { name } = await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({});
  const task = await app.get<CloudTasksApi>(CLOUD_TASKS).getTask({ name });
  expect(task.httpRequest?.url).toBe('http://127.0.0.1:9/base/jobs/run');
});

test('a delay fails where the app closes before it has listened', async () => {
  const app = await makeApp({ controllers: [Jobs] });
  await app.init();
  const delayed = app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({});
  const outcome = expect(delayed).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  await app.close();
  await outcome;
});

test('a delay fails in a process without an HTTP application', async () => {
  @Module({
    imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([Jobs])],
    controllers: [Jobs],
  })
  class AppModule {}
  const options = { logger: new RecordedLog(), abortOnError: false };
  const context = await NestFactory.createApplicationContext(AppModule, options);
  await expect(context.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({})).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: /no registered route/,
  });
  await context.close();
});

test('closing waits for the handler in flight, and its task is done', async () => {
  const release = Promise.withResolvers<undefined>();
  let finished = false;
  answer = async () => {
    await release.promise;
    finished = true;
  };
  const { app } = await startApp({ controllers: [Jobs] });
  const api = app.get<CloudTasksApi>(CLOUD_TASKS);
  const { name } = await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({});
  await called.promise;
  const closing = app.close();
  setImmediate(() => release.resolve(undefined));
  await closing;
  expect(finished).toBe(true);
  expect(name).toContain('/queues/jobs/');
  // The engine has ended with the app.
  await expect(api.getTask({ name })).rejects.toBeDefined();
});

test('options may be made of what ConfigService has read', async () => {
  @Module({
    imports: [
      TasksModule.forRootAsync({
        imports: [
          ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ q: 'configured' })] }),
        ],
        inject: [ConfigService],
        useFactory: async (config: ConfigService): Promise<TasksModuleOptions> => ({
          ...EMBEDDED,
          queue: config.get<string>('q'),
          serviceUrl: config.get<string>('not there'),
        }),
      }),
    ],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, {
    logger: new RecordedLog(),
    abortOnError: false,
  });
  await app.init();
  const { queues } = await app.get<CloudTasksApi>(CLOUD_TASKS).listQueues({
    parent: 'projects/local/locations/us-central1',
  });
  expect(queues.map(({ name }) => name)).toEqual([
    'projects/local/locations/us-central1/queues/configured',
    'projects/local/locations/us-central1/queues/configured-dead-letter',
  ]);
  await app.close();
});

test('works in an application of Nest’s testing module', async () => {
  const testing = await Test.createTestingModule({
    imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([Jobs])],
    controllers: [Jobs],
  }).compile();
  const app = testing.createNestApplication({ logger: new RecordedLog() });
  await app.listen(0, '127.0.0.1');
  const text = 'x'.repeat(200_000);
  await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({ text });
  expect((await called.promise).body).toEqual({ text });
  await app.close();
});

test('a create takes no longer than its createTimeout', async () => {
  const clock = new VirtualClock(Date.now() * 1000);
  const testing = await Test.createTestingModule({
    imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([Jobs])],
    controllers: [Jobs],
  })
    .overrideProvider(CLOCK)
    .useValue(clock)
    .compile();
  const app = testing.createNestApplication({ logger: new RecordedLog() });
  await app.init();
  const calls = app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.options({ createTimeout: '5s' });
  // It waits for the app to listen, which it never does.
  const outcome = expect(calls.delay({})).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    field: 'createTimeout',
  });
  await clock.advance(5 * SECOND);
  await outcome;
  await app.close();
});

test('the signal of a handler is aborted 5 s before the deadline of its attempt', async () => {
  const release = Promise.withResolvers<undefined>();
  answer = () => release.promise;
  // One that follows the real time, since tokens do, but whose timers wait to be told.
  const clock = new VirtualClock(Date.now() * 1000);
  const testing = await Test.createTestingModule({
    imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([Jobs])],
    controllers: [Jobs],
  })
    .overrideProvider(CLOCK)
    .useValue(clock)
    .compile();
  const app = testing.createNestApplication({ logger: new RecordedLog() });
  await app.listen(0, '127.0.0.1');
  await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.options({ dispatchDeadline: '1m' }).delay({});
  const { signal } = (await called.promise).task;
  await clock.advance(MINUTE - 5 * SECOND - 1);
  expect(signal.aborted).toBe(false);
  await clock.advance(1);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  release.resolve(undefined);
  await app.close();
  expect(clock.timers).toBe(0);
});

test('an app that listens on every interface is called by loopback', async () => {
  const app = await makeApp({ controllers: [Jobs] });
  await app.listen(0, '0.0.0.0');
  expect(await app.get(AppAddress).url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({});
  await called.promise;
});

test('of an attempt that fails the log tells once, and why; what else the engine knows is for debugging', async () => {
  let failures = 0;
  answer = async () => {
    if (failures++ === 0) throw new Error('not yet');
  };
  const debug = new RecordedLog();
  const log = Object.assign(new RecordedLog(), { debug: debug.log });
  const { app } = await startApp({ controllers: [Jobs] }, EMBEDDED, (made) => made.useLogger(log));
  const told = debug.line(/tried again/);
  const { taskId } = await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({});
  expect(await told).toMatch(
    new RegExp(`^Attempt 1 of jobs/tasks/${taskId} answered 500 after \\d+ ms; tried again at `),
  );
  expect(log.lines.filter((line) => line.includes(taskId))).toEqual([
    `Attempt 1 of jobs/${taskId} (Jobs.run) failed: not yet Tasks`,
  ]);
});
