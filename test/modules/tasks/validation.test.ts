/** Arguments are checked at the producer by the app's own pipes, before anything is sent. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication, PipeTransform } from '@nestjs/common';
import {
  Body,
  DefaultValuePipe,
  Headers,
  Injectable,
  Param,
  ParseArrayPipe,
  ParseIntPipe,
  ParseUUIDPipe,
  Query,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Type } from 'class-transformer';
import { IsDate, IsEmail, IsInt, IsOptional, Min, ValidateNested } from 'class-validator';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { Task, TaskController, tasksToken } from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

let called: PromiseWithResolvers<unknown[]>;
beforeEach(() => {
  called = Promise.withResolvers();
});
afterEach(closeApps);

class Address {
  @IsEmail() mail!: string;
}

class Email {
  @ValidateNested() @Type(() => Address) to!: Address;
  @IsOptional() @IsInt() @Min(1) copies?: number;
  @IsOptional() @IsDate() @Type(() => Date) at?: Date;
}

class Page {
  @IsInt() @Min(1) @Type(() => Number) page!: number;
}

@TaskController('checked')
class Checked {
  @Task('body') async body(@Body() email: Email): Promise<void> {
    called.resolve([email]);
  }

  @Task('fields') async fields(
    @Body('one') one: Address,
    @Body('two') two: Address | undefined,
    @Body('three') three?: Address,
  ): Promise<void> {
    called.resolve([one, two, three]);
  }

  @Task('page') async page(@Query() page: Page): Promise<void> {
    called.resolve([page]);
  }

  @Task('number/:id') async number(
    @Param('id') id: number,
    @Query('flag') flag: boolean,
  ): Promise<void> {
    called.resolve([id, flag]);
  }
}

@TaskController('piped')
class Piped {
  @Task('int/:id') async int(@Param('id', ParseIntPipe) id: number): Promise<void> {
    called.resolve([id]);
  }

  @Task('uuid') async uuid(@Query('id', ParseUUIDPipe) id: string): Promise<void> {
    called.resolve([id]);
  }

  @Task('list') async list(
    @Query('list', new ParseArrayPipe({ items: Number })) list: number[],
    @Query('none', new DefaultValuePipe([])) none: string[],
  ): Promise<void> {
    called.resolve([list, none]);
  }

  @Task('field') async field(@Body('count', ParseIntPipe) count: number): Promise<void> {
    called.resolve([count]);
  }

  @UsePipes(new ValidationPipe({ transform: true }))
  @Task('method')
  async method(@Body() email: Email): Promise<void> {
    called.resolve([email]);
  }

  @Task('header') async header(@Headers('X-Count') count: number): Promise<void> {
    called.resolve([count]);
  }
}

/** One that the app has written: it may do anything, also ask a database. */
@Injectable()
class Doubling implements PipeTransform<string, string> {
  static runs = 0;
  transform(value: string): string {
    Doubling.runs++;
    return value + value;
  }
}

@TaskController('own-pipe')
class OwnPipe {
  @Task('x/:text') async x(@Param('text', Doubling) text: string): Promise<void> {
    called.resolve([text]);
  }
}

const address = { mail: 'ada@example.com' };

async function start<Controller extends object>(
  controller: new () => Controller,
  options: Partial<TasksModuleOptions> = {},
  prepare: (app: INestApplication) => void = () => undefined,
) {
  const parts = { controllers: [controller] };
  const { app } = await startApp(parts, { ...EMBEDDED, ...options }, prepare);
  const api = app.get<CloudTasksApi>(CLOUD_TASKS);
  return {
    tasks: app.get<Tasks<Controller>>(tasksToken(controller)),
    /** Fails when anything was sent. */
    expectNothing: async (): Promise<void> => {
      const parent = 'projects/local/locations/us-central1/queues/default';
      expect((await api.listTasks({ parent })).tasks).toEqual([]);
    },
  };
}

const pipe = (app: INestApplication) =>
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));

describe('with a global ValidationPipe that transforms', () => {
  test.each<[string, (tasks: Tasks<Checked>) => Promise<unknown>, string]>([
    [
      'a rule of the DTO',
      (tasks) => tasks.body.delay({ to: address, copies: 0 }),
      'Checked.body, argument 1, @Body(): copies must not be less than 1.',
    ],
    [
      'a nested rule',
      (tasks) => tasks.body.delay({ to: { mail: 'ada' } }),
      'Checked.body, argument 1, @Body(): to.mail must be an email.',
    ],
    [
      'two rules',
      (tasks) => tasks.body.delay({ to: { mail: '' }, copies: 1.5 }),
      'Checked.body, argument 1, @Body(): to.mail must be an email; copies must be an integer number.',
    ],
    [
      'what the pipe strips',
      (tasks) => tasks.body.delay({ to: { ...address, name: 'Ada' } as Address }),
      "Checked.body, argument 1, @Body(): expected what arrives the same by the app's own parsers and pipes, got string at .to.name.",
    ],
    [
      'a rule of a query',
      (tasks) => tasks.page.delay({ page: 0 }),
      'Checked.page, argument 1, @Query(): page must not be less than 1.',
    ],
    [
      'what is no boolean',
      (tasks) => tasks.number.delay(1, 'yes' as never),
      "Checked.number, argument 2, @Query('flag'): expected what arrives the same by the app's own parsers and pipes, got string.",
    ],
  ])('refuses %s', async (_, delay, message) => {
    const { tasks, expectNothing } = await start(Checked, {}, pipe);
    await expect(delay(tasks)).rejects.toMatchObject({
      name: 'CloudTasksError',
      code: 'INVALID_ARGUMENT',
      field: expect.stringMatching(/^arguments\[\d\]/),
      message,
    });
    await expectNothing();
  });

  test('gives numbers, booleans, dates and instances back', async () => {
    const { tasks } = await start(Checked, {}, pipe);
    const email = { to: address, copies: 2, at: new Date('2026-01-02T03:04:05.678Z') };
    await tasks.body.delay(email);
    const [arrived] = (await called.promise) as [Email];
    expect(arrived).toEqual(email);
    expect(arrived).toBeInstanceOf(Email);
    expect(arrived.at).toBeInstanceOf(Date);
    called = Promise.withResolvers();
    await tasks.page.delay({ page: 7 });
    expect(await called.promise).toEqual([{ page: 7 }]);
    called = Promise.withResolvers();
    await tasks.number.delay(-1.5, false);
    expect(await called.promise).toEqual([-1.5, false]);
  });

  test('an instance of the DTO is as good as its fields', async () => {
    const { tasks } = await start(Checked, {}, pipe);
    const email = Object.assign(new Email(), { to: Object.assign(new Address(), address) });
    await tasks.body.delay(email);
    expect(await called.promise).toEqual([email]);
  });
});

describe('with no ValidationPipe', () => {
  test('the rules of a DTO hold all the same', async () => {
    const { tasks, expectNothing } = await start(Checked);
    await expect(tasks.body.delay({ to: { mail: 'ada' } })).rejects.toThrow(
      'Checked.body, argument 1, @Body(): to.mail must be an email.',
    );
    await expectNothing();
    await tasks.body.delay({ to: address, at: new Date(0) });
    expect(await called.promise).toEqual([{ to: address, at: '1970-01-01T00:00:00.000Z' }]);
  });

  test('also those of a field of a body, where one is given', async () => {
    const { tasks } = await start(Checked);
    await expect(tasks.fields.delay({ mail: 'ada' }, undefined)).rejects.toThrow(
      "Checked.fields, argument 1, @Body('one'): mail must be an email.",
    );
    await expect(tasks.fields.delay(address, undefined, { mail: 'x' })).rejects.toThrow(
      "Checked.fields, argument 3, @Body('three'): mail must be an email.",
    );
    await tasks.fields.delay(address, undefined);
    expect(await called.promise).toEqual([address, undefined, undefined]);
  });

  test('a number that would arrive as text is refused, with what helps', async () => {
    const { tasks, expectNothing } = await start(Checked);
    await expect(tasks.number.delay(1, true)).rejects.toThrow(
      "Checked.number, argument 1, @Param('id'): expected a string, or a pipe that makes this number of its text again, got a number.",
    );
    await expect(tasks.page.delay({ page: 1 })).rejects.toThrow(/got a number at \.page/);
    const piped = await start(Piped);
    await expect(piped.tasks.header.delay(1)).rejects.toThrow(/'X-Count'\): expected a string/);
    await expectNothing();
  });
});

describe('with pipes of Nest on the parameter', () => {
  test.each<[string, (tasks: Tasks<Piped>) => Promise<unknown>, string | RegExp]>([
    [
      'what the pipe refuses',
      (tasks) => tasks.uuid.delay('42'),
      "Piped.uuid, argument 1, @Query('id'): Validation failed (uuid is expected).",
    ],
    [
      'undefined where the pipe wants a value',
      (tasks) => tasks.uuid.delay(undefined as never),
      /^Piped\.uuid, argument 1, @Query\('id'\): The value passed as UUID/,
    ],
    [
      'a fraction that the pipe would cut off',
      (tasks) => tasks.int.delay(1.5),
      /^Piped\.int, argument 1, @Param\('id'\): Validation failed \(numeric string is expected\)/,
    ],
    [
      'a field that is missing',
      (tasks) => (tasks.field.delay as () => Promise<unknown>)(),
      /^Piped\.field, argument 1, @Body\('count'\): Validation failed/,
    ],
    [
      'a rule of the DTO, by a pipe of the method',
      (tasks) => tasks.method.delay({ to: { mail: '' } }),
      'Piped.method, argument 1, @Body(): to.mail must be an email.',
    ],
    [
      'a list that is no list of numbers',
      (tasks) => tasks.list.delay(['x'] as never, []),
      /^Piped\.list, argument 1, @Query\('list'\): .*number/,
    ],
  ])('refuses %s', async (_, delay, message) => {
    const { tasks, expectNothing } = await start(Piped);
    await expect(delay(tasks)).rejects.toThrow(message);
    await expectNothing();
  });

  test.each([[[1]], [[1, 2.5]], [[-1, 0, 1e21]]])('gives the list %j back', async (list) => {
    const { tasks } = await start(Piped);
    await tasks.list.delay(list, []);
    expect(await called.promise).toEqual([list, []]);
  });

  test('a default takes the place of undefined, which is left out', async () => {
    const { tasks } = await start(Piped);
    await tasks.list.delay([1], undefined as never);
    expect(await called.promise).toEqual([[1], []]);
  });
});

describe("a pipe of the app's own", () => {
  test("is not run before its time, so it isn't known what arrives", async () => {
    Doubling.runs = 0;
    const { tasks } = await start(OwnPipe);
    await tasks.x.delay('ab');
    expect(await called.promise).toEqual(['abab']);
    expect(Doubling.runs).toBe(1);
  });

  test('a ValidationPipe that the app extends and provides is its own, but known', async () => {
    @Injectable()
    class Strict extends ValidationPipe {
      constructor() {
        super({ transform: true, forbidNonWhitelisted: true, whitelist: true });
      }
    }
    const { app } = await startApp({
      controllers: [Checked],
      providers: [{ provide: APP_PIPE, useClass: Strict }],
    });
    const tasks = app.get<Tasks<Checked>>(tasksToken(Checked));
    await expect(tasks.body.delay({ to: address, cc: 1 } as Email)).rejects.toThrow(
      'Checked.body, argument 1, @Body(): property cc should not exist.',
    );
  });
});

describe('validate: false', () => {
  test('of one call sends what may be refused at its delivery', async () => {
    const { tasks } = await start(Checked);
    await tasks.body.options({ validate: false }).delay({ to: { mail: 'ada' } });
    expect(await called.promise).toEqual([{ to: { mail: 'ada' } }]);
    called = Promise.withResolvers();
    await tasks.number.options({ validate: false }).delay(5, true);
    expect(await called.promise).toEqual(['5', 'true']);
  });

  test('of all, which one call may turn on again', async () => {
    const { tasks } = await start(Checked, { validate: false });
    await tasks.body.delay({ to: { mail: 'ada' } });
    await called.promise;
    const checked = tasks.body.options({ validate: true });
    await expect(checked.delay({ to: { mail: 'ada' } })).rejects.toThrow(/must be an email/);
  });

  test('but what HTTP and JSON can not carry is refused all the same', async () => {
    const { tasks } = await start(Checked, { validate: false });
    await expect(tasks.body.delay({ to: 1n } as never)).rejects.toThrow(/got bigint at \.to/);
  });
});
