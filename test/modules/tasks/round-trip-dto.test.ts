/** Random arguments arrive equal in an app that has everything: prefixes, versions, DTOs, pipes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { INestApplication, VersioningOptions } from '@nestjs/common';
import {
  Body,
  Controller,
  Headers,
  Module,
  Param,
  ParseArrayPipe,
  ParseDatePipe,
  Patch,
  Query,
  UseGuards,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { RouterModule } from '@nestjs/core';
import { Expose, Transform, Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsDate,
  IsIn,
  IsNumber,
  IsOptional,
  IsString,
  ValidateNested,
} from 'class-validator';
import fc from 'fast-check';
import type { EngineEvent } from '../../../src/engine/ports.js';
import { TaskGuard } from '../../../src/modules/auth/task-guard.js';
import { Delayable } from '../../../src/modules/tasks/routes/delayable.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { TasksModule } from '../../../src/modules/tasks/tasks.module.js';
import { closeApps, EMBEDDED, startApp } from '../../support/tasks-app.js';

let arrived: PromiseWithResolvers<unknown[]>;

class Line {
  @IsString() text!: string;
  @IsNumber() price!: number;
}

class Order {
  @IsString() id!: string;
  @IsDate() @Type(() => Date) at!: Date;
  /** Seconds on the wire, under another name. */
  @Expose({ name: 'due_at' })
  @Transform(({ value }) => new Date((value as number) * 1000), { toClassOnly: true })
  @Transform(({ value }) => (value as Date).getTime() / 1000, { toPlainOnly: true })
  @IsDate()
  due!: Date;
  @IsArray() @ValidateNested({ each: true }) @Type(() => Line) lines!: Line[];
  @IsOptional() @IsString() note?: string;
}

class Range {
  @IsString() from!: string;
  @IsIn(['a', 'b']) kind!: string;
}

class Filter {
  @IsString() word!: string;
  @IsOptional() @IsNumber() @Type(() => Number) page?: number;
  @IsArray() @IsString({ each: true }) tags!: string[];
  @IsOptional() @ValidateNested() @Type(() => Range) range?: Range;
}

class Settings {
  @IsBoolean() loud!: boolean;
}

@TaskController({ path: 'orders/:shop', version: '2' }, { queue: 'orders' })
class Orders {
  @Task('place/:number')
  async place(
    @Headers('X-Request-Id') request: string | undefined,
    @Param('number') number: number,
    @Body() order: Order,
    @Param('shop') shop: string,
    @Query('sure') sure: boolean,
    @Query('tags') tags: string[],
    @TaskInfo() _task: TaskContext,
  ): Promise<void> {
    arrived.resolve([request, number, order, shop, sure, tags]);
  }

  @Task('find')
  async find(@Param('shop') shop: string, @Query() filter: Filter): Promise<void> {
    arrived.resolve([shop, filter]);
  }

  @Task('several')
  async several(
    @Param('shop') shop: string,
    @Body('first') first: Line,
    @Body('settings') settings: Settings,
    @Body('words') words: string[] | undefined,
    @Query('on', ParseDatePipe) on: Date,
    @Query('numbers', new ParseArrayPipe({ items: Number })) numbers: number[],
    @Query('range') range: Record<string, string>,
  ): Promise<void> {
    arrived.resolve([shop, first, settings, words, on, numbers, range]);
  }
}

@Controller({ path: 'plain', version: '1' })
class Plain {
  @Patch(':id')
  @UseGuards(TaskGuard)
  @Delayable()
  change(@Param('id') id: string, @Body() change: Order): void {
    arrived.resolve([id, change]);
  }
}

@Module({
  imports: [TasksModule.forFeature([Orders, Plain])],
  controllers: [Orders, Plain],
})
class ShopModule {}

/** A delivery that the handler never saw would be waited for in vain. */
function failWhereRefused(event: EngineEvent): void {
  if (event.type !== 'attempt' || event.result.kind !== 'response') return;
  if (event.result.status !== 200) arrived.reject(new Error(`Answered ${event.result.status}.`));
}

async function start(versioning: VersioningOptions): Promise<INestApplication> {
  const { app } = await startApp(
    { imports: [ShopModule, RouterModule.register([{ path: 'shop', module: ShopModule }])] },
    { ...EMBEDDED, engine: { ...EMBEDDED.engine, onEvent: failWhereRefused } },
    (it) => {
      it.setGlobalPrefix('api');
      it.enableVersioning(versioning);
      it.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
      (it as NestExpressApplication).set('query parser', 'extended');
    },
  );
  return app;
}

async function delivered(delay: () => Promise<unknown>): Promise<unknown[]> {
  arrived = Promise.withResolvers();
  await delay();
  return arrived.promise;
}

const text = fc.string({ unit: 'binary', maxLength: 12 });
const segment = text.filter((value) => value !== '' && value !== '.' && value !== '..');
const number = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (value === 0 ? 0 : value));
const date = fc.date({ noInvalidDate: true });
const second = fc.integer({ min: 0, max: 4e9 }).map((seconds) => new Date(seconds * 1000));
const line = fc.record({ text, price: number });
const order: fc.Arbitrary<Order> = fc.record(
  { id: text, at: date, due: second, lines: fc.array(line, { maxLength: 3 }), note: text },
  { requiredKeys: ['id', 'at', 'due', 'lines'] },
);
const header = fc
  .string({ unit: fc.constantFrom(...'azAZ09-_.,;:/?=+& '), maxLength: 20 })
  .map((value) => value.trim());
const words = fc.array(text, { minLength: 1, maxLength: 4 });
const runs = { numRuns: 40 };

describe.each<[string, VersioningOptions]>([
  ['in the path', { type: VersioningType.URI }],
  ['in a header', { type: VersioningType.HEADER, header: 'X-Version' }],
])('with a version %s, a global prefix and that of a module', (_, versioning) => {
  let orders: Tasks<Orders>;
  let plain: Tasks<Plain>;

  beforeAll(async () => {
    const app = await start(versioning);
    orders = app.get(tasksToken(Orders), { strict: false });
    plain = app.get(tasksToken(Plain), { strict: false });
  });
  afterAll(closeApps);

  test('a header, two path parameters, a DTO, a boolean and a list', async () => {
    const request = fc.option(header, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(request, number, order, segment, fc.boolean(), words),
        async (args) => {
          expect(await delivered(() => orders.place.delay(...args))).toEqual(args);
        },
      ),
      runs,
    );
  });

  test('a DTO of a query: numbers, lists of one and more, objects', async () => {
    const range = fc.record({ from: text, kind: fc.constantFrom('a', 'b') });
    const filter: fc.Arbitrary<Filter> = fc.record(
      { word: text, page: number, tags: words, range },
      { requiredKeys: ['word', 'tags'] },
    );
    await fc.assert(
      fc.asyncProperty(segment, filter, async (shop, value) => {
        expect(await delivered(() => orders.find.delay(shop, value))).toEqual([shop, value]);
      }),
      runs,
    );
  });

  test('several DTOs in fields of a body, a date, numbers and an object in a query', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(
          segment,
          line,
          fc.record({ loud: fc.boolean() }),
          fc.option(fc.array(text), { nil: undefined }),
          date,
          fc.array(number, { minLength: 1, maxLength: 5 }),
          fc.record({ from: text, to: text }),
        ),
        async (args) => {
          expect(await delivered(() => orders.several.delay(...args))).toEqual(args);
        },
      ),
      runs,
    );
  });

  test('an ordinary route by PATCH', async () => {
    await fc.assert(
      fc.asyncProperty(segment, order, async (id, change) => {
        expect(await delivered(() => plain.change.delay(id, change))).toEqual([id, change]);
      }),
      runs,
    );
  });

  test('what no form carries is refused by its name', async () => {
    const sample: Order = { id: '1', at: new Date(0), due: new Date(0), lines: [] };
    await expect(orders.place.delay('x', 1, sample, 'shop', true, [])).rejects.toThrow(
      "Orders.place, argument 6, @Query('tags'): expected a list that arrives as one by this query parser and these pipes, got an empty array.",
    );
    await expect(
      orders.place.delay('x', 1, { ...sample, due: new Date(NaN) }, 'shop', true, ['a']),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'arguments[2].due' });
  });
});
