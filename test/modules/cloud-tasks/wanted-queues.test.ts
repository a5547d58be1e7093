/** Queues in an app's options: applied to the embedded engine at the start, compared with on Google. */
import { afterEach, expect, test } from '@jest/globals';
import type { CloudTasksApi } from '../../../src/engine/cloud-tasks-api.js';
import { CloudTasksError } from '../../../src/engine/errors.js';
import type { EngineApi } from '../../../src/engine/engine-api.js';
import { CLOUD_TASKS } from '../../../src/modules/cloud-tasks/queue-backend.js';
import type { TasksModuleOptions } from '../../../src/modules/tasks/module-options.js';
import { Task, TaskController } from '../../../src/modules/tasks/task-decorators.js';
import { engineUnderTest } from '../../support/engine-under-test.js';
import type { GrpcPort } from '../../support/grpc-port.js';
import { grpcPort } from '../../support/grpc-port.js';
import { closeApps, EMBEDDED, makeApp, RecordedLog, startApp } from '../../support/tasks-app.js';
import { workElsewhere } from '../../support/elsewhere.js';

workElsewhere();

const LOCAL = 'projects/local/locations/us-central1';

@TaskController('jobs', { queue: 'jobs' })
class Jobs {
  @Task('run')
  async run(): Promise<void> {}
}

const ports: GrpcPort[] = [];
afterEach(async () => {
  await closeApps();
  await Promise.all(ports.splice(0).map((port) => port.close()));
});

test('embedded, they are there when the app is, and so are those that handlers name', async () => {
  const queues = { mail: { rateLimits: { maxDispatchesPerSecond: 2 } }, jobs: { maxAttempts: 3 } };
  const { app, log } = await startApp({ controllers: [Jobs] }, { ...EMBEDDED, queues });
  const api = app.get<CloudTasksApi>(CLOUD_TASKS, { strict: false });
  const queue = (id: string) => api.getQueue({ name: `${LOCAL}/queues/${id}` });
  expect(await queue('mail')).toMatchObject({
    rateLimits: { maxDispatchesPerSecond: 2 },
    retryConfig: { maxAttempts: -1 },
    state: 'RUNNING',
  });
  expect((await queue('jobs')).retryConfig.maxAttempts).toBe(3);
  expect((await queue('mail-dead-letter')).state).toBe('PAUSED');
  expect((await queue('jobs-dead-letter')).state).toBe('PAUSED');
  expect(log.lines.filter((line) => line.startsWith('Queue'))).toEqual([
    'Queues created: mail, jobs, and paused ones for their dead letters. Tasks',
  ]);
});

test('a queue that only a handler names has attempts without end', async () => {
  const { app } = await startApp({ controllers: [Jobs] });
  const api = app.get<CloudTasksApi>(CLOUD_TASKS, { strict: false });
  const { retryConfig } = await api.getQueue({ name: `${LOCAL}/queues/jobs` });
  expect(retryConfig.maxAttempts).toBe(-1);
});

test.each<[object, string]>([
  [{ queuess: {} }, "did you mean 'queues'"],
  [
    { queues: { mail: { maxAtempts: 1 } } },
    'queues.mail.maxAtempts: not a field here, did you mean',
  ],
])('%j ends the start', async (wrong, message) => {
  const app = makeApp({ controllers: [Jobs] }, { ...EMBEDDED, ...wrong });
  await expect(app).rejects.toThrow(message);
});

/** An app on Google's client, and a server that is called in place of Google's. */
async function onGoogle(
  queues: TasksModuleOptions['queues'],
  prepare: (api: EngineApi) => Promise<unknown> | Partial<CloudTasksApi>,
): Promise<{ log: RecordedLog; api: EngineApi; line: Promise<string> }> {
  const { engine } = await engineUnderTest();
  const verbs = await prepare(engine);
  const port = await grpcPort(
    Object.assign(Object.create(engine) as EngineApi, verbs as Partial<CloudTasksApi>),
  );
  ports.push(port);
  const log = new RecordedLog();
  const line = log.line(/changed by|compared/);
  const app = await makeApp(
    { controllers: [Jobs] },
    {
      backend: 'google',
      emulatorHost: port.url,
      project: 'local',
      serviceUrl: 'https://handlers.example',
      serviceAccount: 'tasks@demo.example',
      // Whose keys are fetched ahead: Google's are not on this machine.
      auth: { issuer: 'http://127.0.0.1:1' },
      ...(queues ? { queues } : {}),
    },
    log,
  );
  await app.init();
  return { log, api: engine, line };
}

test('on Google what differs is a warning, and nothing is changed', async () => {
  const { log, api, line } = await onGoogle(
    { mail: { maxDispatchesPerSecond: 2, taskTtl: '20d' }, jobs: {}, paused: {} },
    async (engine) => {
      const create = (id: string) =>
        engine.createQueue({ parent: LOCAL, queue: { name: `${LOCAL}/queues/${id}` } });
      for (const id of ['mail', 'paused', 'mail-dead-letter']) await create(id);
      await engine.pauseQueue({ name: `${LOCAL}/queues/paused` });
      await engine.updateQueue({
        queue: { name: `${LOCAL}/queues/paused`, retryConfig: { maxAttempts: -1 } },
      });
    },
  );
  expect(await line).toMatch(/Queues are changed by: npx nest-cloud-tasks queues apply/);
  expect(log.lines.filter((text) => text.startsWith('Queue '))).toEqual([
    'Queue mail is not as it is wanted: rateLimits.maxDispatchesPerSecond 500 -> 2, ' +
      'retryConfig.maxAttempts 100 -> -1, taskTtl 2678400s -> 1728000s. Tasks',
    'Queue mail-dead-letter is not as it is wanted: state RUNNING -> PAUSED. Tasks',
    `Queue jobs is missing in ${LOCAL}. Tasks`,
    `Queue jobs-dead-letter is missing in ${LOCAL}. Tasks`,
    'Queue paused is PAUSED. Tasks',
    `Queue paused-dead-letter is missing in ${LOCAL}. Tasks`,
  ]);
  const { queues } = await api.listQueues({ parent: LOCAL });
  expect(queues.map(({ name, state }) => [name.split('/').at(-1), state])).toEqual([
    ['mail', 'RUNNING'],
    ['mail-dead-letter', 'RUNNING'],
    ['paused', 'PAUSED'],
  ]);
});

test('on Google a permission that is missing is one line of the log', async () => {
  const { log, line } = await onGoogle({ mail: {}, jobs: {} }, () => ({
    getQueue: () => Promise.reject(new CloudTasksError('PERMISSION_DENIED', 'Not for you.')),
  }));
  expect(await line).toContain('Not for you.');
  expect(log.lines.filter((text) => /[Qq]ueues?\b/.test(text))).toHaveLength(1);
});
