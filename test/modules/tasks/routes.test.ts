/** Delayed calls reach handlers wherever Nest has registered them. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type {
  INestApplication,
  MiddlewareConsumer,
  NestModule,
  PipeTransform,
} from '@nestjs/common';
import {
  Body,
  Controller,
  Injectable,
  Module,
  Param,
  Post,
  Scope,
  Version,
  VersioningType,
} from '@nestjs/common';
import { NestFactory, RouterModule } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { Task, TaskController, tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import { closeApps, EMBEDDED, RecordedLog, startApp } from '../../support/tasks-app.js';

let called: PromiseWithResolvers<unknown[]>;
beforeEach(() => {
  called = Promise.withResolvers();
});
afterEach(closeApps);

@TaskController('jobs')
class Jobs {
  @Task('run/:id')
  async run(@Param('id') id: string): Promise<void> {
    called.resolve(['unversioned', id]);
  }
}

@TaskController({ path: 'jobs', version: '1' })
class FirstVersion {
  @Task('run/:id')
  async run(@Param('id') id: string): Promise<void> {
    called.resolve(['1', id]);
  }
}

@TaskController({ path: 'jobs', version: ['2', '3'] })
class SecondVersion {
  @Task('run/:id')
  async run(@Param('id') id: string): Promise<void> {
    called.resolve(['2', id]);
  }

  @Version('4')
  @Task('newer/:id')
  async newer(@Param('id') id: string): Promise<void> {
    called.resolve(['4', id]);
  }
}

async function runs(app: INestApplication): Promise<unknown[]> {
  await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay('a/b');
  return called.promise;
}

test('under a global prefix', async () => {
  const { app } = await startApp({ controllers: [Jobs] }, EMBEDDED, (it) =>
    it.setGlobalPrefix('api/v0'),
  );
  expect(await runs(app)).toEqual(['unversioned', 'a/b']);
});

test("under a module's prefix", async () => {
  @Module({ imports: [TasksModule.forFeature([Jobs])], controllers: [Jobs] })
  class JobsModule {}
  const { app } = await startApp({
    imports: [JobsModule, RouterModule.register([{ path: 'admin', module: JobsModule }])],
  });
  expect(await runs(app)).toEqual(['unversioned', 'a/b']);
});

test.each([
  ['the path', { type: VersioningType.URI }],
  ['a header', { type: VersioningType.HEADER, header: 'X-Api-Version' }],
  ['a media type', { type: VersioningType.MEDIA_TYPE, key: 'v=' }],
] as const)('of several versions, told apart by %s', async (_, versioning) => {
  const controllers = [FirstVersion, SecondVersion];
  const { app } = await startApp({ controllers }, EMBEDDED, (it) =>
    it.enableVersioning(versioning),
  );
  await app.get<Tasks<FirstVersion>>(tasksToken(FirstVersion)).run.delay('x');
  expect(await called.promise).toEqual(['1', 'x']);
  called = Promise.withResolvers();
  const second = app.get<Tasks<SecondVersion>>(tasksToken(SecondVersion));
  await second.run.delay('y');
  expect(await called.promise).toEqual(['2', 'y']);
  called = Promise.withResolvers();
  await second.newer.delay('z');
  expect(await called.promise).toEqual(['4', 'z']);
});

test('of the default version', async () => {
  const { app } = await startApp({ controllers: [Jobs] }, EMBEDDED, (it) =>
    it.enableVersioning({
      type: VersioningType.HEADER,
      header: 'X-Api-Version',
      defaultVersion: '7',
    }),
  );
  expect(await runs(app)).toEqual(['unversioned', 'a/b']);
});

test('but not where another route would take the very path', async () => {
  @Controller('jobs')
  class Shadow {
    @Post('run/special')
    take(@Body() _body: unknown): void {}
  }
  const { app } = await startApp({ controllers: [Shadow, Jobs], features: [Jobs] });
  const tasks = app.get<Tasks<Jobs>>(tasksToken(Jobs));
  await expect(tasks.run.delay('special')).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'Jobs.run: another route takes POST /jobs/run/special: /jobs/run/special.',
  });
  await tasks.run.delay('ordinary');
  expect(await called.promise).toEqual(['unversioned', 'ordinary']);
});

test('through middleware that a module has for the very controller', async () => {
  const seen: string[] = [];
  @Module({ imports: [TasksModule.forFeature([Jobs])], controllers: [Jobs] })
  class JobsModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      const watch = (request: IncomingMessage, _: unknown, next: () => void) => {
        seen.push(request.headers['x-cloudtasks-queuename']?.toString() ?? 'nobody');
        next();
      };
      consumer.apply(watch).forRoutes(Jobs);
    }
  }
  const { app, url } = await startApp({ imports: [JobsModule] });
  expect(await runs(app)).toEqual(['unversioned', 'a/b']);
  expect((await fetch(`${url}/jobs/run/1`, { method: 'POST' })).status).toBe(401);
  expect(seen).toEqual(['default']);
});

test('of a request-scoped controller, by an instance for each task, its own pipes unknown', async () => {
  const instances = new Set<object>();
  @Injectable({ scope: Scope.REQUEST })
  class Loud implements PipeTransform<string, string> {
    transform(text: string): string {
      return text.toUpperCase();
    }
  }
  @TaskController({ path: 'scoped', scope: Scope.REQUEST })
  class Scoped {
    @Task('run/:id')
    async run(@Param('id', Loud) id: string): Promise<void> {
      instances.add(this);
      called.resolve(['scoped', id]);
    }
  }
  const { app } = await startApp({ controllers: [Scoped] });
  const tasks = app.get<Tasks<Scoped>>(tasksToken(Scoped));
  for (const count of [1, 2]) {
    called = Promise.withResolvers();
    await tasks.run.delay('abc');
    expect(await called.promise).toEqual(['scoped', 'ABC']);
    expect(instances.size).toBe(count);
  }
});

test('where Nest sorts the routes before it registers them', async () => {
  @Module({
    imports: [TasksModule.forRoot(EMBEDDED), TasksModule.forFeature([Jobs])],
    controllers: [Jobs],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, {
    logger: new RecordedLog(),
    abortOnError: false,
    routeResolutionStrategy: 'specificity',
    routeConflictPolicy: { duplicate: 'error', shadow: 'error' },
  });
  try {
    await app.listen(0, '127.0.0.1');
    expect(await runs(app)).toEqual(['unversioned', 'a/b']);
  } finally {
    await app.close();
  }
});
