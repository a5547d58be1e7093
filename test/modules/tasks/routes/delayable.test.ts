/** Routes of existing controllers that are called later: as they are, whatever their method. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModuleMetadata } from '@nestjs/common';
import {
  All,
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Search,
  UseGuards,
} from '@nestjs/common';
import type { CloudTasksApi } from '../../../../src/engine/cloud-tasks-api.js';
import { TaskGuard } from '../../../../src/modules/auth/task-guard.js';
import { CLOUD_TASKS } from '../../../../src/modules/cloud-tasks/queue-backend.js';
import { Delayable } from '../../../../src/modules/tasks/routes/delayable.js';
import { TaskContext } from '../../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../../src/modules/tasks/task-decorators.js';
import { TaskProducer } from '../../../../src/modules/tasks/calls/task-producer.js';
import type { Tasks } from '../../../../src/modules/tasks/tasks.js';
import { closeApps, makeApp, startApp } from '../../../support/tasks-app.js';

let called: PromiseWithResolvers<unknown[]>;

@Controller('users')
class Users {
  @Get(':id')
  @Delayable()
  show(@Param('id') id: string, @Query('full') full?: string): void {
    called.resolve(['show', id, full]);
  }

  @Post()
  @HttpCode(201)
  @Delayable({ queue: 'users', dispatchDeadline: '20s' })
  create(@Body() user: unknown): void {
    called.resolve(['create', user]);
  }

  @Delayable()
  @Put(':id')
  replace(@Param('id') id: string, @Body('name') name: string): void {
    called.resolve(['replace', id, name]);
  }

  @Patch(':id')
  @Delayable()
  change(@Param('id') id: string, @Body() change: object): void {
    called.resolve(['change', id, change]);
  }

  @Delete(':id')
  @Delayable()
  remove(@Param('id') id: string, @Headers('X-Reason') reason: string): void {
    called.resolve(['remove', id, reason]);
  }

  @All('any')
  @Delayable()
  any(@Body() body: unknown): void {
    called.resolve(['any', body]);
  }

  @Post('guarded')
  @UseGuards(TaskGuard)
  @Delayable()
  guarded(@Body() body: unknown, @TaskInfo() task: TaskContext): void {
    called.resolve(['guarded', body, task.queue]);
  }

  @Post('ordinary') ordinary(): void {}
}

let users: Tasks<Users>;
let url: string;
let api: CloudTasksApi;
let producer: TaskProducer;

beforeAll(async () => {
  const server = await startApp({ controllers: [Users] });
  ({ url } = server);
  users = server.app.get(tasksToken(Users));
  api = server.app.get<CloudTasksApi>(CLOUD_TASKS);
  producer = server.app.get(TaskProducer);
});
afterAll(closeApps);
beforeEach(() => {
  called = Promise.withResolvers();
});

describe('a route is called later', () => {
  test.each<[string, () => Promise<unknown>, unknown[]]>([
    ['GET', () => users.show.delay('a/b', 'yes'), ['show', 'a/b', 'yes']],
    ['POST', () => users.create.delay({ name: 'Ada' }), ['create', { name: 'Ada' }]],
    ['PUT', () => users.replace.delay('1', 'Ada'), ['replace', '1', 'Ada']],
    ['PATCH', () => users.change.delay('1', { a: [1] }), ['change', '1', { a: [1] }]],
    ['DELETE', () => users.remove.delay('1', 'left'), ['remove', '1', 'left']],
    ['any method', () => users.any.delay(1), ['any', 1]],
    ['its guard', () => users.guarded.delay({}), ['guarded', {}, 'default']],
    ['its name', () => producer.enqueue('Users.create', 1), ['create', 1]],
  ])('by %s', async (_, delay, expected) => {
    await delay();
    expect(await called.promise).toEqual(expected);
  });

  test('with a body as large as a task may be', async () => {
    const text = 'é'.repeat(500_000);
    await users.create.delay({ text });
    expect(await called.promise).toEqual(['create', { text }]);
  });

  test('with the options of its decorator', async () => {
    const { name } = await users.create.options({ countdown: '1h' }).delay({});
    const task = await api.getTask({ name });
    expect(name).toContain('/queues/users/');
    expect(task.httpRequest).toMatchObject({ httpMethod: 'POST', url: `${url}/users` });
  });
});

describe('for everybody else the route stays as it is', () => {
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/users${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
    });

  test('open, also to whoever says that it is a task', async () => {
    expect((await post('', '{"a":1}')).status).toBe(201);
    expect(await called.promise).toEqual(['create', { a: 1 }]);
    called = Promise.withResolvers();
    expect((await post('', '{"a":2}', { 'X-CloudTasks-QueueName': 'users' })).status).toBe(201);
    expect(await called.promise).toEqual(['create', { a: 2 }]);
  });

  test('limited to 100 KB', async () => {
    const large = JSON.stringify('x'.repeat(200_000));
    expect((await post('', large)).status).toBe(413);
    expect((await post('', large, { 'X-CloudTasks-QueueName': 'users' })).status).toBe(413);
  });

  test('closed where its guard says so', async () => {
    expect((await post('/guarded', '{}')).status).toBe(401);
  });

  test('what has no decorator has no delayed call', () => {
    expect(Object.keys(users)).not.toContain('ordinary');
  });
});

describe('is refused at start-up', () => {
  async function problems(parts: ModuleMetadata): Promise<string[]> {
    const app = await makeApp({ ...parts, features: [] });
    const error: unknown = await app.init().catch((reason: unknown) => reason);
    return String((error as { message?: string }).message)
      .split('\n- ')
      .slice(1);
  }

  test('what no task can be', async () => {
    @Controller('bad')
    class Bad {
      @Get('body') @Delayable() body(@Body() _body: object): void {}
      @Delete('field') @Delayable() field(@Body('a') _a: string): void {}
      @Search('search') @Delayable() search(): void {}
      @Delayable() nowhere(): void {}
      @Post('info') @Delayable() info(@TaskInfo() _task: TaskContext): void {}
    }
    expect(await problems({ controllers: [Bad] })).toEqual([
      'Bad.body: argument 1 is @Body(), and no task has one with GET',
      'Bad.field: argument 1 is @Body(), and no task has one with DELETE',
      'Bad.search: no task can have its HTTP method',
      'Bad.nowhere: no route is registered for it; is it overwritten, or not a method of a controller?',
      'Bad.info: it has @TaskInfo, so it needs @UseGuards(TaskGuard), which verifies who calls',
    ]);
  });

  test('two for one path and method, while one for each method is fine', async () => {
    @Controller('same')
    class Same {
      @Get() @Delayable() one(): void {}
      @Post() @Delayable() two(): void {}
    }
    @TaskController('same')
    class Third {
      @Task('') three(): void {}
    }
    expect(await problems({ controllers: [Same] })).toEqual([]);
    expect(await problems({ controllers: [Same, Third] })).toEqual([
      'Third.three: it has the same route as Same.two: POST /same',
    ]);
  });

  test('an unknown option', () => {
    expect(() =>
      Delayable({ quue: 'q' } as object)(Users.prototype, 'x', { value: () => 1 }),
    ).toThrow(/@Delayable of Users\.x: Unknown option 'quue' .* did you mean 'queue'\?/);
    expect(() => Delayable({ maxAttempts: 3 })(Users.prototype, 'x', { value: () => 1 })).toThrow(
      '@Delayable of Users.x: maxAttempts is for handlers of @Task alone.',
    );
    expect(() => Delayable()(Users.prototype, 'then', { value: () => 1 })).toThrow(/'then'/);
    expect(() => Delayable()(Users.prototype, 'x', { value: 1 })).toThrow(/not a method/);
  });
});
