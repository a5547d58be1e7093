/** A task's id leads on to the one that has taken its place. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import type { CloudTasksApi } from '../../../../src/engine/cloud-tasks-api.js';
import { CLOUD_TASKS } from '../../../../src/modules/cloud-tasks/queue-backend.js';
import { RetryLater } from '../../../../src/modules/dead-letters/handler-failures.js';
import { Task, TaskController, tasksToken } from '../../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../../src/modules/tasks/tasks.js';
import type { RecordedLog } from '../../../support/tasks-app.js';
import { closeApps, EMBEDDED, startApp } from '../../../support/tasks-app.js';

let calls: number;
let called = Promise.withResolvers<undefined>();

@TaskController('later')
class Later {
  @Task('x') async x(@Body() _body: object): Promise<void> {
    calls++;
    called.resolve(undefined);
    if (calls === 1) throw new RetryLater({ after: '1h' });
  }
}

let tasks: Tasks<Later>;
let api: CloudTasksApi;
let log: RecordedLog;
const parent = 'projects/local/locations/us-central1/queues/default';

beforeAll(async () => {
  const server = await startApp({ controllers: [Later] }, EMBEDDED);
  tasks = server.app.get(tasksToken(Later));
  api = server.app.get<CloudTasksApi>(CLOUD_TASKS);
  ({ log } = server);
});
afterAll(closeApps);

/** Until the first task has ended and another one waits for its hour. */
async function retriedLater(taskId: string): Promise<void> {
  calls = 0;
  const { name } = await tasks.x.options({ taskId }).delay({});
  // The queue tells of an attempt before the task has left it.
  const names = async () => (await api.listTasks({ parent })).tasks.map((task) => task.name);
  for (let left = [name]; left.includes(name); left = await names()) {
    await new Promise(setImmediate);
  }
  expect(await names()).toHaveLength(1);
  called = Promise.withResolvers();
}

test('to be cancelled', async () => {
  await retriedLater('cancelled');
  expect(await tasks.x.cancel('cancelled')).toBe(true);
  expect((await api.listTasks({ parent })).tasks).toEqual([]);
  expect(await tasks.x.cancel('cancelled')).toBe(false);
});

test('to be attempted now', async () => {
  await retriedLater('now');
  await tasks.x.runNow('now');
  await called.promise;
  expect(calls).toBe(2);
  expect(log.text).not.toContain('Error');
});
