/** What can't work is refused at start-up, by the names of class, method and argument. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ModuleMetadata, Type } from '@nestjs/common';
import {
  Body,
  Controller,
  Cookies,
  createParamDecorator,
  Headers,
  HostParam,
  Injectable,
  Ip,
  Module,
  Next,
  Param,
  Post,
  Query,
  RawBody,
  Req,
  Res,
  Scope,
  Session,
  SignedCookies,
  UploadedFile,
  UploadedFiles,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  InjectTasks,
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import { Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, makeApp, RecordedLog } from '../../support/tasks-app.js';

afterEach(closeApps);

const Custom = createParamDecorator(() => 'anything');

@TaskController('parameters/:id')
class Parameters {
  @Task('whole-param') wholeParam(@Param('id') _id: string, @Param() _all: object): void {}
  @Task('missing') missing(@Body() _body: object): void {}
  @Task('misspelt') misspelt(@Param('id') _id: string, @Param('uid') _uid: string): void {}
  @Task('twice') twice(@Param('id') _one: string, @Param('id') _two: string): void {}
}

@TaskController('sources')
class Sources {
  @Task('req') req(@Req() _request: object): void {}
  @Task('res') res(@Res() _response: object): void {}
  @Task('next') next(@Next() _next: object): void {}
  @Task('ip') ip(@Ip() _ip: string): void {}
  @Task('session') session(@Session() _session: object): void {}
  @Task('host') host(@HostParam('h') _host: string): void {}
  @Task('file') file(@UploadedFile() _file: object): void {}
  @Task('files') files(@UploadedFiles() _files: object): void {}
  @Task('raw') raw(@RawBody() _body: Buffer): void {}
  @Task('custom') custom(@Body() _body: object, @Custom() _custom: string): void {}
  @Task('signed') signed(@SignedCookies('a') _cookie: string): void {}
  @Task('headers') headers(@Headers() _headers: object): void {}
  @Task('authorization') authorization(@Headers('Authorization') _token: string): void {}
  @Task('queue') queue(@Headers('x-cloudtasks-queuename') _queue: string): void {}
  @Task('odd') odd(@Headers('a b') _header: string): void {}
  @Task('inherited') inherited(@Body('constructor') _field: string): void {}
}

@TaskController('collisions')
class Collisions {
  @Task('bodies') bodies(@Body() _one: object, @Body() _two: object): void {}
  @Task('field') field(@Body('a') _one: string, @Body() _two: object): void {}
  @Task('query') query(@Query() _one: object, @Query('a') _two: string): void {}
  @Task('header') header(@Headers('X-Id') _one: string, @Headers('x-id') _two: string): void {}
  @Task('cookie') cookie(@Cookies() _one: object, @Cookies('a') _two: string): void {}
  @Task('raw') raw(@Headers('Cookie') _one: string, @Cookies('a') _two: string): void {}
  @Task('both') both(@Body('a') @Query('a') _one: string): void {}
  @Task('plain') plain(@Body() _one: object, _two: string): void {}
  @Task('default') default(@Body() _one: object, _two = 'x'): void {}
  @Task('first') first(@TaskInfo() _task: TaskContext, @Body() _body: object): void {}
}

@TaskController('paths')
class Paths {
  @Task('*rest') wildcard(): void {}
  @Task('a{/:b}') optional(): void {}
  @Task('ü') umlaut(): void {}
}

@TaskController('same')
class Same {
  @Task('path') one(): void {}
  @Task('path') two(): void {}
}

@Controller('same')
class Before {
  @Post('path') taken(): void {}
}

@TaskController('options', { dispatchDeadline: '20m' })
class Options {
  @Task('fine', { target: 'app-engine', dispatchDeadline: '2h' }) fine(): void {}
  @Task('long', { dispatchDeadline: '2h' }) long(): void {}
}

abstract class Base {
  @Task('shared') shared(): void {}
}
@TaskController('one')
class FirstHeir extends Base {}
@TaskController('two')
class SecondHeir extends Base {}

/** The lines of the error that the app doesn't start with. */
async function problems(parts: ModuleMetadata & { features?: Type<object>[] }): Promise<string[]> {
  const app = await makeApp(parts);
  const error: unknown = await app.init().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { message = '' } = (error ?? {}) as { message?: string };
  expect(message).toMatch(/^TasksModule can't start\.\n/);
  return message.split('\n- ').slice(1);
}

describe('handlers', () => {
  test('whose path parameters are not all there', async () => {
    expect(await problems({ controllers: [Parameters] })).toEqual([
      'Parameters.wholeParam: argument 2 is @Param() without a name',
      "Parameters.missing: no argument fills ':id' of /parameters/:id/missing; add @Param('id')",
      "Parameters.misspelt: @Param('uid') is not in its path /parameters/:id/misspelt",
      'Parameters.twice: arguments 1 and 2 read the same part',
    ]);
  });

  test('with parameters that no request can be rebuilt for', async () => {
    expect(await problems({ controllers: [Sources] })).toEqual([
      "Sources.req: argument 1 is @Req, which can't be rebuilt",
      "Sources.res: argument 1 is @Res, which can't be rebuilt",
      "Sources.next: argument 1 is @Next, which can't be rebuilt",
      "Sources.ip: argument 1 is @Ip, which can't be rebuilt",
      "Sources.session: argument 1 is @Session, which can't be rebuilt",
      "Sources.host: argument 1 is @HostParam, which can't be rebuilt",
      "Sources.file: argument 1 is @UploadedFile, which can't be rebuilt",
      "Sources.files: argument 1 is @UploadedFiles, which can't be rebuilt",
      "Sources.raw: argument 1 is @RawBody, which can't be rebuilt",
      "Sources.custom: argument 2 is of a custom decorator, which can't be rebuilt",
      "Sources.signed: argument 1 is @SignedCookies, which can't be rebuilt",
      'Sources.headers: argument 1 is @Headers() without a name',
      "Sources.authorization: argument 1 is @Headers('Authorization'), which the sender sets; see @TaskInfo",
      "Sources.queue: argument 1 is @Headers('x-cloudtasks-queuename'), which the sender sets; see @TaskInfo",
      "Sources.odd: argument 1 is @Headers('a b'), which is no name of a header",
      "Sources.inherited: argument 1 is @Body('constructor'), which every object has",
    ]);
  });

  test('with parameters that get in the way of each other', async () => {
    expect(await problems({ controllers: [Collisions] })).toEqual([
      'Collisions.bodies: arguments 1 and 2 read the same part',
      'Collisions.field: arguments 2 and 1 read the same part',
      'Collisions.query: arguments 1 and 2 read the same part',
      'Collisions.header: arguments 1 and 2 read the same part',
      'Collisions.cookie: arguments 1 and 2 read the same part',
      'Collisions.raw: arguments 1 and 2 read the same part',
      'Collisions.both: argument 1 has two decorators',
      'Collisions.plain: argument 2 has no decorator',
      'Collisions.default: argument 2 has no decorator',
      'Collisions.first: @TaskInfo must be the last parameter, not argument 1',
    ]);
  });

  test('with paths that .delay could not fill in', async () => {
    expect(await problems({ controllers: [Paths] })).toEqual([
      "Paths.wildcard: its path /paths/*rest has a wildcard or an optional part, which can't be filled in",
      "Paths.optional: its path /paths/a{/:b} has a wildcard or an optional part, which can't be filled in",
      'Paths.umlaut: its path /paths/ü has characters that no URL has',
    ]);
  });

  test('two for one path', async () => {
    expect(await problems({ controllers: [Same] })).toEqual([
      'Same.two: it has the same route as Same.one: POST /same/path',
    ]);
  });

  test('whose path another route takes', async () => {
    @TaskController('same')
    class After {
      @Task('path') path(): void {}
    }
    expect(await problems({ controllers: [Before, After], features: [After] })).toEqual([
      'After.path: another route takes POST /same/path: /same/path',
    ]);
  });

  test('with options that do not go together', async () => {
    expect(await problems({ controllers: [Options] })).toEqual([
      "Options.long: dispatchDeadline: expected at most '30m' for an HTTP target, got '7200s'.",
    ]);
  });

  test('of a controller that is registered twice', async () => {
    @Module({ controllers: [FirstHeir] })
    class Other {}
    expect(await problems({ controllers: [FirstHeir], imports: [Other] })).toContain(
      'FirstHeir.shared: its controller is registered twice',
    );
  });

  test('that two controllers inherit', async () => {
    expect(await problems({ controllers: [FirstHeir, SecondHeir] })).toContain(
      'SecondHeir.shared: it is inherited, and FirstHeir.shared is the same method',
    );
  });

  test("whose version only the app's own code can tell", async () => {
    @TaskController({ path: 'versioned', version: '2' })
    class Versioned {
      @Task('x') x(): void {}
    }
    const app = await makeApp({ controllers: [Versioned] });
    app.enableVersioning({ type: VersioningType.CUSTOM, extractor: () => '2' });
    await expect(app.init()).rejects.toThrow(
      /Versioned\.x: its version is picked by the app's own/,
    );
  });
});

describe('modules', () => {
  test('a feature whose controller no module has', async () => {
    const app = await makeApp({ controllers: [], features: [FirstHeir] });
    await expect(app.init()).rejects.toThrow(
      'TasksModule.forFeature: FirstHeir is not among the controllers of any module.',
    );
  });

  test('a feature without handlers', async () => {
    await expect(makeApp({ controllers: [Before] })).rejects.toThrow(
      'TasksModule.forFeature: Before has no @Task and no @Delayable.',
    );
  });

  test('a task controller without TasksModule: nothing would verify who calls', async () => {
    @Module({ controllers: [FirstHeir] })
    class Unguarded {}
    const options = { logger: new RecordedLog(), abortOnError: false };
    await expect(NestFactory.create(Unguarded, options)).rejects.toThrow(/TaskAuthenticator/);
  });
});

describe('decorators', () => {
  test('an unknown option, with the one that was meant', () => {
    expect(() => Task('x', { quue: 'q' } as object)({}, 'send', { value: () => 1 })).toThrow(
      "@Task of Object.send: Unknown option 'quue' of a task; did you mean 'queue'?",
    );
    expect(() => TaskController('x', { scheduleTime: 1 } as object)(FirstHeir)).toThrow(
      /@TaskController of FirstHeir: Unknown option 'scheduleTime'/,
    );
  });

  test('a handler that would make its delayed calls look like a promise', () => {
    expect(() => Task('x')({}, 'then', { value: () => 1 })).toThrow(/can't be called 'then'/);
  });
});

test('a request-scoped controller works, and delayed calls are plain frozen objects', async () => {
  @Injectable()
  @TaskController({ path: 'scoped', scope: Scope.REQUEST })
  class Scoped {
    constructor(@InjectTasks(Scoped) private readonly tasks: Tasks<Scoped>) {}
    @Task('x') async x(): Promise<void> {
      await this.tasks.x.delay();
    }
  }
  const app = await makeApp({ controllers: [Scoped] });
  await app.init();
  const tasks = app.get<Tasks<Scoped>>(tasksToken(Scoped));
  expect(Object.keys(tasks)).toEqual(['x']);
  expect(Object.isFrozen(tasks) && Object.isFrozen(tasks.x)).toBe(true);
  expect('then' in tasks).toBe(false);
});
