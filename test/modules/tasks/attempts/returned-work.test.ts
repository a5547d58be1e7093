/** Handlers that return their work: Nest is done with the request while it goes on, the queue waits for it. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Body, Module, ServiceUnavailableException } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Observable } from 'rxjs';
import { finalize } from 'rxjs';
import { PermanentFailure } from '../../../../src/modules/dead-letters/handler-failures.js';
import type { Work } from '../../../../src/modules/tasks/attempts/returned-work.js';
import { ReturnsWork } from '../../../../src/modules/tasks/attempts/returned-work.js';
import { Task, TaskController } from '../../../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../../../src/testing/tasks-testbed.js';
import { closeApps, RecordedLog, startApp } from '../../../support/tasks-app.js';
import { ACCOUNT, AUDIENCE, TestIssuer } from '../../../support/test-issuer.js';

let happened: string[];
let nestIsDone: PromiseWithResolvers<undefined>;
/** What the handler does, and returns. */
let act: () => Work;
let log: RecordedLog;
let bed: TasksTestbed;

const hook = {
  aroundHandler: async (_: unknown, next: () => Promise<unknown>) => {
    happened.push('hook begins');
    const result = await next().catch((error: unknown) => {
      happened.push('hook sees a failure');
      throw error;
    });
    happened.push(`hook has ${JSON.stringify(result)}`);
    return result;
  },
};

@TaskController('long', { hooks: [hook] })
class Long {
  @Task('work', { maxAttempts: 2 })
  @ReturnsWork()
  async work(@Body() _body: object): Promise<Work> {
    return act();
  }
}

class Watching implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      finalize(() => {
        happened.push('Nest is done');
        nestIsDone.resolve(undefined);
      }),
    );
  }
}

@Module({
  imports: [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([Long])],
  controllers: [Long],
})
class AppModule {}

beforeEach(async () => {
  happened = [];
  nestIsDone = Promise.withResolvers();
  log = new RecordedLog();
  const builder = Test.createTestingModule({ imports: [AppModule] }).setLogger(log);
  bed = await TasksTestbed.create(builder, {
    app: (module) => module.createNestApplication().useGlobalInterceptors(new Watching()),
  });
});
afterEach(() => bed.close());

test('Nest is done before the work is, and hooks and the queue wait for it', async () => {
  act = () => async () => {
    await nestIsDone.promise;
    happened.push('the work is done');
    return { answer: 42 };
  };
  const ref = await bed.tasks(Long).work.delay({});
  await bed.drain();
  expect(happened).toEqual([
    'hook begins',
    'Nest is done',
    'the work is done',
    'hook has {"answer":42}',
  ]);
  expect(await bed.tasks(Long).work.status(ref)).toMatchObject({ state: 'succeeded', attempts: 1 });
});

test('work that fails is tried again and then parked, and an error that nobody foresaw is logged whole', async () => {
  act = () => () => Promise.reject(new TypeError('nobody foresaw this'));
  await bed.tasks(Long).work.delay({});
  await bed.drain();
  expect(happened.filter((line) => line === 'hook sees a failure')).toHaveLength(2);
  expect(await bed.deadLetters()).toMatchObject([{ reason: 'exhausted', attempts: 2 }]);
  expect(log.lines.filter((line) => line.startsWith('TypeError: nobody foresaw'))).toHaveLength(2);
});

test.each([
  ['as its status says', new ServiceUnavailableException('full'), 'exhausted', 2],
  ['as it says itself', new PermanentFailure('never'), 'permanent', 1],
])(
  'what the work throws is judged %s, without a stack in the log',
  async (_, error, reason, attempts) => {
    act = () => () => Promise.reject(error);
    await bed.tasks(Long).work.delay({});
    await bed.drain();
    expect(await bed.deadLetters()).toMatchObject([{ reason, attempts }]);
    expect(log.text).not.toContain(`${error.name}: `);
  },
);

test('a handler that fails before it has any work fails like others', async () => {
  act = () => {
    throw new PermanentFailure('no work');
  };
  await bed.tasks(Long).work.delay({});
  await bed.drain();
  expect(await bed.deadLetters()).toMatchObject([{ reason: 'permanent', message: 'no work' }]);
});

test('a caller who is no queue is answered by Nest, with what the work comes to', async () => {
  const issuer = await TestIssuer.start();
  try {
    const { url } = await startApp(
      { controllers: [Long] },
      {
        backend: 'google',
        emulatorHost: '127.0.0.1:9',
        project: 'local',
        serviceUrl: AUDIENCE,
        serviceAccount: ACCOUNT,
        auth: { mode: 'oidc', issuer: issuer.url, audience: AUDIENCE, accounts: [ACCOUNT] },
      },
    );
    act = () => async () => ({ answer: 42 });
    const token = issuer.first.sign(issuer.claims(Math.floor(Date.now() / 1000)));
    const response = await fetch(`${url}/long/work`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    expect([response.status, await response.json()]).toEqual([200, { answer: 42 }]);
  } finally {
    await closeApps();
    await issuer.close();
  }
});
