/** What a whole life of tasks leaves on the disk and in the log: no credential of anybody. */
import { expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outcomes } from '../../src/modules/dead-letters/outcomes.js';
import { Loopback } from '../support/loopback.js';
import { AbusedApp } from './abused-app.js';
import { assertNoSecrets, assertNoSecretsInFolder, keepSecret, keepSignature } from './secrets.js';

test('tasks, their dead letters, the journal and the log hold no token, key or signature', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stored-secrets-'));
  const loopback = new Loopback();
  const called = Promise.withResolvers<IncomingMessage>();
  const target = await loopback.http((request, response) => {
    called.resolve(request);
    request.resume();
    response.end();
  });
  const app = await AbusedApp.start({ mode: 'local', variables: { DATA_DIR: folder } });
  try {
    keepSecret(app.apiKey, 'the API key');
    const idempotencyKey = ['Idempotency-Key', 'order-4711'] as const;
    const enqueue = (path: string, fields: object) =>
      app.send(path, [...app.producerCredentials(), idempotencyKey], JSON.stringify(fields));
    const ended = countdown(app, 2);

    expect((await enqueue('/add_task_external', { url: target })).status).toBe(202);
    for (const [relativeUri, payload] of [
      ['/abuse/work', { kept: 'in the store' }],
      ['/abuse/work', 'no JSON'],
    ] as const) {
      const headers = { 'Content-Type': 'application/json' };
      const fields = { relativeUri, payload, headers };
      const { status, text } = await app.send(
        '/add_task_app_engine',
        app.producerCredentials(),
        JSON.stringify(fields),
      );
      expect({ status, text }).toMatchObject({ status: 202 });
    }
    for (const header of ['Authorization', 'X-API-Key', 'Cookie', 'X-Engine-Signature']) {
      const forged = `Bearer ${app.token()}`;
      for (const path of ['/abuse/work', '/add_task_external', `/nowhere?key=${app.token()}`]) {
        expect((await app.send(path, [[header, forged]])).status).toBeGreaterThanOrEqual(400);
      }
      keepSignature(forged);
    }
    await app.app.api.resumeQueue({ name: app.app.queueName() });

    const { headers } = await called.promise;
    expect(headers.authorization).toMatch(/^Bearer /);
    keepSignature(String(headers.authorization));
    await ended;
    expect(app.handled).toEqual([{ kept: 'in the store' }]);
    expect(await app.tasks('default-dead-letter')).toHaveLength(1);
    assertNoSecrets(app.log, 'the log');
  } finally {
    await app.close();
    await loopback.close();
  }
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['tasks.sqlite', 'journal.sqlite']));
  assertNoSecretsInFolder(folder);
  rmSync(folder, { recursive: true });
});

/** Resolves once so many attempts have ended. */
function countdown(app: AbusedApp, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    app.app.app.get(Outcomes).listen(() => {
      if (--left === 0) resolve();
    });
  });
}
