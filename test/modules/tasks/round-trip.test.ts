/** What `.delay` is given arrives equal through the real HTTP stack, or is refused beforehand. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Body,
  Cookies,
  Headers,
  Param,
  ParseArrayPipe,
  ParseBoolPipe,
  ParseFloatPipe,
  ParseIntPipe,
  Query,
} from '@nestjs/common';
import fc from 'fast-check';
import type { CloudTasksError } from '../../../src/engine/errors.js';
import type { EngineEvent } from '../../../src/engine/ports.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

let arrived: PromiseWithResolvers<unknown[]>;

@TaskController('round-trip')
class Handlers {
  @Task('path/:name/at/:place')
  async path(@Param('place') place: string, @Param('name') name: string): Promise<void> {
    arrived.resolve([place, name]);
  }

  @Task('query')
  async query(
    @Query('text') text: string | undefined,
    @Query('list') list: string[] | undefined,
  ): Promise<void> {
    arrived.resolve([text, list]);
  }

  @Task('whole-query')
  async wholeQuery(@Query() query: Record<string, string | string[]>): Promise<void> {
    arrived.resolve([{ ...query }]);
  }

  @Task('headers')
  async headers(
    @Headers('X-Request-Id') id: string | undefined,
    @Headers('accept-language') language: string | undefined,
  ): Promise<void> {
    arrived.resolve([id, language]);
  }

  @Task('cookies')
  async cookies(
    @Cookies('session') session: string | undefined,
    @Cookies('count', ParseIntPipe) count: number,
  ): Promise<void> {
    arrived.resolve([session, count]);
  }

  @Task('all-cookies')
  async allCookies(@Cookies() cookies: Record<string, string>): Promise<void> {
    arrived.resolve([{ ...cookies }]);
  }

  @Task('body')
  async body(@Body() body: unknown, @TaskInfo() _task: TaskContext): Promise<void> {
    arrived.resolve([body]);
  }

  @Task('fields')
  async fields(@Body('one') one: unknown, @Body('two') two: unknown): Promise<void> {
    arrived.resolve([one, two]);
  }

  @Task('piped/:number')
  async piped(
    @Param('number', ParseFloatPipe) number: number,
    @Query('flag', ParseBoolPipe) flag: boolean,
    @Query('list', ParseArrayPipe) list: string[],
  ): Promise<void> {
    arrived.resolve([number, flag, list]);
  }
}

let tasks: Tasks<Handlers>;

beforeAll(async () => {
  const { app } = await startApp(
    { controllers: [Handlers] },
    { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent: failWhereRefused } },
  );
  tasks = app.get(tasksToken(Handlers));
});
afterAll(closeApps);

/** A delivery that the handler never saw would be waited for in vain. */
function failWhereRefused(event: EngineEvent): void {
  if (event.type !== 'attempt' || event.retryTime === undefined) return;
  arrived.reject(new Error(`The delivery failed: ${JSON.stringify(event.result)}`));
}

/** The arguments that the handler was called with. */
async function delivered(delay: () => Promise<unknown>): Promise<unknown[]> {
  arrived = Promise.withResolvers();
  await delay();
  return arrived.promise;
}

const runs = { numRuns: 60 };
/** Short enough that any few of them fit into a URL. */
const text = fc.string({ unit: 'binary', maxLength: 15 });
const segment = text.filter((value) => value !== '' && value !== '.' && value !== '..');
const headerValue = fc
  .string({
    unit: fc.constantFrom(...' \tabcxyzABC0129-_.,;:!"\'()[]{}<>@/\\?=+*&%$#~^|`'),
    maxLength: 200,
  })
  .map((value) => value.trim());

describe('arrives equal', () => {
  test('in a path', async () => {
    await fc.assert(
      fc.asyncProperty(segment, segment, async (place, name) => {
        expect(await delivered(() => tasks.path.delay(place, name))).toEqual([place, name]);
      }),
      runs,
    );
  });

  test('in a query', async () => {
    const list = fc.array(text, { minLength: 2, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(
        fc.option(text, { nil: undefined }),
        fc.option(list, { nil: undefined }),
        async (one, many) => {
          expect(await delivered(() => tasks.query.delay(one, many))).toEqual([one, many]);
        },
      ),
      runs,
    );
  });

  test('in a whole query', async () => {
    const value = fc.oneof(text, fc.array(text, { minLength: 2, maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(text, value, { maxKeys: 3 }), async (query) => {
        expect(await delivered(() => tasks.wholeQuery.delay(query))).toEqual([{ ...query }]);
      }),
      runs,
    );
  });

  test('in headers', async () => {
    const value = fc.option(headerValue, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(value, value, async (id, language) => {
        expect(await delivered(() => tasks.headers.delay(id, language))).toEqual([id, language]);
      }),
      runs,
    );
  });

  test('in cookies', async () => {
    const plain = text.filter((value) => !value.startsWith('j:'));
    const name = fc.string({
      unit: fc.constantFrom(...'azAZ09-_.!#$'),
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.option(plain, { nil: undefined }),
        fc.integer(),
        async (session, count) => {
          expect(await delivered(() => tasks.cookies.delay(session, count))).toEqual([
            session,
            count,
          ]);
        },
      ),
      runs,
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, plain, { maxKeys: 4 }), async (cookies) => {
        expect(await delivered(() => tasks.allCookies.delay(cookies))).toEqual([{ ...cookies }]);
      }),
      runs,
    );
  });

  test('in a body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), async (value) => {
        expect(await delivered(() => tasks.body.delay(value))).toEqual([
          JSON.parse(JSON.stringify(value)),
        ]);
      }),
      runs,
    );
  });

  test('in fields of a body', async () => {
    const field = fc.option(fc.jsonValue({ maxDepth: 3 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(field, field, async (one, two) => {
        const copy = (value: unknown) =>
          value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
        expect(await delivered(() => tasks.fields.delay(one, two))).toEqual([copy(one), copy(two)]);
      }),
      runs,
    );
  });

  test('through pipes', async () => {
    const item = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(
        fc
          .double({ noNaN: true, noDefaultInfinity: true })
          .filter((number) => !Object.is(number, -0)),
        fc.boolean(),
        fc.array(item, { minLength: 2, maxLength: 5 }),
        async (number, flag, list) => {
          expect(await delivered(() => tasks.piped.delay(number, flag, list))).toEqual([
            number,
            flag,
            list,
          ]);
        },
      ),
      runs,
    );
  });

  test('dates as text, a list of one where a pipe makes it one again', async () => {
    const date = new Date('2026-02-03T04:05:06.789Z');
    expect(await delivered(() => tasks.body.delay({ date }))).toEqual([
      { date: date.toISOString() },
    ]);
    expect(await delivered(() => tasks.piped.delay(1, true, ['x']))).toEqual([1, true, ['x']]);
  });
});

describe('is refused before anything is sent', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = { circle };
  const deep = JSON.parse('['.repeat(65) + ']'.repeat(65)) as unknown;
  const sparse = [1, , 2]; // eslint-disable-line no-sparse-arrays -- a hole is what is tested

  test.each<[string, () => Promise<unknown>, field: string]>([
    ['an empty segment', () => tasks.path.delay('', 'x'), 'arguments[0]'],
    ['a dot', () => tasks.path.delay('x', '.'), 'arguments[1]'],
    ['two dots', () => tasks.path.delay('..', 'x'), 'arguments[0]'],
    ['a lone surrogate in a path', () => tasks.path.delay('\ud800', 'x'), 'arguments[0]'],
    ['undefined in a path', () => tasks.path.delay(undefined as never, 'x'), 'arguments[0]'],
    ['an object in a path', () => tasks.path.delay({} as never, 'x'), 'arguments[0]'],
    ['NaN in a path', () => tasks.piped.delay(NaN, true, ['a', 'b']), 'arguments[0]'],
    ['an empty list in a query', () => tasks.query.delay('x', []), 'arguments[1]'],
    ['a list of one in a query', () => tasks.query.delay('x', ['y']), 'arguments[1]'],
    ['a lone surrogate in a query', () => tasks.query.delay('\udc00', undefined), 'arguments[0]'],
    ['null in a query', () => tasks.query.delay(null as never, undefined), 'arguments[0]'],
    ['a nested list in a query', () => tasks.query.delay('x', [[1], 2] as never), 'arguments[1]'],
    [
      'more than a query parser takes',
      () => tasks.query.delay('x', Array(1_001).fill('y') as string[]),
      'arguments[1]',
    ],
    ['a text for a whole query', () => tasks.wholeQuery.delay('x' as never), 'arguments[0]'],
    ['an empty list in a whole query', () => tasks.wholeQuery.delay({ a: [] }), 'arguments[0].a'],
    ['a padded header', () => tasks.headers.delay(' x', undefined), 'arguments[0]'],
    ['a line break in a header', () => tasks.headers.delay('x', 'a\r\nB: c'), 'arguments[1]'],
    ['more than ASCII in a header', () => tasks.headers.delay('é', undefined), 'arguments[0]'],
    ['a list in a header', () => tasks.headers.delay(['x'] as never, undefined), 'arguments[0]'],
    [
      'more headers than servers take',
      () => tasks.headers.delay('x'.repeat(8_000), 'y'.repeat(200)),
      'arguments[1]',
    ],
    ['a cookie that parsers take for JSON', () => tasks.cookies.delay('j:1', 1), 'arguments[0]'],
    ['a lone surrogate in a cookie', () => tasks.cookies.delay('\ud800', 1), 'arguments[0]'],
    ['a cookie that its pipe refuses', () => tasks.cookies.delay('x', 1.5), 'arguments[1]'],
    ['a name that no cookie has', () => tasks.allCookies.delay({ 'a b': 'x' }), 'arguments[0].a b'],
    ['an undefined body', () => tasks.body.delay(undefined), 'arguments[0]'],
    ['a function', () => tasks.body.delay({ a: [() => 1] }), 'arguments[0].a[0]'],
    ['a symbol', () => tasks.body.delay({ a: Symbol('x') }), 'arguments[0].a'],
    ['a BigInt', () => tasks.body.delay({ a: { b: 1n } }), 'arguments[0].a.b'],
    ['NaN', () => tasks.body.delay([NaN]), 'arguments[0][0]'],
    ['a circle', () => tasks.body.delay(circle), 'arguments[0].self.circle'],
    ['undefined in a list', () => tasks.body.delay([undefined]), 'arguments[0][0]'],
    ['a hole in a list', () => tasks.body.delay(sparse), 'arguments[0][1]'],
    ['a Map', () => tasks.body.delay({ a: new Map() }), 'arguments[0].a'],
    ['bytes', () => tasks.body.delay({ a: Buffer.from('x') }), 'arguments[0].a'],
    ['a promise', () => tasks.body.delay(Promise.resolve(1)), 'arguments[0]'],
    ['an invalid date', () => tasks.body.delay({ at: new Date(NaN) }), 'arguments[0].at'],
    ['deeper than 64 levels', () => tasks.body.delay(deep), `arguments[0]${'[0]'.repeat(64)}`],
    [
      'an argument too many',
      () => (tasks.path.delay as (...args: string[]) => Promise<unknown>)('a', 'b', 'c'),
      'arguments[2]',
    ],
    [
      'a URL that is too long',
      () => tasks.path.delay('x'.repeat(1_000), 'é'.repeat(200)),
      'task.httpRequest.url',
    ],
    ['a task that is too large', () => tasks.body.delay('x'.repeat(1024 * 1024)), 'task'],
  ])('%s', async (_, delay, field) => {
    const error = (await delay().catch((reason: unknown) => reason)) as CloudTasksError;
    expect(error).toMatchObject({ name: 'CloudTasksError', code: 'INVALID_ARGUMENT', field });
    // The class, the method and the argument.
    const named = field.startsWith('arguments')
      ? /^Handlers\.\w+(, argument \d, @\w+\(.*\):| takes) /
      : /^Handlers\.\w+: The arguments make .*; the largest is argument \d, @\w+\(.*\)/;
    expect(error.message).toMatch(named);
  });

  test('with words that say what to do', async () => {
    await expect(tasks.path.delay('a', '..')).rejects.toThrow(
      "Handlers.path, argument 2, @Param('name'): expected a text that arrives the same in this path, got '..'.",
    );
    await expect(tasks.body.delay({ to: { send: () => 1 } })).rejects.toThrow(
      'Handlers.body, argument 1, @Body(): expected a value that JSON has, got function at .to.send.',
    );
  });
});
