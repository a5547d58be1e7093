/** The app that is deployed, on the test kit: the largest one there is, and not made for it. */
import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { AppServer } from '../../src/app/app-server.js';
import { readSettings, settings } from '../../src/config.js';
import { TasksTestbed } from '../../src/testing/tasks-testbed.js';

test('a task that an endpoint makes comes to its handler when it is due', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(settings.KEY)
    .useValue(readSettings({ DATA_DIR: '/nowhere/at/all' }));
  const bed = await TasksTestbed.create(builder, {
    app: (module) => module.createNestApplication(new AppServer(), { bodyParser: false }),
  });
  const add = (path: string, body: object) =>
    bed.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  // The app's own schedules may have a tick meanwhile.
  const attempts = () => bed.attempts().filter(({ taskId }) => !taskId.startsWith('cron-'));
  const answer = await add('/add_task_app_engine', { payload: 'Hello', countdown: '30m' });
  expect(answer.status).toBe(202);
  expect(await bed.pending()).toMatchObject([{ payload: 'Hello', queue: 'default' }]);
  await bed.advance('1799s');
  expect(attempts()).toEqual([]);
  await bed.advance('1s');
  expect(attempts()).toMatchObject([{ status: 200, answer: 'Printed task payload: Hello' }]);
  const forged = await add('/tasks/example', { payload: 'Hello' });
  expect(forged.status).toBe(401);
  await bed.close();
});
