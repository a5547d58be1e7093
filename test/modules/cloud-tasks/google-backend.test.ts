/** The google backend: Google's own client, called against a Cloud Tasks-compatible server. */
import { afterEach, expect, test } from '@jest/globals';
import { Body } from '@nestjs/common';
import type { RunningEngine } from '../../../src/host/running-engine.js';
import { startEngine } from '../../../src/host/start-engine.js';
import { QueueBackend } from '../../../src/modules/cloud-tasks/queue-backend.js';
import { TaskContext } from '../../../src/modules/tasks/task-context.js';
import {
  Task,
  TaskController,
  TaskInfo,
  tasksToken,
} from '../../../src/modules/tasks/task-decorators.js';
import type { Tasks } from '../../../src/modules/tasks/tasks.js';
import { closeApps, makeApp, startApp } from '../../support/tasks-app.js';

const called = Promise.withResolvers<unknown[]>();

@TaskController('jobs')
class Jobs {
  @Task('run')
  async run(@Body() body: unknown, @TaskInfo() { queue, taskId }: TaskContext): Promise<void> {
    called.resolve([body, queue, taskId]);
  }
}

const engines: RunningEngine[] = [];
afterEach(async () => {
  await closeApps();
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

test('carries a delayed call to its handler, which verifies the server’s own tokens', async () => {
  const engine = await startEngine({ dataDir: ':memory:', port: 0 });
  engines.push(engine);
  const location = 'projects/demo/locations/us-central1';
  const name = `${location}/queues/default`;
  await engine.api.createQueue({ parent: location, queue: { name } });
  await engine.dispatch({});
  const { app } = await startApp(
    { controllers: [Jobs] },
    {
      backend: 'google',
      emulatorHost: engine.url,
      project: 'demo',
      serviceAccount: 'tasks@demo.example',
      auth: { issuer: engine.issuer },
    },
  );
  const ref = await app.get<Tasks<Jobs>>(tasksToken(Jobs)).run.delay({ by: 'gRPC' });
  expect(ref.name).toBe(`${name}/tasks/${ref.taskId}`);
  expect(await called.promise).toEqual([{ by: 'gRPC' }, 'default', ref.taskId]);
  expect(app.get(QueueBackend).kind).toBe('google');
});

test('makes no queue: one that is missing is NOT_FOUND', async () => {
  const engine = await startEngine({ dataDir: ':memory:', port: 0 });
  engines.push(engine);
  const app = await makeApp(
    { controllers: [Jobs] },
    {
      backend: 'google',
      emulatorHost: engine.url,
      project: 'demo',
      serviceUrl: 'https://handlers.example',
      serviceAccount: 'tasks@demo.example',
      // Whose keys are fetched ahead: Google's are not on this machine.
      auth: { issuer: engine.issuer },
    },
  );
  await app.init();
  const jobs = app.get<Tasks<Jobs>>(tasksToken(Jobs));
  await expect(jobs.run.delay({})).rejects.toMatchObject({
    name: 'CloudTasksError',
    code: 'NOT_FOUND',
  });
});
