/** The app that is abused works, in every mode, for whoever may use it: or its refusals prove nothing. */
import { afterEach, expect, test } from '@jest/globals';
import { AbusedApp } from './abused-app.js';

let app: AbusedApp | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

test.each(['oidc', 'appengine', 'cloud-run-iam', 'local'] as const)(
  'mode %s lets tasks in, and nothing else',
  async (mode) => {
    app = await AbusedApp.start({ mode });
    for (const path of ['/abuse/work', '/abuse/plain', '/abuse/ordinary', '/tasks/example']) {
      expect((await app.send(path, app.credentials(path))).status).toBe(200);
      expect((await app.send(path)).status).toBe(401);
    }
    // Only a task's route reads its body here.
    expect(app.handled).toEqual([{ made: 'up' }, undefined, undefined]);
    expect(app.reached).toHaveLength(4);
    expect(app.log).toContain('Refused POST /abuse/work');
  },
);

test.each(['api-key', 'oidc', 'iap'] as const)(
  'producer %s lets its callers enqueue, and nobody else',
  async (producer) => {
    app = await AbusedApp.start({ mode: 'local', producer });
    expect((await app.send('/add_task_app_engine', app.producerCredentials(), '{}')).status).toBe(
      202,
    );
    expect((await app.send('/add_task_app_engine')).status).toBe(401);
    expect(await app.tasks()).toHaveLength(1);
  },
);
