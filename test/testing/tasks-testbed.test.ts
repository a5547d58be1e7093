/** The test kit: what a user's own tests do with it. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Controller, Injectable, Module, Param, Post, ValidationPipe } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { IsEmail } from 'class-validator';
import type { CloudTasksApi } from '../../src/engine/cloud-tasks-api.js';
import { SECOND } from '../../src/engine/time.js';
import { CLOUD_TASKS, QueueBackend } from '../../src/modules/cloud-tasks/queue-backend.js';
import type { TasksModuleOptions } from '../../src/modules/tasks/module-options.js';
import { TaskContext } from '../../src/modules/tasks/task-context.js';
import {
  InjectTasks,
  Task,
  TaskController,
  TaskInfo,
} from '../../src/modules/tasks/task-decorators.js';
import { Tasks } from '../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';
import type { TestbedOptions } from '../../src/testing/tasks-testbed.js';
import { TasksTestbed } from '../../src/testing/tasks-testbed.js';
import { workElsewhere } from '../support/elsewhere.js';

workElsewhere();

class Email {
  @IsEmail() to!: string;
}

const ADA = { to: 'ada@example.com' };

/** What the handlers call; a test says what comes of it. */
@Injectable()
class Mailer {
  readonly sent: unknown[] = [];
  answer: (call: number, task: TaskContext) => unknown = () => undefined;
}

@TaskController('tasks', { queue: 'email-queue' })
class EmailTasks {
  constructor(private readonly mailer: Mailer) {}

  @Task('send')
  async send(@Body() email: Email, @TaskInfo() task: TaskContext): Promise<void> {
    this.mailer.sent.push(email);
    await this.mailer.answer(this.mailer.sent.length, task);
  }

  @Task('welcome/:id', { target: 'app-engine' })
  async welcome(@Param('id') id: string): Promise<void> {
    this.mailer.sent.push(id);
  }
}

@Controller('emails')
class EmailsController {
  constructor(@InjectTasks(EmailTasks) private readonly tasks: Tasks<EmailTasks>) {}

  @Post() create(@Body() email: Email) {
    return this.tasks.send.delay(email);
  }
}

const PARTS = { controllers: [EmailTasks, EmailsController], providers: [Mailer] };

@Module({
  imports: [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([EmailTasks])],
  ...PARTS,
})
class AppModule {}

let bed: TasksTestbed;
let mailer: Mailer;
const open = async (options: TestbedOptions = {}, imports: object[] = [AppModule]) => {
  const builder = Test.createTestingModule({ imports: imports as [] });
  // The failures are part of the plan.
  bed = await TasksTestbed.create(builder.setLogger({ log() {}, error() {}, warn() {} }), options);
  mailer = bed.app.get(Mailer, { strict: false });
};
const fail = () => {
  throw new Error('the mail server is down');
};
const api = () => bed.app.get<CloudTasksApi>(CLOUD_TASKS);
const queueName = (id: string) => bed.app.get(QueueBackend).queueName(id);

afterEach(() => bed.close());

describe('time', () => {
  beforeEach(() => open());

  test('a delayed task runs when its time has come, and not before', async () => {
    await bed.tasks(EmailTasks).send.options({ countdown: '30m' }).delay(ADA);
    await bed.advance('1799s');
    expect(mailer.sent).toEqual([]);
    expect(await bed.pending()).toMatchObject([
      { handler: 'EmailTasks.send', queue: 'email-queue', payload: ADA, attempts: 0 },
    ]);
    await bed.advance('1s');
    expect(mailer.sent).toEqual([ADA]);
    expect(await bed.pending()).toEqual([]);
    expect(bed.attempts()).toMatchObject([
      { handler: 'EmailTasks.send', queue: 'email-queue', status: 200, attempt: 1, at: bed.now() },
    ]);
  });

  test('stands still until a test moves it, also for what is due', async () => {
    const before = bed.now();
    await bed.tasks(EmailTasks).send.delay(ADA);
    expect(await bed.pending()).toHaveLength(1);
    expect(mailer.sent).toEqual([]);
    await bed.advance('0s');
    expect(mailer.sent).toHaveLength(1);
    expect(bed.now()).toEqual(before);
  });

  test('each attempt is made at its own instant', async () => {
    await api().updateQueue({
      queue: { name: queueName('email-queue'), retryConfig: { minBackoff: 10 * SECOND } },
      updateMask: ['retryConfig.minBackoff'],
    });
    mailer.answer = (call) => (call < 3 ? fail() : undefined);
    await bed.tasks(EmailTasks).send.delay(ADA);
    const start = bed.now().getTime();
    await bed.advance('9s');
    expect(bed.attempts()).toMatchObject([{ status: 500, retryAt: new Date(start + 10_000) }]);
    await bed.advance('1h');
    expect(bed.attempts().map(({ at }) => at.getTime() - start)).toEqual([0, 10_000, 30_000]);
    expect(bed.attempts().map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  test('drain goes on until nothing waits, tasks of tasks included', async () => {
    mailer.answer = async (call) => {
      if (call < 3) await bed.tasks(EmailTasks).send.options({ countdown: '7d' }).delay(ADA);
    };
    await bed.tasks(EmailTasks).send.options({ countdown: '29d' }).delay(ADA);
    const start = bed.now().getTime();
    await bed.drain({ limit: '100d' });
    expect(mailer.sent).toHaveLength(3);
    expect(bed.now().getTime() - start).toBe(43 * 24 * 3600 * 1000);
    expect(await bed.pending()).toEqual([]);
  });

  test('drain takes thousands of tasks', async () => {
    const { send } = bed.tasks(EmailTasks);
    for (let i = 0; i < 2000; i++) await send.delay(ADA);
    await bed.drain();
    expect(mailer.sent).toHaveLength(2000);
    expect(bed.attempts()).toHaveLength(2000);
  });

  test('drain names what would wait for ever', async () => {
    mailer.answer = fail;
    const { taskId } = await bed.tasks(EmailTasks).send.delay(ADA);
    await expect(bed.drain({ limit: '1s' })).rejects.toThrow(
      `TasksTestbed: after 1s there still wait:\n- EmailTasks.send, task ${taskId} of email-queue, after 4 attempt(s)`,
    );
  });

  test('moves once at a time', async () => {
    const first = bed.advance('1s');
    await expect(bed.advance('1s')).rejects.toThrow('await advance() or drain() first');
    await first;
  });

  test('is said with its unit', async () => {
    await expect(bed.advance(30 as never)).rejects.toThrow("write '30s' or '30m'");
  });

  test('real timers may be fake', async () => {
    jest.useFakeTimers();
    try {
      await bed.tasks(EmailTasks).send.options({ countdown: '30m' }).delay(ADA);
      mailer.answer = (call) => (call === 1 ? fail() : undefined);
      await bed.advance('31m');
      expect(mailer.sent).toEqual([ADA, ADA]);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('a handler that never settles', () => {
  beforeEach(() => open({ patience: '100ms' }));

  test('is named', async () => {
    mailer.answer = () => new Promise(() => undefined);
    const { taskId } = await bed.tasks(EmailTasks).send.delay(ADA);
    await expect(bed.advance('1m')).rejects.toThrow(
      `not settled after 100 ms of real time:\n- EmailTasks.send, task ${taskId}`,
    );
  });

  test('is told 5 s before its deadline where it may hang, and tried again', async () => {
    const told: unknown[] = [];
    mailer.answer = (call, { signal }) => {
      if (call > 1) return undefined;
      signal.addEventListener('abort', () => told.push(bed.now(), signal.reason));
      return new Promise(() => undefined);
    };
    await bed.tasks(EmailTasks).send.options({ dispatchDeadline: '30s' }).delay(ADA);
    const start = bed.now().getTime();
    await bed.advance('24s', { mayHang: true });
    expect({ told, attempts: bed.attempts() }).toEqual({ told: [], attempts: [] });
    await bed.advance('10s', { mayHang: true });
    expect(told).toMatchObject([new Date(start + 25_000), { code: 'DEADLINE_EXCEEDED' }]);
    expect(bed.attempts()).toMatchObject([
      { status: 500, handler: 'EmailTasks.send' },
      { status: 200, attempt: 2 },
    ]);
  });

  test('also while real timers are fake', async () => {
    mailer.answer = (call) => (call > 1 ? undefined : new Promise(() => undefined));
    jest.useFakeTimers();
    try {
      await bed.tasks(EmailTasks).send.options({ dispatchDeadline: '30s' }).delay(ADA);
      await bed.advance('1m', { mayHang: true });
      expect(bed.attempts()).toMatchObject([{ status: 500 }, { status: 200 }]);
    } finally {
      jest.useRealTimers();
    }
  });

  test('and is no task of ours meets the deadline of its queue', async () => {
    const silent = Promise.withResolvers<number>();
    await bed.close();
    await open({ outside: () => silent.promise });
    await api().createTask({
      parent: queueName('email-queue'),
      task: { httpRequest: { url: 'https://api.example.com/x' }, dispatchDeadline: 15 * SECOND },
    });
    await bed.advance('15s', { mayHang: true });
    expect(bed.attempts()).toMatchObject([
      { status: undefined, answer: 'the dispatch deadline passed' },
    ]);
  });

  test('that is only slow is waited for, and time stands still meanwhile', async () => {
    const slow = Promise.withResolvers<undefined>();
    mailer.answer = () => slow.promise;
    await bed.tasks(EmailTasks).send.delay(ADA);
    const advanced = bed.advance('1h');
    setImmediate(() => slow.resolve(undefined));
    await advanced;
    expect(bed.attempts()).toMatchObject([{ status: 200 }]);
  });
});

describe('the app', () => {
  test('is asked without a port, and is made as main.ts does', async () => {
    const app = (module: { createNestApplication(): INestApplication }) => {
      const made = module.createNestApplication();
      made.setGlobalPrefix('api');
      return made.useGlobalPipes(new ValidationPipe({ transform: true }));
    };
    await open({ app });
    const ask = (body: object) =>
      bed.fetch('/api/emails', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await ask({ to: 'nobody' })).status).toBe(400);
    const answer = await ask(ADA);
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ queue: 'email-queue' });
    expect(await bed.pending()).toMatchObject([{ handler: 'EmailTasks.send' }]);
    await bed.drain();
    expect(mailer.sent).toEqual([ADA]);
    expect(mailer.sent[0]).toBeInstanceOf(Email);
  });

  test('gets App Engine tasks, signed', async () => {
    await open();
    await bed.tasks(EmailTasks).welcome.delay('7');
    expect(await bed.pending()).toMatchObject([{ handler: 'EmailTasks.welcome' }]);
    await bed.drain();
    expect(mailer.sent).toEqual(['7']);
  });

  test('opens no port and leaves nothing behind', async () => {
    await open();
    await bed.tasks(EmailTasks).send.delay(ADA);
    await bed.drain();
    expect((bed.app.getHttpServer() as { listening: boolean }).listening).toBe(false);
    const kinds = process.getActiveResourcesInfo();
    expect(kinds.filter((kind) => /TCP|Pipe.*Server/.test(kind))).toEqual([]);
  });

  test.each<[string, TasksModuleOptions]>([
    [
      'google',
      {
        backend: 'google',
        project: 'p',
        serviceUrl: 'https://worker.example.com/base',
        serviceAccount: 'tasks@p.iam.gserviceaccount.com',
      },
    ],
    [
      'google with its own issuer',
      {
        backend: 'google',
        project: 'p',
        serviceUrl: 'https://worker.example.com',
        serviceAccount: 'a@b',
        auth: { issuer: 'https://issuer.example.com' },
      },
    ],
    [
      'an emulator',
      { backend: 'google', project: 'p', emulatorHost: '127.0.0.1:1', serviceAccount: 'a@b' },
    ],
    [
      'embedded, with a folder and a port',
      { backend: 'embedded', engine: { dataDir: '/nowhere/at/all', port: 8123 } },
    ],
  ])('whose backend is %s runs as it stands', async (_, options) => {
    @Module({
      imports: [
        ConfigModule.forRoot({ load: [() => ({ tasks: options })], ignoreEnvFile: true }),
        TasksModule.forRootAsync({
          imports: [ConfigModule],
          inject: [ConfigService],
          useFactory: (config: ConfigService) => config.getOrThrow<TasksModuleOptions>('tasks'),
        }),
        TasksModule.forFeature([EmailTasks]),
      ],
      ...PARTS,
    })
    class AsyncModule {}
    await open({}, [AsyncModule]);
    await bed.tasks(EmailTasks).send.options({ countdown: '1h' }).delay(ADA);
    await bed.drain();
    expect(mailer.sent).toEqual([ADA]);
    expect(bed.attempts()).toMatchObject([{ handler: 'EmailTasks.send', status: 200 }]);
  });

  test('without TasksModule is refused', async () => {
    await open();
    @Module({})
    class Empty {}
    await expect(
      TasksTestbed.create(Test.createTestingModule({ imports: [Empty] })),
    ).rejects.toThrow('no module of the app imports TasksModule.forRoot');
  });
});

describe('a task for elsewhere', () => {
  const create = () =>
    api().createTask({
      parent: queueName('email-queue'),
      task: { httpRequest: { url: 'https://api.example.com/x', body: Buffer.from('hello') } },
    });

  test('is answered by the test', async () => {
    const calls: unknown[] = [];
    await open({
      outside: ({ url, method, body }) => {
        calls.push([method, url, Buffer.from(body ?? []).toString()]);
        return calls.length === 1 ? 503 : 204;
      },
    });
    await create();
    await bed.drain();
    expect(calls).toEqual(Array(2).fill(['POST', 'https://api.example.com/x', 'hello']));
    expect(bed.attempts()).toMatchObject([
      { handler: 'POST https://api.example.com/x', status: 503 },
      { status: 204 },
    ]);
  });

  test('fails without, and says what to do', async () => {
    await open();
    await create();
    await bed.advance('0s');
    expect(bed.attempts()).toMatchObject([{ status: undefined }]);
    expect(bed.attempts()[0]?.answer).toMatch('give TasksTestbed.create the option outside');
  });
});
