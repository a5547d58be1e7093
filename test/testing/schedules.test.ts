/** The test kit and schedules: ticks come as the test lets time pass. */
import { afterEach, expect, test } from '@jest/globals';
import { Body, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Schedule } from '../../src/modules/schedules/schedule-decorator.js';
import { SchedulesModule } from '../../src/modules/schedules/schedules.module.js';
import { Task, TaskController } from '../../src/modules/tasks/task-decorators.js';
import { TasksModule } from '../../src/modules/tasks/tasks.module.js';
import { TasksTestbed } from '../../src/testing/tasks-testbed.js';
import { workElsewhere } from '../support/elsewhere.js';

workElsewhere();

@Injectable()
class Runs {
  readonly of: string[] = [];
}

@TaskController('tasks')
class Cleaning {
  constructor(private readonly runs: Runs) {}

  @Schedule('0 3 * * *', { payload: { what: 'all' } })
  @Schedule('every 6 hours', { name: 'often', payload: { what: 'some' } })
  @Task('clean')
  clean(@Body() { what }: { what: string }): void {
    this.runs.of.push(what);
  }
}

@Module({
  imports: [TasksModule.forRoot({ backend: 'embedded' }), SchedulesModule],
  controllers: [Cleaning],
  providers: [Runs],
})
class AppModule {}

let bed: TasksTestbed;
afterEach(() => bed.close());

test('two days of ticks', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  bed = await TasksTestbed.create(builder.setLogger({ log() {}, error() {}, warn() {} }));
  const { of } = bed.app.get(Runs, { strict: false });
  await bed.advance('2d');
  expect(of.filter((what) => what === 'all')).toHaveLength(2);
  expect(of.filter((what) => what === 'some').length).toBeGreaterThanOrEqual(7);
  expect(await bed.deadLetters()).toEqual([]);
});
